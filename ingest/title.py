"""What a document is called: as the file says, by its first heading or line, else by its name in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import PurePath

from rag.types import Page

LONGEST = 80
"""Characters of the longest title: one that is longer is a paragraph, and would drown a short chunk."""

# What programs write where nobody gave a title.
_NO_TITLE = re.compile(
    r"microsoft (word|powerpoint|excel)\b.*|(document|presentation|book|slide|sheet|untitled|scan|image|文档"
    r"|工作簿|演示文稿|新建.*|未命名|无标题)[\s_-]*\d*|.*\.(docx?|pptx?|xlsx?|pdf|tex|dvi|qxd|indd|html?)"
    r"|\(?(anonymous|unspecified)\)?|[a-z]{0,3}[\W_]*\d[\W\d_]*|[\W_]*|[0-9a-f-]{16,}",
    re.IGNORECASE,
)
_ENDS_A_SENTENCE = re.compile(r"[。！？；，、.!?;,]$")
_MARKS = re.compile(r"^[#*_=\-\s>|【\[]+|[*_=\-\s|】\]:：]+$")


def with_title(name: str, pages: Iterable[Page]) -> Iterator[Page]:
    """`pages` of the file called `name`, the first with its document's title (`Page.title`)."""
    for i, page in enumerate(pages):
        yield page if i else replace(page, title=title_of(name, page))


def title_of(name: str, first: Page) -> str:
    """The title of the file called `name`, whose first page is `first`; "" where nothing says one."""
    top = [heading.title for heading in first.headings if heading.level == 1]
    stated = _sensible(first.title) or _sensible(top[0] if len(top) == 1 else "")
    # A first line may be but the company's name, as a file's name may be a number: together they tell most.
    guessed = (_sensible(in_words(name)), _sensible(_first_line(first)) or _sensible(_subject(first)))
    return stated or " · ".join(dict.fromkeys(filter(None, guessed)))


def _sensible(title: str) -> str:
    """`title` in one line, "" where it is none."""
    line = " ".join(title.split())
    return "" if len(line) > LONGEST or _NO_TITLE.fullmatch(line) else line


def _first_line(first: Page) -> str:
    """The first line of a text, where it stands alone above the rest as a title does.

    A page of a PDF may begin with what all its pages begin with, and a record of a table has no title.
    """
    if first.number is not None or first.label is not None:
        return ""
    line, _, rest = first.text.lstrip().partition("\n")
    line = _MARKS.sub("", line)
    if not rest.strip() or _ENDS_A_SENTENCE.search(line) or "|" in line or re.search(r"[:：]\s*\S", line):
        return ""
    return line


_OPENING = re.compile(
    r"\s*([^\n,，。(（:：|]{2,60}?)(?:\s*[,，(（]|\s+(?:is|was|are|were|has|had)\b|是|成立|主营)"
)
_RECURS = 3
"""Times that what a text begins with must be said in it, to be what the text is about."""


def _subject(first: Page) -> str:
    """What the first sentence of a text is about, where the text speaks of it again ("X is a … X has …")."""
    opening = _OPENING.match(first.text) if first.number is None and first.label is None else None
    return opening[1] if opening and first.text.count(opening[1]) >= _RECURS else ""


def in_words(name: str) -> str:
    """A file's name as words: "travel-policy_2024.md" is "travel policy 2024"."""
    return re.sub(r"[\s_+-]+", " ", PurePath(name).stem).strip()
