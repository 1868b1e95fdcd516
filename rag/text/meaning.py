"""Terms by what they mean: "How old?", "13 years old" and "Age: 13" share one."""

from __future__ import annotations

import re

from rag.text.numbers import write_digits
from rag.text.terms import content_terms, stem

_ATTRIBUTES = {
    word: words[0]
    for words in (
        "age old aged".split(),
        "residence reside resided resides resident address live lives lived living".split(),
        "height high tall".split(),
        "length long".split(),
        "width wide".split(),
        "depth deep".split(),
        "weight weigh weighs weighed heavy".split(),
        "price cost costs expensive".split(),
        "birth born birthday".split(),
        "occupation job profession".split(),
        "gender sex".split(),
        "sentence sentenced sentences".split(),
        "住址 地址 居住 住在".split(),
        "价格 价钱 多贵".split(),
        "职业 工作".split(),
    )
    for word in words
}
"""What asks for an attribute or tells it, and the attribute's name."""
_YEARS_OLD = re.compile(r"\byears?[ -]old\b", re.IGNORECASE)


def meaning_terms(text: str) -> set[str]:
    """The stems of the content terms of `text`, with digits and the names of attributes."""
    plain = write_digits(_YEARS_OLD.sub("age", text))
    return {_ATTRIBUTES.get(term) or stem(term) for term in content_terms(plain)}
