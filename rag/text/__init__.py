"""Pure functions of text: a string comes in; its script, sentences, terms, numbers or a safe form of it go out."""

from rag.text.injection import is_order, neutral, told
from rag.text.numbers import Figure, figures, numbers
from rag.text.sanitise import clean, plain, prose, sound, visible
from rag.text.scripts import CJK, language, normalise, script
from rag.text.sentences import sentences
from rag.text.terms import TERMS, chunk_terms, content_terms, passage, rarity, search_terms, stem, terms

__all__ = [
    "CJK",
    "TERMS",
    "Figure",
    "chunk_terms",
    "clean",
    "content_terms",
    "figures",
    "is_order",
    "language",
    "neutral",
    "normalise",
    "numbers",
    "passage",
    "plain",
    "prose",
    "rarity",
    "script",
    "search_terms",
    "sentences",
    "sound",
    "stem",
    "terms",
    "told",
    "visible",
]
