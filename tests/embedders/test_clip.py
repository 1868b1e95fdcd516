"""Pictures and texts in one space, by a tiny CLIP that is made, and taught four colours, here."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.tinyclip import CHINESE, COLOURS, picture, tiny_clip
from PIL import Image

from rag.embedders import EmbedsPictures, load_embedder
from rag.embedders.clip import ClipEmbedder
from rag.errors import EmbedderError, ModelError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def clip(folder: Path) -> ClipEmbedder:
    embedder = load_embedder(f"clip:{folder}")
    assert isinstance(embedder, ClipEmbedder)
    return embedder


@pytest.fixture
def pictures(tmp_path: Path) -> Iterator[list[Path]]:
    """A picture of each colour, whose names do not say which."""
    draw = np.random.default_rng(7)
    paths = [tmp_path / f"{i}.png" for i in range(len(COLOURS))]
    for path, colour in zip(paths, COLOURS.values(), strict=True):
        picture(colour, draw).save(path)
    yield paths


def test_a_text_finds_its_picture_and_a_picture_its_text(clip: ClipEmbedder, pictures: list[Path]) -> None:
    seen = clip.embed_pictures(pictures)
    assert isinstance(clip, EmbedsPictures)
    assert seen.shape == (4, clip.dim) and seen.dtype == np.float32
    assert np.linalg.norm(seen, axis=1) == pytest.approx(np.ones(4), abs=1e-4)
    for names in (list(COLOURS), list(CHINESE.values())):
        cosines = clip.embed_queries(names) @ seen.T
        assert cosines.argmax(axis=1).tolist() == cosines.argmax(axis=0).tolist() == [0, 1, 2, 3]


def test_vectors_are_those_of_the_model_itself(clip: ClipEmbedder, folder: Path, pictures: list[Path]) -> None:
    from transformers import CLIPModel, CLIPProcessor

    given = CLIPProcessor.from_pretrained(folder)(images=[Image.open(p) for p in pictures], return_tensors="pt")
    with torch.no_grad():
        found = CLIPModel.from_pretrained(folder).get_image_features(**given).pooler_output
    expected = torch.nn.functional.normalize(found).numpy()
    assert clip.embed_pictures(pictures) == pytest.approx(expected, abs=1e-5)


def test_texts_keep_the_contract(clip: ClipEmbedder) -> None:
    assert clip.max_tokens == 77
    assert clip.count_tokens(["red", "", "红"]) == [5, 2, 5]
    long = clip.embed_documents(["red " * 500, "", "\ud83d"])
    assert np.isfinite(long).all() and long.shape == (3, clip.dim)
    assert clip.embed_documents([]).shape == (0, clip.dim)
    assert clip.embed_pictures([]).shape == (0, clip.dim)


def test_the_layout_of_older_models_and_two_models_beside_each_other(folder: Path, tmp_path: Path) -> None:
    older = tmp_path / "older"
    (older / "0_CLIPModel").mkdir(parents=True)
    for file in folder.iterdir():
        os.link(file, older / "0_CLIPModel" / file.name)
    kind = "sentence_transformers.models.CLIPModel"
    module = {"idx": 0, "name": "0", "path": "0_CLIPModel", "type": kind}
    (older / "modules.json").write_text(json.dumps([module]))
    one, two = ClipEmbedder.load(str(folder)), ClipEmbedder.load(f"{folder}+{older}")
    assert two.embed_queries(["red"]) == pytest.approx(one.embed_queries(["red"]), abs=1e-6)
    assert two.weights != one.weights


def test_a_model_without_pictures_and_files_that_are_none(
    clip: ClipEmbedder, tmp_path: Path, folder: Path
) -> None:
    with pytest.raises(ModelError, match="knows no pictures: name a CLIP model"):
        ClipEmbedder("words", clip._texts, _Blind())  # type: ignore[arg-type]
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    with pytest.raises(EmbedderError, match=r"cut\.png cannot be embedded: not a readable picture"):
        clip.embed_pictures([tmp_path / "cut.png"])
    (tmp_path / "huge.png").write_bytes(empty_png(50_000, 50_000))
    with pytest.raises(EmbedderError, match="too large: more than 60 million pixels"):
        clip.embed_pictures([tmp_path / "huge.png"])
    (tmp_path / "a.eps").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    with pytest.raises(EmbedderError, match="not a readable picture"):
        clip.embed_pictures([tmp_path / "a.eps"])


def empty_png(width: int, height: int) -> bytes:
    """A picture that says how large it is, and ends there."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(len(part) - 4, part, zlib.crc32(part)) for part in (head, b"IDAT")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", n) + part + struct.pack(">I", c) for n, part, c in parts
    )


class _Blind:
    modalities = ("text",)
