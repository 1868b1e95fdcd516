"""Pages to chunks: at headings, paragraphs and sentences, never above the embedder's window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from ingest.headers import Table, header_at, tables
from rag.config import Settings
from rag.embedders import Embedder
from rag.errors import ConfigError
from rag.text import embedding_text
from rag.text.place import cut
from rag.types import Chunk, Heading, Page

# Where to cut, best place first: paragraph, line, sentence, clause, word, anywhere.
SEPARATORS = (
    r"\n{2,}",
    r"\n",
    r"(?<=[。！？…])|(?<=[.!?])\s+",
    r"(?<=[；;：])|(?<=[，、,])",
    r"\s+",
    "",
)
VERSION = 3

Counter = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True, slots=True)
class Chunker:
    """Cuts pages into chunks of at most `size` tokens, heading path included, as `count` counts them.

    `count` is an embedder's `count_tokens`. The chunks of a page do not overlap.
    """

    count: Counter
    size: int

    def settings(self) -> dict[str, int | str]:
        """What the index's manifest records."""
        return {"splitter": f"recursive-{VERSION}", "size": self.size}

    def split(self, source: str, pages: Iterable[Page]) -> list[Chunk]:
        """The chunks of a document, in reading order, `position` counted from 0."""
        return list(self.chunks(source, pages))

    def chunks(self, source: str, pages: Iterable[Page]) -> Iterator[Chunk]:
        """The same, one after the other: no more than a page is held."""
        title, position = "", 0
        found: list[Table] = []
        for page in pages:
            title = title or page.title
            found = tables(page.text, found[-1] if found else None)
            for start, end, path in sections(page):
                for a, b, heading in self._section(page.text, start, end, self._short(_under(title, path)), found):
                    place, at = cut(page.place, page.text, a, b), page.offset
                    yield Chunk(source, page.text[a:b], at + a, at + b, position, page.number, heading, place)
                    position += 1

    def _section(
        self, text: str, start: int, end: int, heading: tuple[str, ...], found: list[Table]
    ) -> Iterator[tuple[int, int, tuple[str, ...]]]:
        """A section's chunks with their headings: rows apart from their table's header have it as the last one."""

        def above(at: int) -> tuple[str, ...]:
            """The headings of a chunk that begins there; a header that leaves too little room is left out."""
            path = (*heading, header_at(found, at))
            return path if path[-1] and self._short(path) == path else heading

        spans = list(self._cut(text, start, end, heading))
        if any(above(a) != heading for a, _ in spans):
            paths = [above(table.body) for table in found if table.body < end and table.end > start]
            widest = max(paths, key=lambda path: self.count([" > ".join(path)])[0])
            spans = list(self._cut(text, start, end, widest))
        for a, b in spans:
            yield a, b, above(a)

    def _short(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """The first and the innermost headings of `path` that leave half of a chunk to its text."""
        while path and self.count([" > ".join(path)])[0] > self.size // 2:
            if len(path) == 1:
                path = (path[0][: len(path[0]) // 2],)
            else:
                path = (path[0], *path[2:]) if len(path) > 2 else path[1:]
        return path

    def _cut(self, text: str, start: int, end: int, heading: tuple[str, ...]) -> Iterator[tuple[int, int]]:
        """The spans of ``text[start:end]``'s chunks; a span still above the window is cut again."""
        bare = self.count([""])[0]
        head = self.count([embedding_text(Chunk("", "", 0, 0, heading=heading))])[0]
        yield from self._fit(text, start, end, self.size - head, bare, heading)

    def _fit(
        self, text: str, start: int, end: int, room: int, bare: int, heading: tuple[str, ...]
    ) -> Iterator[tuple[int, int]]:
        @cache  # the splitter asks for every piece twice, and a text without spaces is split into its characters
        def length(piece: str) -> int:
            # Never 0 for a piece that is there: the splitter would take it into the next chunk as well.
            return max(self.count([piece])[0] - bare, 1) if piece else 0

        spans = list(_split(text, start, end, room, length))
        sizes = self.count([embedding_text(Chunk("", text[a:b], 0, 0, heading=heading)) for a, b in spans])
        for (a, b), size in zip(spans, sizes, strict=True):
            if size > self.size and b - a > 1 and room > 1:
                # Counts of pieces need not add up to the count of the whole.
                yield from self._fit(text, a, b, room // 2, bare, heading)
            else:
                yield a, b


def _under(title: str, path: tuple[str, ...]) -> tuple[str, ...]:
    """`path` below its document's `title`: a passage says whose it is."""
    return path if not title or title in path[:1] else (title, *path)


def sections(page: Page) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Spans of a page between its headings, with the heading path of each; empty sections left out."""
    marks = [h for h in page.headings if h.offset < len(page.text)]
    path: list[Heading] = []
    label = (page.label,) if page.label else ()
    edges = [*marks, Heading(len(page.text), 0, "")]
    if page.text[: edges[0].offset].strip():
        yield 0, edges[0].offset, label
    for mark, following in zip(marks, edges[1:], strict=True):
        path = [*(h for h in path if h.level < mark.level), mark]
        body = page.text[mark.offset : following.offset]
        if _has_body(body, mark.title):
            yield mark.offset, following.offset, (*label, *(h.title for h in path))


def _has_body(body: str, title: str) -> bool:
    """Whether a section says more than its heading (which the sections below it carry in their path)."""
    return len(body.strip().strip("#=- \n")) > len(title) + 1


def _split(text: str, start: int, end: int, room: int, length: Callable[[str], int]) -> Iterator[tuple[int, int]]:
    """Spans of the pieces that LangChain's recursive splitter makes of ``text[start:end]``."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter  # a third of a second, which an ingest
    # that finds nothing new does not spend

    splitter = RecursiveCharacterTextSplitter(
        separators=list(SEPARATORS),
        is_separator_regex=True,
        keep_separator="end",
        chunk_size=room,
        chunk_overlap=0,
        length_function=length,
    )
    at = start
    for piece in splitter.split_text(text[start:end]):
        # Pieces follow one another with only white space between them, so the next match is the piece.
        at = text.index(piece, at, end)
        yield at, at + len(piece)
        at += len(piece)


MOST = 512
"""Tokens of a chunk unless the settings say otherwise, however large the window: one vector for a whole
chapter finds none of its sentences, and a few such chunks would fill the language model's prompt."""


def chunker_for(embedder: Embedder, settings: Settings) -> Chunker:
    """The chunker for `embedder`; raises ConfigError where `chunk_tokens` does not fit its window."""
    if 0 < settings.chunk_tokens < 16 or settings.chunk_tokens > embedder.max_tokens:
        raise ConfigError(
            f"chunk_tokens must lie between 16 and the embedder's window of {embedder.max_tokens}, "
            f"not {settings.chunk_tokens}"
        )
    return Chunker(embedder.count_tokens, settings.chunk_tokens or min(embedder.max_tokens, MOST))
