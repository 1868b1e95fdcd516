"""discover → load → chunk → embed → commit; and the report of what became of every file."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePath

from ingest.chunk import chunker_for
from ingest.discover import File, Found, discover
from ingest.indexer import Indexer, manifest_for
from ingest.loaders import LoadOptions, file_type
from ingest.reader_pool import Loaders
from ingest.report import IngestReport, Progress, Stopped
from ingest.title import in_words, with_title
from rag.config import Settings
from rag.embedders import Embedder, EmbedsPictures
from rag.errors import LoadError, Skip
from rag.stores import CanDump, Store
from rag.types import Chunk, Document, Manifest, Page

_MOST_CARRIED = 20_000  # chunks of a document that are held to be renamed; a longer one is read again
_BEAT = 0.2  # seconds between two words on how far it is


def ingest(
    store: Store,
    embedder: Embedder,
    paths: Sequence[Path],
    settings: Settings,
    *,
    csv_text: Sequence[str] = (),
    allow_empty: bool = True,
    prune: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> IngestReport:
    """Bring `store` in step with `paths` (folders and files).

    A file is read again only if its content changed. Files gone from an ingested folder leave the
    index; files of other folders stay. A file that now holds nothing leaves it too; one that cannot
    be read keeps its last good version. A file that was moved is not read again. Sources of other folders whose
    files are gone are reported, and removed with `prune`. Without `allow_empty`, a folder in which nothing is left
    (a disk that was taken away) changes nothing.

    Raises LoadError for a missing path, IndexLocked, EmbedderMismatch.
    """
    chunker = chunker_for(embedder, with_index_chunk_size(settings, store.manifest()))
    found = [discover(path) for path in paths]
    with store.write(manifest_for(embedder, chunker)) as writer:
        run = _Run(
            store,
            store.documents(),
            Indexer(writer, embedder, chunker),
            replace(load_options(settings, csv_text), pictures=isinstance(embedder, EmbedsPictures)),
            progress,
        )
        # The outermost first: it gives the names, in whatever order they are given.
        for path, folder in sorted(zip(paths, found, strict=True), key=_depth):
            if folder.files or allow_empty:
                run.folder(folder, folder.root if path.is_dir() else folder.files[0].path)
        run.look_for_gone(prune)
        return run.work()


def _depth(given: tuple[Path, Found]) -> tuple[int, bool]:
    path, found = given
    return len(found.root.parts), not path.is_dir()


def with_index_chunk_size(settings: Settings, made: Manifest | None) -> Settings:
    """The settings with the index's own chunk size, where they ask for none."""
    size = made.chunker.get("size", 0) if made else 0
    return settings if settings.chunk_tokens or not size else replace(settings, chunk_tokens=int(size))


def load_options(settings: Settings, csv_text: Sequence[str]) -> LoadOptions:
    """How files are read: the columns of tables, OCR, and the limits of size and time."""
    return LoadOptions(
        csv_text=tuple(csv_text),
        max_bytes=settings.file_bytes,
        max_seconds=settings.file_seconds,
        ocr=settings.ocr,
    )


def describe(source: str, path: Path, options: LoadOptions) -> Document:
    """What the index records of a file before it is read; equal `path` and `sha256`: it need not be read again.

    Raises LoadError where the file cannot be read, Skip where it is of no known type or too large.
    """
    kind = file_type(path)
    try:
        stat = path.stat()
        if stat.st_size > options.max_bytes:
            raise Skip(f"too large: {stat.st_size:,} bytes, and the most is {options.max_bytes:,}")
        digest = content_hash(path, kind, options.csv_text)
    except OSError as exc:
        raise LoadError(f"cannot be read: {exc.strerror}") from exc
    return Document(source, str(path), digest, stat.st_size, stat.st_mtime_ns, kind)


