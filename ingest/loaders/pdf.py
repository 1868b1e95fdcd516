"""PDF: page by page through pypdf, as a viewer counts them."""

from __future__ import annotations

import io
import logging
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pypdf
from pypdf.errors import DependencyError, FileNotDecryptedError

from rag.errors import LoadError, Skip
from rag.types import Page

logger = logging.getLogger(__name__)

# pypdf warns about every oddity of every font; what matters is said by this module.
logging.getLogger("pypdf").addHandler(logging.NullHandler())
logging.getLogger("pypdf").propagate = False

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
WRAP = re.compile(f"(?<=[{HAN}，、；：,“（《])\n(?=[{HAN}，。、；：？！”）》])")
LIGATURE = re.compile("[\ufb00-\ufb06\u2e80-\u2fd5]")
FULL = 0.8
"""A line at least this part of the page's usual longest line was wrapped, not ended."""


def read(path: Path) -> Iterator[Page]:
    """The pages that have text, numbered from 1; those without are left out.

    A file that opens only with a password: `Skip("encrypted")`; no text anywhere (a scan):
    `Skip("no text layer")`. A page that cannot be read is logged as a warning and the others are kept,
    unless it is every page with text: then `LoadError`.
    """
    reader = _open(path)
    count, found, broken = len(reader.pages), 0, []
    for number in range(1, count + 1):
        try:
            text = tidy(reader.pages[number - 1].extract_text())
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a broken page can raise anything
            broken.append(number)
            logger.debug("page %d of %s: %s", number, path.name, error)
            continue
        if text:
            found += 1
            yield Page(text, number)
    if broken and not found:
        raise LoadError(f"no page can be read: {len(broken)} of {count} are broken")
    if not found:
        raise Skip("no text layer")
    if broken:
        logger.warning("pages that cannot be read: %s", ", ".join(map(str, broken)))


def _open(path: Path) -> pypdf.PdfReader:
    reader = pypdf.PdfReader(io.BytesIO(path.read_bytes()))
    try:
        if reader.is_encrypted and not reader.decrypt(""):
            raise Skip("encrypted")
        len(reader.pages)
    except (DependencyError, FileNotDecryptedError, NotImplementedError) as error:
        raise Skip("encrypted") from error
    return reader


def tidy(text: str) -> str:
    """Text of a page: ligatures and radicals as letters, wrapped Chinese lines joined, trailing blanks gone.

    Offsets of chunks and citations count in what this returns.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " ")
    text = re.sub("\xad\n?", "", text)
    text = LIGATURE.sub(lambda m: unicodedata.normalize("NFKC", m[0]), text)
    text = re.sub(r"[ \t]+\n", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", _join(text)).strip()


def _join(text: str) -> str:
    """Without the newlines between two Han characters that the width of the page has made."""
    if not WRAP.search(text):
        return text
    widths = sorted(_width(line) for line in text.split("\n") if line)
    full = FULL * widths[len(widths) * 9 // 10]

    def joined(match: re.Match[str]) -> str:
        line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        return "" if _width(line) >= full else "\n"

    return WRAP.sub(joined, text)


def _width(line: str) -> int:
    """Columns of a line: a Han character takes two."""
    return len(line) + sum(char > "\u2e80" for char in line)
