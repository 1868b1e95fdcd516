"""Files to pages: `load` chooses the loader by suffix, one module for each format.

In: a path. Out: its `Page`s with headings, or a `LoadError` that says why not.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from rag.errors import LoadError, Skip, one_line
from rag.types import Heading, Page

__all__ = ["LoadOptions", "file_type", "load"]

TYPES = {
    suffix: kind
    for kind, suffixes in {
        "markdown": ".md .markdown .mdx",
        "text": ".txt .text .log .rst .org .tex .srt .vtt .adoc",
        "html": ".html .htm .xhtml",
        "pdf": ".pdf",
        "docx": ".docx .docm",
        "csv": ".csv .tsv",
        "sheet": ".xlsx .xlsm .xls .xlsb .ods",
        "pptx": ".pptx .pptm .ppsx",
        "office": ".doc .ppt .rtf .odt .odp",
        "epub": ".epub",
        "mail": ".eml .msg .mbox",
        "notebook": ".ipynb",
        "json": ".json .jsonl .ndjson",
        "xml": ".xml .rss .atom",
        "code": ".py .js .ts .jsx .tsx .java .c .h .cpp .hpp .cs .go .rs .rb .php .swift .kt"
        " .scala .sql .sh .ps1 .r .lua .pl .css .yaml .yml .toml .ini .cfg .conf .properties .proto .vue",
        "archive": ".zip .tar .tgz .gz .bz2 .xz",
        "image": ".png .jpg .jpeg .tif .tiff .webp .bmp",
    }.items()
    for suffix in suffixes.split()
}
"""Suffix (lower case) → type; everything else is skipped by name."""

logger = logging.getLogger(__name__)

MB = 1 << 20
LARGEST, ENTRIES, DEEPEST = 200 * MB, 20_000, 3
"""Of what lies in archives and mails: bytes unpacked, files, and how many files in one another."""
MOST_LABEL = 300
"""Characters of a record's name: subjects, sheets and paths in archives are text of others."""
# One for one, so that offsets stay: what SQLite, JSON or a terminal cannot carry, and the tag characters
# (U+E0000…), which no reader sees but a language model does.
UNSAFE = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff\U000e0000-\U000e007f]")


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What is read of a file, and how much of it may cost.

    `csv_text` names the columns of a table that are read (all when empty). `max_seconds` is the longest
    wait for a next page: see `ingest.reader_pool`. `max_memory` is bytes of address space of a reader process.
    `ocr`: whether pictures, and pages without text, are read by OCR where that is installed. `pictures`: an
    embedder will look at them, so that each is taken as it is.
    """

    csv_text: tuple[str, ...] = ()
    max_bytes: int = 200 * MB
    max_chars: int = 200_000_000
    max_pages: int = 1_000_000
    max_seconds: float = 60.0
    max_memory: int = 2048 * MB
    ocr: bool = True
    pictures: bool = False


@dataclass(slots=True)
class Inside:
    """How deep a file lies in others (archives, attachments), and what they may still unpack: bytes and files.

    All files below one on disk share `left`: archives in archives together unpack to no more than one may.
    """

    depth: int = 0
    left: list[int] = field(default_factory=lambda: [LARGEST, ENTRIES])

    def take(self, size: int) -> None:
        """Count a file of `size` bytes; raises `Skip` where it is too much."""
        self.left[0] -= size
        self.left[1] -= 1
        if min(self.left) < 0:
            raise Skip(f"too large: unpacks to more than {LARGEST // MB} MB or {ENTRIES} files")

    def deeper(self) -> Inside:
        """For the files in this one; raises `Skip` where that is too deep."""
        if self.depth >= DEEPEST:
            raise Skip(f"more than {DEEPEST} files inside one another")
        return Inside(self.depth + 1, self.left)


def file_type(path: Path) -> str:
    """The format of a file by its suffix, as `TYPES` names it (pdf, markdown, sheet …); else `Skip`."""
    suffix = path.suffix.lower()
    if suffix not in TYPES:
        raise Skip(f"unsupported: {suffix}" if suffix else "unsupported: no suffix")
    return TYPES[suffix]


def is_readable_type(path: Path) -> bool:
    """Is this the name of a file of a known format?"""
    return path.suffix.lower() in TYPES


def load(path: Path, options: LoadOptions | None = None, inside: Inside | None = None) -> Iterator[Page]:
    """The pages of a file that hold text, in order. `inside` says what is left for a file within another one.

    Raises `Skip` (unsupported, empty, binary, encrypted, no text layer, too large) or `LoadError`, while
    iterating too. Reads in this process, without limits of time: `ingest.reader_pool` adds those.
    """
    options = options or LoadOptions()
    kind = file_type(path)
    try:
        _check_file(path, options)
        yield from _within(_read(kind, path, options, inside or Inside()), options)
    except OSError as error:
        raise LoadError(f"cannot be read: {error.strerror or error}") from error
    except (LoadError, MemoryError):
        raise
    except Exception as error:
        # A broken file can make a parser raise anything at all.
        raise LoadError(f"not a readable {kind} file: {one_line(error, 200)}") from error


def _read(kind: str, path: Path, options: LoadOptions, inside: Inside) -> Iterable[Page]:  # noqa: PLR0911, PLR0912
    match kind:
        case "markdown":
            from ingest.loaders import markdown

            return markdown.read(path)
        case "html":
            from ingest.loaders import html

            return html.read(path)
        case "pdf":
            from ingest.loaders import pdf

            return pdf.read(path, options.ocr)
        case "docx":
            from ingest.loaders import docx

            return docx.read(path)
        case "csv":
            from ingest.loaders import csv

            return csv.read(path, options.csv_text)
        case "sheet":
            from ingest.loaders import sheet

            return sheet.read(path)
        case "pptx":
            from ingest.loaders import pptx

            return pptx.read(path)
        case "office":
            from ingest.loaders import legacy

            return legacy.read(path)
        case "epub":
            from ingest.loaders import epub

            return epub.read(path)
        case "notebook":
            from ingest.loaders import notebook

            return notebook.read(path)
        case "json":
            from ingest.loaders import records

            return records.read_json(path)
        case "xml":
            from ingest.loaders import records

            return records.read_xml(path)
        case "mail":
            from ingest.loaders import mail

            return mail.read(path, _attachments(options, inside))
        case "archive":
            from ingest.loaders import archive

            return archive.read(path, inside, lambda member: load(member, options, inside.deeper()))
        case "image" if options.pictures:
            from ingest.loaders import picture

            return picture.read(path)
        case "image":
            if not options.ocr:
                raise Skip("a picture, and OCR is off")
            from ingest.loaders import ocr

            return ocr.read(path)
        case _:
            from ingest.loaders import text

            return text.read(path)


def _attachments(options: LoadOptions, inside: Inside) -> Callable[[str, bytes], Iterator[Page]]:
    """What reads a mail's attachments; those that cannot be read are logged."""
    from ingest.loaders.archive import read_member

    def read(name: str, data: bytes) -> Iterator[Page]:
        try:
            inside.take(len(data))
            yield from read_member(name, data, lambda path: load(path, options, inside.deeper()))
        except LoadError as error:
            logger.warning("an attachment was not read: %s (%s)", name, error)

    return read


