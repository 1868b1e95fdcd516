"""The commands over the space of meaning.

In: an index, texts, tables of labels. Out: lists, tables and pictures, or JSON.
"""

from __future__ import annotations

from rag.cli.space.classify import classify
from rag.cli.space.duplicates import duplicates
from rag.cli.space.map import map_
from rag.cli.space.similar import similar
from rag.cli.space.similarity import similarity
from rag.cli.space.topics import topics
from rag.cli.space.words import words

__all__ = ["COMMANDS"]

COMMANDS = (similar, duplicates, topics, map_, classify, words, similarity)
