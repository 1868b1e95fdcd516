"""What every Embedder must do. A test class inherits `EmbedderContract` and gives it an `embedder` fixture."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rag.embedders import Embedder

CATS = "Cats sleep on the warm sofa all afternoon"
CAT = "A cat that sleeps on the sofa"
TAX = "Tax returns are due in April every year"
HOSTILE = {
    "empty": "",
    "blank": " \t\r\n\u3000",
    "control": "\x00\x01\x1b[31m",
    "surrogate": "half \ud83d of an emoji \udc00",
    "no spaces": "a" * 20_000,
    "emoji": "\U0001f600" * 300,
    "replacement": "\ufffd",
    "right to left": "مرحبا بالعالم",
    "megabyte": "The quick brown fox jumps over the lazy dog. " * 23_000,
    "chinese megabyte": "敏捷的棕色狐狸跳过懒狗。" * 30_000,
}


def assert_unit_rows(vectors: np.ndarray, rows: int, dim: int) -> None:
    """`vectors` is ``(rows, dim) float32`` with rows of unit length."""
    assert vectors.shape == (rows, dim)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors.astype(np.float64), axis=1) == pytest.approx(np.ones(rows), abs=1e-4)


class EmbedderContract:
    """`closeness` is how near the vectors of one text must be, whatever it was embedded with (cosine)."""

    closeness = 0.9999

    def test_is_an_embedder(self, embedder: Embedder) -> None:
        assert isinstance(embedder, Embedder)
        assert embedder.id
        assert len(embedder.weights) >= 8
        assert embedder.dim > 0
        assert embedder.max_tokens > 0

    def test_identity_stays(self, embedder: Embedder) -> None:
        assert (embedder.id, embedder.weights) == (embedder.id, embedder.weights)

    def test_rows_are_of_unit_length(self, embedder: Embedder) -> None:
        assert_unit_rows(embedder.embed_documents([CATS, TAX, "猫在沙发上睡觉"]), 3, embedder.dim)
        assert_unit_rows(embedder.embed_queries([CAT]), 1, embedder.dim)

    def test_nothing_gives_no_rows(self, embedder: Embedder) -> None:
        assert embedder.embed_documents([]).shape == (0, embedder.dim)
        assert embedder.embed_queries([]).shape == (0, embedder.dim)
        assert embedder.count_tokens([]) == []

    def test_the_nearest_document_is_the_one_about_it(self, embedder: Embedder) -> None:
        documents = embedder.embed_documents([TAX, CATS])
        scores = documents @ embedder.embed_queries([CAT])[0]
        assert scores.argmax() == 1
        assert scores[1] - scores[0] > 0.1

    def test_rows_come_in_the_order_of_the_texts(self, embedder: Embedder) -> None:
        texts = [TAX, "猫", CATS, "", TAX * 5, CAT, "退税申报在四月截止。", TAX]
        together = embedder.embed_documents(texts)
        alone = np.vstack([embedder.embed_documents([text]) for text in texts])
        assert (together * alone).sum(axis=1).min() > self.closeness

    def test_neighbours_in_a_batch_change_nothing(self, embedder: Embedder) -> None:
        alone = embedder.embed_documents([CATS])[0]
        crowd = embedder.embed_documents([CATS, *(f"{TAX} {n}" * (n % 9) for n in range(100))])[0]
        assert alone @ crowd > self.closeness

    def test_the_same_text_twice_has_the_same_vector(self, embedder: Embedder) -> None:
        vectors = embedder.embed_documents([CATS, TAX, CATS])
        assert vectors[0] @ vectors[2] > self.closeness

    @pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
    def test_any_text_has_a_vector(self, embedder: Embedder, text: str) -> None:
        vectors = embedder.embed_documents([CATS, text])
        assert_unit_rows(vectors, 2, embedder.dim)
        assert vectors[0] @ embedder.embed_documents([CATS])[0] > self.closeness
        assert_unit_rows(embedder.embed_queries([text]), 1, embedder.dim)

    def test_ten_thousand_empty_texts(self, embedder: Embedder) -> None:
        vectors = embedder.embed_documents([""] * 10_000)
        assert_unit_rows(vectors, 10_000, embedder.dim)
        assert np.ptp(vectors, axis=0).max() < 1e-3

    def test_tokens_grow_with_the_text(self, embedder: Embedder) -> None:
        one, three, none = embedder.count_tokens([CATS, f"{CATS} {CATS} {CATS}", ""])
        assert 0 <= none <= 5  # a model may want every text to begin with a word of its own
        assert 8 <= one - none + 2 <= 12
        assert three - none == 3 * (one - none)

    def test_tokens_beyond_the_window_are_counted(self, embedder: Embedder) -> None:
        assert embedder.count_tokens(["word " * 5000])[0] >= 5000
        assert embedder.count_tokens(["词语" * 5000])[0] >= 5000

    def test_what_lies_beyond_the_window_does_not_count(self, embedder: Embedder) -> None:
        """Only for a text far beyond it: an embedder may read a little more than it promises."""
        long = f"{CATS}. " * 2000
        vectors = embedder.embed_documents([long, long + TAX])
        assert vectors[0] @ vectors[1] > self.closeness

    def test_many_threads_ask_at_once(self, embedder: Embedder) -> None:
        questions = [CAT, TAX, CATS, "猫在哪里睡觉？"] * 4
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda question: embedder.embed_queries([question])[0], questions))
        expected = embedder.embed_queries(questions)
        assert (np.vstack(found) * expected).sum(axis=1).min() > self.closeness
