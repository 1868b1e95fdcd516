"""Markdown: the whole file as one page, letter for letter, with the headings found in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ingest.loaders.text import read_text
from rag.text.place import lines_from
from rag.types import Heading, Page

FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))??(?:[ \t]+#+)?[ \t]*$")
SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
# What cannot be the line above a setext underline: lists, quotes, tables, containers, tags, indented code.
NOT_PARAGRAPH = re.compile(r"( {4}|\t| {0,3}([-*+>|<]|:::|\d+[.)] ))")
FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?\n)??(?:---|\.\.\.)[ \t]*(?:\n|$)", re.DOTALL)
FRONT_TITLE = re.compile(r"^title:[ \t]*(?:\"(.*)\"|'(.*)'|(.*?))[ \t]*$", re.MULTILINE)
ANCHOR = re.compile(r"\s*\{#[^}]*\}\s*$")
CODE = re.compile(r"(`+)(.+?)\1")
# Within a title: images and links keep their words, tags and emphasis go, escapes are undone.
INLINE = (
    (re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])"), r"\1"),
    (re.compile(r"(?<!\\)</?[A-Za-z!][^<>]*>"), ""),
    (re.compile(r"(?<!\\)(\*{1,3}|__|~~)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"\\([!-/:-@\[-`{-~])"), r"\1"),
)


def read(path: Path) -> list[Page]:
    """One page whose headings are ATX and setext ones outside code fences and comments.

    A title in the front matter is the first heading (offset 0) where no heading of level 1 is there.
    """
    text = read_text(path)
    return [Page(text, headings=headings(text), place=lines_from(1))]


def headings(text: str) -> tuple[Heading, ...]:
    """The headings of a Markdown text with their character offsets, without anchors and mark-up."""
    matter = FRONT_MATTER.match(text)
    start = matter.end() if matter else 0
    found = tuple(h for h in _headings(text, start) if h.title)
    title = _front_title(matter[1] or "") if matter else ""
    if title and not any(h.level == 1 for h in found):
        return (Heading(0, 1, title), *found)
    return found


def _front_title(matter: str) -> str:
    found = FRONT_TITLE.search(matter)
    return _plain(next((group for group in found.groups() if group), "")) if found else ""


def _headings(text: str, start: int) -> Iterator[Heading]:
    above, above_at, alone = "", start, True
    for at, line in _prose(text, start):
        if atx := ATX.match(line):
            yield Heading(at, len(atx[1]), _plain(atx[2] or ""))
            above, alone = "", True
            continue
        underline = SETEXT.match(line)
        if underline and above and alone and not NOT_PARAGRAPH.match(above):
            yield Heading(above_at, 1 if underline[1][0] == "=" else 2, _plain(above))
            above, alone = "", True
            continue
        alone = not above
        above, above_at = line.strip() and line, at


def _prose(text: str, start: int) -> Iterator[tuple[int, str]]:
    """The lines that are neither code nor comment (those as empty lines), with their offsets."""
    fence, comment, at = "", False, start
    for line in text[start:].split("\n"):
        mark = FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                fence = ""
            yield at, ""
        elif comment:
            comment = "-->" not in line
            yield at, ""
        elif mark and not (mark[1][0] == "`" and "`" in mark[2]):
            fence = mark[1]
            yield at, ""
        else:
            comment = "-->" not in line[line.rfind("<!--") :] if "<!--" in line else False
            yield at, line
        at += len(line) + 1


def _plain(title: str) -> str:
    """A heading as a reader sees it."""
    parts, end = [], 0
    title = ANCHOR.sub("", title)
    for code in CODE.finditer(title):
        parts += [_inline(title[end : code.start()]), code[2].strip()]
        end = code.end()
    return " ".join("".join([*parts, _inline(title[end:])]).split())


def _inline(text: str) -> str:
    for pattern, replacement in INLINE:
        text = pattern.sub(replacement, text)
    return text
