"""Zip packages (Office, EPUB, OpenDocument): opened within limits, their parts read and their XML parsed safely.

Nothing is unpacked to disk, no entity or external address is followed, no macro is looked at.
"""

from __future__ import annotations

import posixpath
import zipfile
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from lxml import etree

from rag.errors import LoadError, Skip

OLE = b"\xd0\xcf\x11\xe0"
LARGEST, RATIO, ENTRIES = 200 << 20, 100, 20_000
"""A zip bomb: more bytes unpacked, more times the packed size (above 10 MB), more entries than these."""

# Strict Open XML has other names for what the usual form says.
_STRICT = (
    (b"http://purl.oclc.org/ooxml/officeDocument/relationships",
     b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"),
    (b"http://purl.oclc.org/ooxml/officeDocument/math", b"http://schemas.openxmlformats.org/officeDocument/2006/math"),
    (b"http://purl.oclc.org/ooxml/wordprocessingml/main",
     b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"),
    (b"http://purl.oclc.org/ooxml/drawingml/", b"http://schemas.openxmlformats.org/drawingml/2006/"),
    (b"http://purl.oclc.org/ooxml/presentationml/main", b"http://schemas.openxmlformats.org/presentationml/2006/main"),
)  # fmt: skip
_XML = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}


def parse_xml(data: bytes) -> Any:
    """The root element; raises an error of lxml for what is no XML."""
    for strict, usual in _STRICT:
        data = data.replace(strict, usual)
    return etree.fromstring(data, etree.XMLParser(**_XML))


class Package:
    """An open zip file. Raises `Skip` (encrypted, too large) and `LoadError` (no such package)."""

    def __init__(self, path: Path, kind: str, old: str = "") -> None:
        """`kind` is the format's name in errors, `old` what an OLE file of that name is ("an old .doc file")."""
        _refuse_ole(path, old or f"not a readable {kind} file")
        try:
            self._archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise LoadError(f"not a readable {kind} file: {error}") from error
        entries = self._archive.infolist()
        check_size(sum(entry.file_size for entry in entries), len(entries), path.stat().st_size)
        self._kind = kind
        self.names = {entry.filename for entry in entries}

    def close(self) -> None:
        self._archive.close()

    def read(self, name: str) -> bytes:
        """A part's bytes. Raises `LoadError` where it is not there, `Skip("encrypted")`."""
        try:
            return self._archive.read(name)
        except KeyError as error:
            raise LoadError(f"not a readable {self._kind} file: it has no {name}") from error
        except RuntimeError as error:  # zipfile's word for a password
            raise Skip("encrypted") from error

    def xml(self, name: str) -> Any:
        """A part's root element."""
        return parse_xml(self.read(name))

    def optional(self, name: str) -> Any | None:
        """A part's root element, None where there is none."""
        return self.xml(name) if name in self.names else None

    def relations(self, part: str) -> dict[str, tuple[str, str]]:
        """By id the (last word of the type, target) of what `part` refers to; external addresses as they are."""
        folder, name = posixpath.split(part)
        root = self.optional(posixpath.join(folder, "_rels", f"{name}.rels"))
        found = {}
        for each in root if root is not None else ():
            target, kind = each.get("Target") or "", (each.get("Type") or "").rsplit("/", 1)[-1]
            if each.get("TargetMode") != "External":
                target = unquote(posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/"))
            found[each.get("Id") or ""] = (kind, target)
        return found

    @cached_property
    def main(self) -> str:
        """The part that the package is about."""
        for kind, target in self.relations("").values():
            if kind == "officeDocument" and target in self.names:
                return target
        raise LoadError(f"not a readable {self._kind} file: it names no main part")

    @cached_property
    def title(self) -> str:
        """The title among the document's properties."""
        root = self.optional("docProps/core.xml")
        found = root.find("{http://purl.org/dc/elements/1.1/}title") if root is not None else None
        return " ".join((found.text or "").split()) if found is not None else ""


def check_size(unpacked: int, entries: int, packed: int) -> None:
    """Raises `Skip` for what would unpack to too much."""
    ratio = unpacked / max(1, packed)
    if entries > ENTRIES:
        raise Skip(f"too large: {entries:,} members, and the most is {ENTRIES:,}")
    if unpacked > LARGEST or (ratio > RATIO and unpacked > 10 << 20):
        raise Skip(f"too large: unpacks to {unpacked >> 20} MB, {ratio:.0f} times its size")


def _refuse_ole(path: Path, old: str) -> None:
    with path.open("rb") as file:
        if file.read(len(OLE)) == OLE:
            encrypted = "EncryptedPackage".encode("utf-16-le") in file.read()
            raise Skip("encrypted") if encrypted else LoadError(old)
