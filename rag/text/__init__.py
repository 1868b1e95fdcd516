"""Strings in, what they say out: scripts, terms, sentences, numbers; and what must not get through."""

from rag.text.terms import *  # noqa: F403
