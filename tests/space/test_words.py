"""Sums of words, on real vectors."""

from __future__ import annotations

import json

import pytest
from conftest import Rag

from rag.embedders.words import WordVectors, load_word_vectors
from rag.errors import SpaceError
from rag.space.words import read_sum, solve_words


@pytest.fixture(scope="module")
def glove() -> WordVectors:
    return load_word_vectors("glove-6b-50d")


@pytest.mark.models
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("king - man + woman", "queen"),
        ("paris - france + italy", "rome"),
        ("better - good + bad", "worse"),
        ("Berlin − Germany ＋ Japan", "tokyo"),
    ],
)
def test_analogies(words: str, expected: str, glove: WordVectors) -> None:
    assert solve_words(glove, *read_sum(words.split()), k=1)[0][0] == expected


@pytest.mark.models
def test_nearest(glove: WordVectors) -> None:
    near = dict(solve_words(glove, ["coffee"], k=10))
    assert "tea" in near
    assert "coffee" not in near
    assert sorted(near.values(), reverse=True) == list(near.values())
    with pytest.raises(SpaceError, match="have no word '银行'"):
        solve_words(glove, ["银行"])
    with pytest.raises(SpaceError, match="nothing is left"):
        solve_words(glove, ["tea"], ["tea"])


def test_what_is_a_sum() -> None:
    assert read_sum(["a", "-", "b", "+", "c"]) == (["a", "c"], ["b"])
    for parts, message in (
        ([], "no words"),
        (["a", "-"], "missing at the end"),
        (["a", "b"], "missing before 'b'"),
    ):
        with pytest.raises(SpaceError, match=message):
            read_sum(parts)


@pytest.mark.models
def test_command(run_rag: Rag) -> None:
    done = run_rag("words", "king", "-", "man", "+", "woman", "--nearest", "coffee", "--top-k", "3", "--json")
    first, second = json.loads(done.stdout)["sums"]
    assert first["nearest"][0][0] == "queen"
    assert (second["plus"], len(second["nearest"])) == (["coffee"], 3)
    assert run_rag("words").returncode == 2
    done = run_rag("words", "x", "--vectors", "nothing.bin")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
