"""Older and other office formats (DOC, PPT, RTF, ODT, ODP) through anydoc, as Markdown with headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ingest.loaders.markdown import headings
from rag.errors import LoadError, Skip
from rag.types import Page

_PICTURE = re.compile(r"!\[([^\]]*)\]\([^)]*\)")
_ANCHOR = re.compile(r'<a id="[^"]*"></a>\n*')


def read(path: Path) -> Iterator[Page]:
    """One page. A file with a password: `Skip("encrypted")`. Macros are not looked at, nothing is fetched."""
    import anydoc

    try:
        text = anydoc.to_markdown(path, ocr="reject")
    except anydoc.EncryptedError as error:
        raise Skip("encrypted") from error
    except anydoc.NeedsOcrError as error:
        raise Skip("no text layer") from error
    except anydoc.ResourceLimitError as error:
        raise Skip(f"too large: {error}") from error
    except anydoc.ConvertError as error:
        raise LoadError(f"not a readable {path.suffix[1:].lower()} file: {error}") from error
    text = _ANCHOR.sub("", _PICTURE.sub(lambda m: f"[{m[1]}]" if m[1] else "", text))
    text = re.sub(r"\\([\\`*_{}\[\]()#+.!|<>~-])", r"\1", text)
    yield Page(text, headings=headings(text))