def content_hash(path: Path, kind: str, csv_text: Sequence[str]) -> str:
    """The sha256 of a file's content, and of the columns chosen from it where it is a table."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    if kind == "csv" and csv_text:
        digest.update("\0".join(("", *csv_text)).encode())
    return digest.hexdigest()


def is_gone(path: str) -> bool:
    """Whether no file is at `path`, an absolute one; what cannot be looked at is not gone."""
    try:
        return Path(path).is_absolute() and not Path(path).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


@dataclass
class _Run:
    """One ingest: what was there, what is to be read, what became of it."""

    store: Store
    known: Mapping[str, Document]
    indexer: Indexer
    options: LoadOptions
    progress: Callable[[Progress], None] | None
    report: IngestReport = field(default_factory=IngestReport)
    began: float = field(default_factory=time.perf_counter)
    names: dict[str, str] = field(default_factory=dict)  # path → source, of the files found
    sources_in_use: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)  # sources that were known, and were removed or renamed
    queue: list[Document] = field(default_factory=list)
    done: int = 0  # files that needed no reading, or gave nothing
    to_read: int = 0  # bytes
    read: int = 0
    shown_at: float = 0.0

    def folder(self, found: Found, root: Path) -> None:
        """Sort what is under `root` into unchanged files and ones to read; forget those that are gone."""
        by_path = {document.path: source for source, document in self.known.items()}
        for file in found.files:
            path = str(file.path)
            if path in self.names:
                continue
            old = by_path.get(path)
            source = old if old and not self._is_inner(old, root, file) else self._name(root, file)
            self.names[path] = source
            self.sources_in_use.add(source)
            self._consider(source, file.path, old)
        for problem in found.problems:
            rows = self.report.failed if problem.failed else self.report.skipped
            rows.append({"source": f"{root.name}/{problem.source}".rstrip("/"), "reason": problem.reason})
        unseen = [found.root / problem.source for problem in found.problems if problem.failed]
        self.report.removed += self._remove(self._missing(root, unseen))

    def look_for_gone(self, prune: bool) -> None:
        """Report the sources of other folders whose files are gone; with `prune`, remove them."""
        gone = [
            source
            for source, document in self.known.items()
            if source not in self.left and document.path not in self.names and is_gone(document.path)
        ]
        if prune:
            self.report.removed += self._remove(gone)
        else:
            self.report.gone = gone

    def _remove(self, sources: Sequence[str]) -> int:
        self.left.update(sources)
        return self.indexer.writer.remove(sources)

    def _missing(self, root: Path, unseen: Sequence[Path]) -> list[str]:
        """The sources under `root` that were not found, those in folders that could not be read aside."""
        missing = [
            source
            for source, document in self.known.items()
            if document.path not in self.names and source not in self.left
        ]
        paths = {source: Path(self.known[source].path) for source in missing}
        return [
            source
            for source, path in paths.items()
            if path.is_relative_to(root) and not any(path.is_relative_to(folder) for folder in unseen)
        ]

    def _name(self, root: Path, file: File) -> str:
        """A new file's source: its folder's name and the path below it; longer where that is taken."""
        for base in (root.parent, *root.parent.parents):
            source = file.path.relative_to(base).as_posix()
            holder = self.known.get(source)
            if source not in self.sources_in_use and (holder is None or not Path(holder.path).exists()):
                return source
        return file.path.as_posix()

    def _is_inner(self, old: str, root: Path, file: File) -> bool:
        """Whether `old` names a file as a folder inside `root` did: names are those of the outermost folder."""
        return f"/{file.path.relative_to(root.parent).as_posix()}".endswith(f"/{old}") and old != (
            file.path.relative_to(root.parent).as_posix()
        )

    def _consider(self, source: str, path: Path, before: str | None) -> None:
        """Queue a file to be read, unless it is as it was or of no use; `before` is its name so far."""
        try:
            document = describe(source, path, self.options)
        except LoadError as exc:
            self._report_problem(source, exc)
        else:
            old = self.known.get(source)
            if old is not None and (old.sha256, old.path) == (document.sha256, document.path):
                self.report.unchanged += 1
                self.done += 1
            elif self._take_over(document, before):
                self.report.moved += 1
                self.done += 1
            else:
                self.queue.append(document)

    def _take_over(self, document: Document, before: str | None) -> bool:
        """Give `document` the chunks of the same file under another name or path; whether there is one."""
        name = before or self._moved_from(document)
        old = self.known.get(name or "")
        if name is None or old is None or name in self.left:
            return False
        if old.sha256 != document.sha256 or old.chunks > _MOST_CARRIED or not isinstance(self.store, CanDump):
            if before and before != document.source:
                self._remove([before])
            return False
        _, chunks, vectors = self.store.rows(name)
        if not before and not _keep_their_title(chunks, old, document):
            return False
        self._remove([name])
        renamed = [replace(chunk, source=document.source) for chunk in chunks]
        self.indexer.writer.put(replace(document, chunks=old.chunks), renamed, vectors)
        return True

    def _moved_from(self, document: Document) -> str | None:
        """The source of the same content whose file is gone: one of this name, else of another."""
        found = [source for source in self._gone.get(document.sha256, ()) if source not in self.left]
        name = Path(document.path).name
        return min(found, key=lambda source: Path(self.known[source].path).name != name, default=None)

    @cached_property
    def _gone(self) -> dict[str, list[str]]:
        """The sources whose files are gone, by content."""
        gone: dict[str, list[str]] = {}
        for source, document in self.known.items():
            if is_gone(document.path):
                gone.setdefault(document.sha256, []).append(source)
        return gone

    def work(self) -> IngestReport:
        """Read, chunk, embed and commit what is queued. Raises Stopped where it is interrupted."""
        self.to_read = sum(document.size for document in self.queue)
        self._show_progress()
        try:
            self._read()
        except KeyboardInterrupt as exc:
            raise Stopped(self._reported()) from exc
        return self._reported()

    def _read(self) -> None:
        with Loaders(self.options) as loaders:
            results = loaders.load_all([Path(document.path) for document in self.queue])
            for document, (_, pages) in zip(self.queue, results, strict=True):
                before = self.read
                try:
                    self.indexer.add(document, with_title(document.source, self._watched(document, pages)))
                except LoadError as exc:
                    self._report_problem(document.source, exc)
                self.read = before + document.size
                self._show_progress()
        self.indexer.flush()
        self._show_progress()

    def _watched(self, document: Document, pages: Iterable[Page]) -> Iterator[Page]:
        """`pages`, while they are counted: a long file moves the bar too."""
        most = self.read + document.size
        sure: list[float] = []
        for page in pages:
            yield page
            if page.ocr:
                sure.append(page.ocr)
            self.read = min(self.read + len(page.text), most)
            if time.perf_counter() - self.shown_at > _BEAT:
                self._show_progress()
        if sure:
            reason = (
                f"{len(sure)} page{'s' if len(sure) > 1 else ''} read by OCR, {sum(sure) / len(sure):.0%} sure"
            )
            self.report.ocr_pages.append({"source": document.source, "reason": reason})

    def _reported(self) -> IngestReport:
        new = [document for document in self.indexer.committed if document.source not in self.known]
        self.report.added, self.report.updated = len(new), len(self.indexer.committed) - len(new)
        self.report.chunks = sum(document.chunks for document in self.indexer.committed)
        self.report.cut = self.indexer.cut
        self.report.seconds = time.perf_counter() - self.began
        return self.report

    def _report_problem(self, source: str, problem: LoadError) -> None:
        """Report a file that gives no pages; one that now holds nothing leaves the index."""
        problems = self.report.skipped if isinstance(problem, Skip) else self.report.failed
        problems.append({"source": source, "reason": str(problem)})
        if isinstance(problem, Skip) and source in self.known:
            self.indexer.writer.remove([source])
        self.done += 1

    def _show_progress(self) -> None:
        self.shown_at = time.perf_counter()
        if self.progress:
            done = self.done + len(self.indexer.committed)
            share = self.read / self.to_read if self.to_read else 1.0
            self.progress(Progress(done, len(self.names), self.indexer.chunks, self.shown_at - self.began, share))


def _keep_their_title(chunks: Sequence[Chunk], old: Document, new: Document) -> bool:
    """Would its chunks be the same under its new name? What has no title of its own is called by that."""
    before, after = PurePath(old.path), PurePath(new.path)
    named = in_words(before.name)
    called = any(named in title.split(" · ") for chunk in chunks for title in chunk.heading[:1])
    return before.name == after.name or (before.suffix == after.suffix and not called)
