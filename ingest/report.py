"""What became of each file, and how far an ingest is."""

from __future__ import annotations

from dataclasses import dataclass, field

Problem = dict[str, str]
"""``{"source": …, "reason": …}``."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an ingest is: files done of all, chunks in the index, seconds since it began.

    `share` in [0, 1] is how much of what there is to read was read and embedded, by its bytes.
    """

    done: int
    files: int
    chunks: int
    seconds: float
    share: float = 0.0


@dataclass(slots=True)
class IngestReport:
    """What became of every file: each is counted once. `chunks` were written, `seconds` were taken.

    `moved` are files that lie elsewhere than before, or are named by an outer folder now; nothing is read again.
    `gone` are the sources of other folders whose files are no longer there: they are still in the index.
    `cut` are tables with rows too long for one chunk: all of such a row is there, in several. `ocr_pages` are
    files with pages read by OCR: how many, and how sure it was.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    moved: int = 0
    skipped: list[Problem] = field(default_factory=list)
    failed: list[Problem] = field(default_factory=list)
    cut: list[Problem] = field(default_factory=list)
    ocr_pages: list[Problem] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    chunks: int = 0
    seconds: float = 0.0


class Stopped(KeyboardInterrupt):
    """An ingest was interrupted: `report` says what is in the index, the rest is read by the next one."""

    def __init__(self, report: IngestReport) -> None:
        super().__init__()
        self.report = report
