"""Word vectors in every format, as tables and as an embedder; and files that are cut or of another kind."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from contracts.embedder import CAT, CATS, TAX, EmbedderContract

from rag.embedders import Embedder, load_embedder
from rag.embedders.words import WordVectors, load_word_vectors
from rag.embedders.words.fasttext import _hash
from rag.errors import ModelError

WORDS = ["the", "cat", "猫", "沙发"]
ROWS = np.array([[1, 0, 0.5], [0, 1, 0], [0, 0.9, 0.1], [-1, 0.25, 2]], np.float32)


@pytest.fixture(autouse=True)
def kept(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is computed from the files is kept in a folder of the test's."""
    monkeypatch.setenv("RAG_MODELS_DIR", str(tmp_path_factory.mktemp("models")))


def lines(words: Sequence[str], rows: np.ndarray) -> str:
    return "".join(f"{word} {' '.join(map(str, row.tolist()))}\n" for word, row in zip(words, rows, strict=True))


def binary(end: bytes = b"") -> bytes:
    records = (
        word.encode() + b" " + row.astype("<f4").tobytes() + end for word, row in zip(WORDS, ROWS, strict=True)
    )
    return b"4 3\n" + b"".join(records)


FORMATS = {
    "glove.txt": lines(WORDS, ROWS).encode(),
    "word2vec.txt": f"4 3\n{lines(WORDS, ROWS)}".encode(),
    "fasttext.vec": f"4 3 \n{lines(WORDS, ROWS).replace(chr(10), ' ' + chr(10))}".encode(),
    "word2vec.bin": binary(),
    "word2vec-lines.bin": binary(b"\n"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(FORMATS[name])
    for _ in range(2):  # the second time from what was kept
        vectors = load_word_vectors(str(tmp_path / name))
        assert list(vectors.words) == WORDS
        assert np.array_equal(vectors.matrix, ROWS)
        assert isinstance(vectors.matrix, np.memmap)
    assert vectors.vector("Cat") is not None
    assert vectors.vector("dog") is None
    assert [word for word, _ in vectors.nearest(ROWS[1], 2, ["cat"])] == ["猫", "沙发"]


def fasttext(bucket: int = 50, least: int = 2, most: int = 3, version: int = 12) -> bytes:
    """A model of fastText: words, then `bucket` rows of pieces."""
    head = struct.pack("<2i", 793712314, version)
    head += struct.pack("<12i", 3, 5, 5, 1, 5, 1, 2, 2, bucket, least, most, 100) + struct.pack("<d", 1e-4)
    head += struct.pack("<3i2q", len(WORDS), len(WORDS), 0, 99, -1)
    head += b"".join(word.encode() + b"\0" + struct.pack("<qb", 9, 0) for word in WORDS)
    table = np.vstack([ROWS, np.arange(3 * bucket).reshape(bucket, 3) / 100]).astype("<f4")
    return head + struct.pack("<?2q", False, len(table), 3) + table.tobytes()


def test_fasttext_with_pieces(tmp_path: Path) -> None:
    (tmp_path / "m.bin").write_bytes(fasttext())
    vectors = load_word_vectors(str(tmp_path / "m.bin"))
    table = np.arange(150).reshape(50, 3) / 100
    # The pieces of "<猫>" of two to three characters: "<猫", "<猫>", "猫>".
    pieces = [table[_hash(piece) % 50] for piece in ("<猫", "<猫>", "猫>")]
    assert vectors.vector("猫") == pytest.approx(np.mean([ROWS[2], *pieces], axis=0), abs=1e-6)
    unknown = [table[_hash(piece) % 50] for piece in ("<x", "<xy", "xy", "xy>", "y>")]
    assert vectors.vector("xy") == pytest.approx(np.mean(unknown, axis=0), abs=1e-6)
    # Of FNV's own test vectors; bytes above 127 are taken as negative, as fastText does.
    assert _hash("a") == 0xE40C292C
    assert _hash("foobar") == 0xBF9CF968


@pytest.fixture
def model2vec(tmp_path: Path) -> Path:
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(["[UNK]", *WORDS])}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    folder = tmp_path / "static"
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file({"embeddings": np.vstack([np.zeros(3), ROWS]).astype(np.float32)}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"normalize": True}))
    return folder


def test_model2vec(model2vec: Path) -> None:
    vectors = load_word_vectors(str(model2vec))
    assert vectors.words[1:] == WORDS
    (embedded,) = load_embedder(f"vectors:{model2vec}").embed_documents(["the cat"])
    expected = ROWS[0] + ROWS[1]
    assert embedded == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)


def test_texts_are_weighted_means(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_bytes(FORMATS["glove.txt"])
    embedder = load_embedder(f"vectors:{tmp_path / 'v.txt'}")
    cosines = embedder.embed_documents(["the cat", "猫在沙发上"]) @ ROWS.T / np.linalg.norm(ROWS, axis=1)
    assert cosines[0][1] > cosines[0][0]  # the commonest word counts least
    assert (cosines[1].argmax(), embedder.count_tokens(["猫在沙发上"])) == (3, [4])
    assert (embedder.id, embedder.dim) == (f"vectors:{tmp_path / 'v.txt'}", 3)


CUT = {
    "line": (f"4 3\n{lines(WORDS, ROWS)}"[:-9].encode(), "line 5: 1 numbers where a word and 3"),
    "lines": (f"4 3\n{lines(WORDS[:2], ROWS[:2])}".encode(), "ends after 2 of 4 words"),
    "record": (binary()[:-5], "ends after 3 of 4 words"),
    "count": (b"900000000 300\n" + binary()[4:], "it is cut"),
    "fasttext": (fasttext()[:-100], "not a whole fastText model"),
    "dictionary": (fasttext()[:100], "not a whole fastText model"),
    "version": (fasttext(version=11), "version 11"),
    "empty": (b"", "holds no word vectors"),
    "prose": (b"This is a text.\nIt has no numbers.\n", "line 1: could not convert"),
    "not finite": (b"a 1 nan\n", "not finite"),
}


@pytest.mark.parametrize("name", CUT)
def test_damaged_files(name: str, tmp_path: Path) -> None:
    content, message = CUT[name]
    (tmp_path / "v").write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        load_word_vectors(str(tmp_path / "v"))
    assert "\n" not in str(caught.value)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no word vectors 'nothing'"):
        load_word_vectors("nothing")
    with pytest.raises(ModelError, match="holds no model2vec model"):
        load_word_vectors(str(tmp_path))


class TestWords(EmbedderContract):
    """A table with the words of the contract's texts, each near to its like."""

    @pytest.fixture
    def embedder(self, tmp_path: Path) -> Embedder:
        draw = np.random.default_rng(0)
        words = [*dict.fromkeys(f"{CATS} {CAT} {TAX} word".lower().split()), "猫", "沙发", "退税", "申报"]
        rows = draw.normal(size=(len(words), 24)).astype(np.float32)
        for word, like in (("cat", "cats"), ("sleeps", "sleep")):
            rows[words.index(word)] = rows[words.index(like)]
        (tmp_path / "v.txt").write_text(lines(words, rows), encoding="utf-8")
        return load_embedder(f"vectors:{tmp_path / 'v.txt'}")


def test_empty_table_of_words() -> None:
    vectors = WordVectors("v", ["a"], np.zeros((1, 2), np.float32), "0")
    assert vectors.nearest(np.ones(2, np.float32), 3) == [("a", 0.0)]
