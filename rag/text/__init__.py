"""Pure functions of text: a string comes in; its script, sentences, terms, numbers or a safe form of it go out."""

from rag.text.find_numbers import Figure, find_figures, find_numbers
from rag.text.injection import is_instruction, sanitise_for_model, sentences_without_instructions
from rag.text.sanitise import sanitise_answer, sound, strip_invisible, strip_list_markup, well_formed
from rag.text.scripts import CJK, language, normalise, script
from rag.text.split_sentences import split_sentences
from rag.text.split_terms import (
    TERMS,
    chunk_terms,
    content_terms,
    embedding_text,
    rarity,
    search_terms,
    split_terms,
    stem,
)

__all__ = [
    "CJK",
    "TERMS",
    "Figure",
    "chunk_terms",
    "well_formed",
    "content_terms",
    "find_figures",
    "is_instruction",
    "language",
    "sanitise_for_model",
    "normalise",
    "find_numbers",
    "embedding_text",
    "sanitise_answer",
    "strip_list_markup",
    "rarity",
    "script",
    "search_terms",
    "split_sentences",
    "sound",
    "stem",
    "split_terms",
    "sentences_without_instructions",
    "strip_invisible",
]
