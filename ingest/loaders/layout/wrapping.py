"""Where a line goes on in the next one, and where it ended."""

from __future__ import annotations

import re

from ingest.loaders.layout.words import Line

BULLET = re.compile(
    r"[•‣▪●○◦–—·*-]$|\(?\w{1,3}[.)、）]$|\d+(\.\d+)+\.?$|[（(][一二三四五六七八九十\d]+[)）]|第.{1,4}[章节条]"
)
HAN = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff，。、；：？！”）》]")
ENDS = re.compile(r"[.!?。！？:：;；…][\"'”’)）»]?$")
COMMA = re.compile("[，。、；：]")
HYPHEN = re.compile(r"[^\W\d_][-\u2010\xad\x02]$")


def between(above: Line, below: Line) -> str:
    """What stands between two lines: nothing, a space, a line's or paragraph's end; "-" where a word goes on."""
    if above.table or below.table:
        return "\n" if above.table and above.table == below.table else "\n\n"
    last, first = above.text, below.text
    if above.page == below.page and _parted(above, below):
        return "\n\n"
    if len(above.cells) > 1 or len(below.cells) > 1 or BULLET.match(below.first.words[0].text):
        return "\n"
    if HYPHEN.search(last) and first[:1].islower():
        return "-"
    goes_on = first[:1].islower() and not ENDS.search(last)
    if goes_on or _was_full(above, below):
        return "" if HAN.search(last[-1:]) and HAN.match(first[:1]) else " "
    return "\n"


def _parted(above: Line, below: Line) -> bool:
    """Do two lines stand further apart than lines do, or are they of different sizes?"""
    if above.level or below.level or abs(above.height - below.height) > 0.2 * below.height:
        return True
    gap = below.first.y0 - above.first.y1
    return gap > max(0.0, above.lead) + 0.5 * min(above.first.size, below.first.size)


def _was_full(above: Line, below: Line) -> bool:
    """Was a line wrapped? Then the first word of the next would not have found room behind it."""
    a, word = above.first, below.first.words[0]
    size = min(a.size, below.first.size)
    if (
        below.page == above.page and below.first.y0 < a.y1 - 2 * size
    ):  # the next column: a sentence may go on there
        return not ENDS.search(above.text)
    han = bool(HAN.match(word.text))
    if above.narrow:  # several lines that end in one place short of the page's edge: a paragraph, or a list
        return han and bool(COMMA.search(above.text + below.text)) and a.x1 + 2 * size > above.right
    # Letters of a Han text are one run; a mark behind the next letter could not stand at a line's beginning.
    return a.x1 + (2 * size if han else word.x1 - word.x0 + 0.25 * size) >= above.right
