"""Pure functions of text.

In: a string. Out: its script, language, sentences, terms or numbers, or a form of it that is safe to show.
"""

from rag.text.injection import is_instruction, sanitise_for_model, sentences_without_instructions
from rag.text.meaning import meaning_terms
from rag.text.numbers import Figure, find_figures, find_numbers, write_digits
from rag.text.sanitise import sanitise_answer, strip_invisible, strip_list_markup, well_formed
from rag.text.scripts import CJK, CJK_CHAR, language, normalise, script
from rag.text.sentences import is_row, split_sentences
from rag.text.terms import (
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
    "CJK_CHAR",
    "TERMS",
    "Figure",
    "chunk_terms",
    "content_terms",
    "embedding_text",
    "find_figures",
    "find_numbers",
    "is_instruction",
    "is_row",
    "language",
    "meaning_terms",
    "normalise",
    "rarity",
    "sanitise_answer",
    "sanitise_for_model",
    "script",
    "search_terms",
    "sentences_without_instructions",
    "split_sentences",
    "split_terms",
    "stem",
    "strip_invisible",
    "strip_list_markup",
    "well_formed",
    "write_digits",
]