def _check_file(path: Path, options: LoadOptions) -> None:
    if not path.is_file():
        raise LoadError("not a regular file" if path.exists() else "the file is gone")
    size = path.stat().st_size
    if size == 0:
        raise Skip("empty")
    if size > options.max_bytes:
        raise Skip(f"too large: {size / MB:.0f} MB, the limit is {options.max_bytes / MB:.0f} MB")


def _within(pages: Iterable[Page], options: LoadOptions) -> Iterator[Page]:
    """The pages that are not blank, cleaned; `Skip` when there is none, or more than the limits allow."""
    count = chars = 0
    for page in pages:
        if not page.text.strip():
            continue
        count += 1
        chars += len(page.text)
        if chars > options.max_chars:
            raise Skip(f"too large: more than {options.max_chars} characters of text")
        if count > options.max_pages:
            raise Skip(f"too large: more than {options.max_pages} pages or records")
        yield _clean(page)
    if count == 0:
        raise Skip("empty")


def _clean(page: Page) -> Page:
    headings = tuple(Heading(h.offset, h.level, _safe(h.title)) for h in page.headings)
    label = page.label and " ".join(_safe(page.label).split())[:MOST_LABEL]
    return replace(page, text=_safe(page.text), headings=headings, title=_safe(page.title), label=label)


def _safe(text: str) -> str:
    return UNSAFE.sub(lambda m: "\ufffd" if "\ud800" <= m[0] <= "\udfff" else " ", text)
