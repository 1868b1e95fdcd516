"""The space of meaning: an index as points, compared, grouped, labelled and drawn.

In: the vectors of an index, examples, labels, words. Out: what is alike, duplicates, topics, labels, maps.
"""

from rag.space.classify import Classifier, Labelled, Quality, cross_validate, train, zero_shot
from rag.space.differences import Difference, find_differences
from rag.space.duplicates import DuplicateDocuments, DuplicatePassages, Duplicates, find_duplicates
from rag.space.points import Points, read_points
from rag.space.similar import find_similar
from rag.space.topics import Topic, Topics, find_topics

__all__ = [
    "Classifier",
    "Difference",
    "DuplicateDocuments",
    "DuplicatePassages",
    "Duplicates",
    "Labelled",
    "Points",
    "Quality",
    "Topic",
    "Topics",
    "cross_validate",
    "find_differences",
    "find_duplicates",
    "find_similar",
    "find_topics",
    "read_points",
    "train",
    "zero_shot",
]
