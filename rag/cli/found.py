"""What `rag search` shows of a hit: its place, the part with most of the question's words, and its copies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import click

from rag.cli.screen import place, say, show
from rag.types import Chunk, Hit

_LONGEST = 300  # characters shown of a passage
_COPIES = 5  # places of copies that are named
_WORDS = 12  # words that are listed


@dataclass(frozen=True, slots=True)
class Sought:
    """A question, its other `wordings` by synonyms, and the terms that were `mended` since they are misspelt."""

    question: str
    wordings: tuple[str, ...] = ()
    mended: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        return " ".join((self.question, *self.wordings, *self.mended))


def show_hits(hits: Sequence[Hit], sought: Sought, filtered: bool) -> None:
    """`hits` on the terminal, the question's words in them lit up; what it means that there are none."""
    question = sought.question
    if sought.wordings:
        show(say("Searched as well: ", "同时检索：", question) + "; ".join(sought.wordings), dim=True)
    for hit in hits:
        _show_hit(hit, sought)
    if hits:
        return
    if filtered:
        en = "Nothing in the index matches the filter: `rag sources` lists what there is."
        show(say(en, "索引中没有符合过滤条件的内容：`rag sources` 列出已有的文件。", question))
    else:
        show(say("Nothing matches.", "没有匹配的段落。", question))


def _show_hit(hit: Hit, sought: Sought) -> None:
    question = sought.question
    show(f"{hit.rank:2}. {hit.score:.3f}  {place(hit.chunk, question)}", bold=True)
    if _is_verbose():
        meaning, words = (f"{each:.3f}" if each is not None else "-" for each in (hit.dense, hit.lexical))
        matched = ", ".join(matched_words(hit.chunk, sought.words)) or "-"
        en, zh = f"    meaning {meaning}, words {words}: {matched}", f"    语义 {meaning}，词项 {words}：{matched}"
        show(say(en, zh, question), dim=True)
    show("    ", end="")
    for piece, lit in lit_pieces(" ".join(hit.chunk.text.split()), sought.words):
        show(piece, end="", bold=lit or None, fg="yellow" if lit else None)
    show()
    if hit.also:
        named = "; ".join(place(chunk, question) for chunk in hit.also[:_COPIES])
        more = len(hit.also) - _COPIES
        rest = say(f"; {more} more", f"；另有 {more} 处", question) if more > 0 else ""
        show(say("    the same in ", "    同样的内容见于 ", question) + named + rest, dim=True)
    show()


def _is_verbose() -> bool:
    above = click.get_current_context().parent
    return bool(above and above.params.get("verbose"))


def lit_pieces(text: str, question: str) -> list[tuple[str, bool]]:
    """At most _LONGEST characters of `text` with most words of `question`, in pieces; True: one of these words."""
    spans = _joined(_matched(text, question))
    start = _best_start(text, spans)
    end = min(len(text), start + _LONGEST)
    pieces: list[tuple[str, bool]] = [("… ", False)] if start else []
    at = start
    for a, b in spans:
        if a >= at and b <= end:
            pieces += [(text[at:a], False), (text[a:b], True)]
            at = b
    pieces.append((text[at:end] + (" …" if end < len(text) else ""), False))
    return [(piece, lit) for piece, lit in pieces if piece]


def matched_words(chunk: Chunk, question: str) -> list[str]:
    """The words of `question` that `chunk` has, as they stand in its text, its headings or its file's name."""
    from rag.text import embedding_text

    held = f"{embedding_text(chunk)}\n{chunk.source}"
    found = {held[a:b].lower(): held[a:b] for a, b in reversed(_joined(_matched(held, question)))}
    return list(reversed(found.values()))[:_WORDS]


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """`spans` in order, those that touch made one."""
    joined: list[tuple[int, int]] = []
    for a, b in spans:
        if joined and joined[-1][1] == a:
            joined[-1] = (joined[-1][0], b)
        else:
            joined.append((a, b))
    return joined


def _matched(text: str, question: str) -> Iterator[tuple[int, int]]:
    """Where the words of `question` that carry meaning stand in `text`, in order, without overlap.

    English words by their stems, Chinese by pairs of characters.
    """
    from rag.text import CJK, content_terms, split_terms, stem

    asked = content_terms(question)
    stems = {stem(term) for term in asked}
    last = 0
    for match in re.finditer(rf"(?=([{CJK}]{{2}}))|[^\W_{CJK}]+", text):
        start, end = match.span(1) if match[1] else match.span()
        terms = split_terms(text[start:end])
        found = terms[-1] in asked if match[1] else bool(stems & set(map(stem, terms)))
        if found and end > last:
            yield max(start, last), end
            last = end


def _best_start(text: str, spans: Sequence[tuple[int, int]]) -> int:
    """Where to begin so that most of `spans` are shown: at a word's beginning, a little before the first."""
    if len(text) <= _LONGEST or not spans:
        return 0
    within = [sum(end <= start + _LONGEST * 3 // 4 for _, end in spans[i:]) for i, (start, _) in enumerate(spans)]
    first = spans[within.index(max(within))][0]
    start = max(0, min(first - _LONGEST // 4, len(text) - _LONGEST))
    space = text.find(" ", start, first)
    return space + 1 if start and space >= 0 else start
