"""A disk that fills up at any moment of an ingest: one line, nothing is lost, and the next ingest completes it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, environment

from ingest.discover import discover

SIZES = int(os.environ.get("RAG_FULL_DISKS", "1"))  # `make check-hard` has 50
UNSHARE = shutil.which("unshare")

# In a mount namespace of its own: an ingest on a small disk, then, on the same disk made larger, another one.
PROGRAM = """
import subprocess, sys
folder, docs, size = sys.argv[1:]
mount = lambda *options: subprocess.run(["mount", *options, "tmpfs", folder], check=True)
rag = lambda *arguments: subprocess.run(
    [sys.executable, "-m", "rag", *arguments, "--index", f"faiss:{folder}/index"], capture_output=True, text=True)
mount("-t", "tmpfs", "-o", f"size={size}k")
first = rag("ingest", docs, "--embedder", "hashed")
found = rag("search", "warranty of the Tern 2")
checked = rag("check")
mount("-o", "remount,size=100m")
again = rag("ingest", docs, "--embedder", "hashed")
whole = rag("check")
sources = rag("sources")
print(repr([(each.returncode, each.stdout, each.stderr)
            for each in (first, found, checked, again, whole, sources)]))
"""


def can_mount() -> bool:
    if sys.platform != "linux" or not UNSHARE:
        return False
    done = subprocess.run(
        [UNSHARE, "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
    )
    return done.returncode == 0


pytestmark = pytest.mark.skipif(not can_mount(), reason="needs a mount namespace")


@pytest.mark.parametrize("size", [40 + (2 * n + 1) * 350 // SIZES for n in range(SIZES)])
def test_an_ingest_on_a_full_disk(tmp_path: Path, size: int) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = [str(UNSHARE), "-rm", sys.executable, "-c", PROGRAM]
    done = subprocess.run(
        [*command, str(disk), str(ROOT / "data" / "docs"), str(size)],
        env=environment(), capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    first, found, checked, again, whole, sources = eval(done.stdout)
    assert first[0] in (0, 1), first
    if first[0]:
        lines = first[2].splitlines()
        assert [line for line in lines if line.startswith("error: ")] == lines[-1:], first
        assert "Traceback" not in first[2]
        assert "no space left" in lines[-1].lower(), first
    for each in (found, checked):  # there may be nothing yet, or no room for what a reader needs
        assert each[0] == 0 or each[2].startswith("error: "), each
        assert "damaged" not in each[2], each
    assert again[0] == 0, again
    assert (whole[0], whole[2]) == (0, "")
    assert len(sources[1].splitlines()) == len(discover(ROOT / "data" / "docs").files)
