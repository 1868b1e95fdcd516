"""Every error that ragstone raises on purpose; the command line catches `RagError` alone.

RagError
├── ConfigError          a setting that cannot be used
├── MissingExtra         a package that an optional part needs is not installed
├── ModelError           weights that cannot be had, or are not what they should be
│   └── HashMismatch     a file whose sha256 is not the catalogue's
├── EmbedderError        an embedding engine failed
├── StoreError           an index that cannot be used
│   ├── IndexMissing     nothing has been ingested there yet
│   ├── IndexLocked      another process is writing to it
│   ├── IndexVersion     made by another version of ragstone
│   ├── IndexDamaged     what is read is not what was written
│   └── EmbedderMismatch the index was made with another embedder
├── LoadError            a file that cannot be read; ingest reports it and goes on
│   └── Skip             a file that holds nothing to read, with the reason
├── LLMError             a language model failed
├── SpaceError           too little, or nothing of the kind, to lay out, sort or compare
└── QuestionError        a question that cannot be asked (empty, too long)

A message says what was wrong, which value, and what to do next, in one sentence.
"""

from __future__ import annotations

from collections.abc import Sequence


def one_line(error: object, most: int = 300) -> str:
    """What an exception, or a server, says: on one line and at most so many characters."""
    return " ".join(str(error).split())[:most] or type(error).__name__


class RagError(Exception):
    """Anything that ragstone reports to its user in one line."""


class ConfigError(RagError):
    """A setting that cannot be used."""


class MissingExtra(RagError):
    """A package that an optional part needs is not installed."""

    def __init__(self, part: str, package: str, extra: str = "", beside: str = "") -> None:
        wanted = f"'ragstone[{extra}]'" if extra else package
        super().__init__(f"{part} needs the package {package}: pip install {wanted}{beside}")


class ModelError(RagError):
    """Weights that cannot be had, or are not what they should be."""


class HashMismatch(ModelError):
    """A file whose sha256 is not the catalogue's."""

    def __init__(self, file: str, expected: str, got: str) -> None:
        super().__init__(
            f"{file} is not the catalogue's file: expected sha256 {expected}, got {got}; "
            "delete it and run `rag models pull` again"
        )


class EmbedderError(RagError):
    """An embedding engine failed; `texts` are those that it refused, as far as they are known."""

    texts: Sequence[str] = ()


class StoreError(RagError):
    """An index that cannot be used."""


class IndexMissing(StoreError):
    """Nothing has been ingested there yet."""

    def __init__(self, url: str) -> None:
        super().__init__(f"there is no index at {url}: run `rag ingest FOLDER --index {url}` first")


class IndexLocked(StoreError):
    """Another process is writing to the index."""


class IndexVersion(StoreError):
    """The index was made by another version of ragstone."""


class IndexDamaged(StoreError):
    """What is read from the index is not what was written."""

    def __init__(self, place: str, what: str) -> None:
        what = " ".join(what.split())[:120]
        super().__init__(
            f"the index at {place} is damaged ({what}): run `rag check --repair --index faiss:{place}`"
        )


class EmbedderMismatch(StoreError):
    """The index was made with another embedder."""


class LoadError(RagError):
    """A file that cannot be read."""


class Skip(LoadError):
    """A file that holds nothing to read; the message is the reason ("empty", "encrypted")."""


class LLMError(RagError):
    """A language model failed."""


class SpaceError(RagError):
    """Too little, or nothing of the kind, to lay out, sort or compare."""


class QuestionError(RagError):
    """A question that cannot be asked."""
