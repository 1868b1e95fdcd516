"""Archives (ZIP, TAR): every file inside by its own loader, labelled with its path inside."""

from __future__ import annotations

import bz2
import gzip
import logging
import lzma
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ingest.loaders.package import check_size
from rag.errors import LoadError, Skip
from rag.types import Page

if TYPE_CHECKING:
    from ingest.loaders import Inside

logger = logging.getLogger(__name__)

Load = Callable[[Path], Iterator[Page]]
PACKED: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, OSError, EOFError)


def read(path: Path, inside: Inside, load: Load) -> Iterator[Page]:
    """The pages of the files in an archive, in order of their names; what cannot be read is logged and left out.

    `inside` counts what is unpacked: its `Skip` ends the reading.
    """
    found, problems = 0, []
    for name, data in _files(path, inside):
        try:
            if isinstance(data, LoadError):
                raise data
            for page in read_member(name, data, load):
                yield replace(page, title="" if found else path.stem)  # no file's title is the archive's
                found += 1
        except LoadError as error:
            problems.append(f"{safe_name(name)} ({error})")
    if not found:
        raise Skip(f"nothing in it can be read: {'; '.join(problems[:3]) or 'it is empty'}")
    if problems:
        more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
        logger.warning("files inside that were not read: %s%s", "; ".join(problems[:5]), more)


def read_member(name: str, data: bytes, load: Load) -> Iterator[Page]:
    """The pages of a file inside another one. Its name is shown, and never used as a path."""
    from ingest.loaders import file_type

    suffix = PurePosixPath(name).suffix.lower()
    file_type(Path(f"inside{suffix}"))  # raises Skip for what needs no writing
    with tempfile.TemporaryDirectory(prefix="ragstone-") as folder:
        path = Path(folder) / f"inside{suffix if suffix[1:].isalnum() else ''}"
        path.write_bytes(data)
        for page in load(path):
            label = f"{safe_name(name)} · {page.label}" if page.label else safe_name(name)
            yield replace(page, label=label, title="")


def safe_name(name: str) -> str:
    """A name inside an archive as it is shown: no way out of it, no drive, no control characters."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return "/".join("".join(char if char.isprintable() else "?" for char in part) for part in parts)[:200] or "?"


def _files(path: Path, inside: Inside) -> Iterator[tuple[str, bytes | LoadError]]:
    if zipfile.is_zipfile(path):
        yield from _zipped(path, inside)
    elif tarfile.is_tarfile(path):
        yield from _tarred(path, inside)
    elif path.suffix.lower() in PACKED:
        yield path.stem, _unpacked(path, inside)
    else:
        raise LoadError("not a readable archive")


def _unpacked(path: Path, inside: Inside) -> bytes:
    """The one file that was packed without an archive around it (`report.csv.gz`)."""
    try:
        with PACKED[path.suffix.lower()](path) as file:
            data = bytes(file.read(max(0, inside.left[0]) + 1))
    except BROKEN as error:
        raise LoadError(f"not a readable archive: {error}") from error
    inside.take(len(data))
    return data


def _zipped(path: Path, inside: Inside) -> Iterator[tuple[str, bytes | LoadError]]:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        check_size(sum(entry.file_size for entry in entries), len(entries), path.stat().st_size)
        for entry in sorted(entries, key=lambda e: e.filename):
            if entry.is_dir() or _is_hidden(entry.filename):
                continue
            if entry.flag_bits & 1:
                raise Skip("encrypted")
            name = entry.filename
            if not entry.flag_bits & 0x800:  # not marked as UTF-8: often GBK, which zipfile reads as CP437
                name = _guessed(name)
            inside.take(entry.file_size)  # zipfile reads no more than that, whatever is packed
            try:
                yield name, archive.read(entry)
            except BROKEN as error:
                yield name, LoadError(f"broken: {error}")


def _guessed(name: str) -> str:
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        try:
            return name.encode("cp437").decode("gb18030")
        except UnicodeError:
            return name


def _tarred(path: Path, inside: Inside) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for entry in archive:
            inside.take(entry.size)  # before it is passed over: that unpacks it
            if entry.isfile() and not _is_hidden(entry.name) and (file := archive.extractfile(entry)):
                yield entry.name, file.read(entry.size)


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in safe_name(name).split("/"))
