"""The matrix of cosines as a picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Rag
from PIL import Image

from rag.errors import SpaceError
from rag.space.maps.heatmap import write_heatmap


def test_the_nearer_the_darker(tmp_path: Path) -> None:
    write_heatmap(["a", "猫"], [[1, 0.25], [0.25, 1]], tmp_path / "h.png", None)
    with Image.open(tmp_path / "h.png") as picture:
        # Corners of the four cells, where no number is written.
        cells = [sum(picture.getpixel((605 + 150 * j, 105 + 150 * i))) for i in (0, 1) for j in (0, 1)]
    assert cells[0] == cells[3] < cells[1] == cells[2]
    write_heatmap(["w" * 500] * 60, [[1.0] * 60] * 60, tmp_path / "h.png", None)
    with pytest.raises(SpaceError, match="61 texts are too many"):
        write_heatmap(["a"] * 61, [[1.0] * 61] * 61, tmp_path / "h.png", None)
    with pytest.raises(SpaceError, match="cannot be written"):
        write_heatmap(["a"], [[1.0]], tmp_path / "none" / "h.png", None)


def test_command(run_rag: Rag, tmp_path: Path) -> None:
    done = run_rag("similarity", "a cat", "a dog", "--embedder", "hashed", "--heatmap", tmp_path / "h.png")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "h.png").read_bytes().startswith(b"\x89PNG")
