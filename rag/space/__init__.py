"""The space of meaning: an index as points, compared, grouped, labelled and drawn.

In: the vectors of an index, examples, labels, words. Out: what is alike, duplicates, topics, labels, maps.
"""

from rag.space.classify import Classifier, Labelled, Quality, cross_validate, train, zero_shot
from rag.space.differences import Difference, find_differences
from rag.space.duplicates import DuplicateDocuments, DuplicatePassages, Duplicates, find_duplicates
from rag.space.maps import (
    Map,
    MapQuestion,
    MapTopic,
    draw_map,
    lay_out,
    place,
    read_places,
    trustworthiness,
    with_question,
    write_heatmap,
    write_page,
    write_picture,
)
from rag.space.points import Points, read_points
from rag.space.similar import find_similar
from rag.space.topics import Topic, Topics, find_topics
from rag.space.words import solve_words

__all__ = [
    "Classifier",
    "Difference",
    "DuplicateDocuments",
    "DuplicatePassages",
    "Duplicates",
    "Labelled",
    "Map",
    "MapQuestion",
    "MapTopic",
    "Points",
    "Quality",
    "Topic",
    "Topics",
    "cross_validate",
    "draw_map",
    "find_differences",
    "find_duplicates",
    "find_similar",
    "find_topics",
    "lay_out",
    "place",
    "read_places",
    "read_points",
    "solve_words",
    "train",
    "trustworthiness",
    "with_question",
    "write_heatmap",
    "write_page",
    "write_picture",
    "zero_shot",
]
