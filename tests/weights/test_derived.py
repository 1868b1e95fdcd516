"""Files computed from weights are whole or made again, and lie where there is room for them."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from rag.errors import ModelError
from rag.weights import derived as module
from rag.weights.derived import derived, verify_derived

WHOLE = random.Random(1).randbytes(10_000)


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAG_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def whole(path: Path) -> None:
    path.write_bytes(WHOLE)


def never(path: Path) -> None:
    raise AssertionError("made again")


def test_made_once(folders: Path) -> None:
    path = derived("thing", whole)
    assert path == folders / "models" / "derived" / "thing"
    assert derived("thing", never) == path
    assert verify_derived() == []


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_file_is_made_again(seed: int) -> None:
    path = derived("thing", whole)
    before = path.stat()
    noise = random.Random(seed)
    bad = bytearray(WHOLE)
    for _ in range(20):
        bad[noise.randrange(len(bad))] ^= 1 << noise.randrange(8)
    path.write_bytes(bad)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert len(verify_derived()) == 1
    assert derived("thing", whole).read_bytes() == WHOLE
    assert verify_derived() == []


def test_a_file_without_its_sum_is_made_again() -> None:
    path = derived("thing", whole)
    path.write_bytes(b"cut")
    path.with_name("thing.sha256").unlink()
    assert derived("thing", whole).read_bytes() == WHOLE


def test_a_copied_file_is_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    path = derived("thing", whole)
    os.utime(path)  # as a copy of the folder would have it
    assert derived("thing", never) == path
    monkeypatch.setattr(module, "sha256_of", never)
    assert derived("thing", never) == path


def test_a_folder_that_cannot_be_written_to(folders: Path) -> None:
    (folders / "models").mkdir()
    (folders / "models" / "derived").write_bytes(b"no folder")
    path = derived("thing", whole)
    assert path == folders / "cache" / "ragstone" / "models" / "derived" / "thing"
    assert derived("thing", never) == path


def test_a_full_disk_leaves_nothing(folders: Path) -> None:
    def fails(path: Path) -> None:
        path.write_text("half", encoding="utf-8")
        raise OSError(28, "No space left on device")

    with pytest.raises(ModelError, match=r"No space left on device.*free some"):
        derived("thing", fails)
    assert list((folders / "models" / "derived").iterdir()) == []
    assert derived("thing", whole).read_bytes() == WHOLE


def test_no_folder_that_can_be_written_to(folders: Path) -> None:
    for place in (folders / "models", folders / "cache"):
        place.write_bytes(b"no folder")
    with pytest.raises(ModelError, match=r"thing cannot be kept in .*: name a folder") as error:
        derived("thing", whole)
    assert "space" not in str(error.value)
