"""Labels from a few examples, by logistic regression over the frozen vectors; or by the names of labels alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rag.embedders import Embedder
from rag.errors import SpaceError
from rag.space._tuned import REGULAR, SHARPNESS
from rag.types import Vectors

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

__all__ = ["EMBEDDER", "Classifier", "Labelled", "Quality", "cross_validate", "train", "zero_shot"]

EMBEDDER = "e5"
"""The embedder of labels where no index is read. Macro F1 of reviews, positive or negative: from 20 examples of
each .816 (`bilingual` .666), from all .898 (.874)."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """The most probable label of a text, and its probability."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Quality:
    """How well labels are told, by cross-validation: `confusion[i][j]` texts of label i were called label j."""

    labels: tuple[str, ...]
    accuracy: float
    macro_f1: float
    confusion: tuple[tuple[int, ...], ...]
    folds: int


class Classifier:
    """What `train` learnt."""

    def __init__(self, model: LogisticRegression) -> None:
        self._model = model

    def predict(self, vectors: Vectors) -> list[Labelled]:
        """The label of each row."""
        if not len(vectors):
            return []
        return _most_probable(self._model.predict_proba(vectors), [str(label) for label in self._model.classes_])


def _most_probable(probabilities: npt.NDArray[np.float64], labels: Sequence[str]) -> list[Labelled]:
    best = probabilities.argmax(axis=1)
    return [Labelled(labels[i], float(row[i])) for i, row in zip(best, probabilities, strict=True)]


def train(vectors: Vectors, labels: Sequence[str]) -> Classifier:
    """Learn `labels` of the rows of `vectors`. Raises SpaceError where they are of one kind only."""
    _check(labels, least=1)
    with _one_thread():
        return Classifier(_regression().fit(vectors, list(labels)))


def cross_validate(
    vectors: Vectors, labels: Sequence[str], texts: Sequence[str] = (), folds: int = 10
) -> tuple[Quality, Quality | None]:
    """How well the labels are told from the vectors; and, given the `texts`, from their words on the same folds.

    The words: TF-IDF of single words and pairs (of Chinese: characters and pairs), and the same regression.
    Fewer `folds` where a label has fewer examples. Raises SpaceError for one label, or one example of a label.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    from rag.text import search_terms

    folds = min(folds, _check(labels, least=2))
    told = _quality(_regression, vectors, labels, folds)
    if not texts:
        return told, None
    words = [search_terms(text) for text in texts]

    def by_words() -> Any:
        table = TfidfVectorizer(analyzer=_words_and_pairs, sublinear_tf=True, dtype=np.float32)
        return make_pipeline(table, _regression())

    return told, _quality(by_words, np.fromiter(words, object, len(words)), labels, folds)


def _words_and_pairs(words: list[str]) -> list[str]:
    return [*words, *(f"{a} {b}" for a, b in pairwise(words))]


def zero_shot(embedder: Embedder, names: Sequence[str], vectors: Vectors) -> list[Labelled]:
    """The one of `names` that each row is nearest to, without any example; its share as the probability.

    Names are compared with the mean of the rows taken off both, since what all have in common tells nothing.
    """
    if len(set(names)) < 2:
        raise SpaceError(f"two different labels or more are needed, not {', '.join(names) or 'none'}")
    called = embedder.embed_queries(list(names))
    cosines = (vectors - vectors.mean(axis=0)) @ (called - called.mean(axis=0)).T
    shares = np.exp(SHARPNESS * (cosines - cosines.max(axis=1, keepdims=True)))
    return _most_probable(shares / shares.sum(axis=1, keepdims=True), list(names))


def _regression() -> LogisticRegression:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=REGULAR, max_iter=2000)


def _one_thread() -> AbstractContextManager[Any]:
    """Matrices of some thousand rows: threads of BLAS that wait for each other took 40 times as long."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)  # type: ignore[no-any-return]


def _check(labels: Sequence[str], least: int) -> int:
    """The number of examples of the rarest label."""
    counts = Counter(labels)
    if len(counts) < 2:
        raise SpaceError(f"two labels or more are needed, and the examples have {', '.join(counts) or 'none'}")
    label, fewest = min(counts.items(), key=lambda pair: pair[1])
    if fewest < least:
        raise SpaceError(f"the label {label!r} has one example: give it two or more")
    return fewest


def _quality(model: Callable[[], Any], x: Any, labels: Sequence[str], folds: int) -> Quality:
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    y = np.array(labels)
    parts = StratifiedKFold(folds, shuffle=True, random_state=0)
    with _one_thread():
        called = cross_val_predict(model(), x, y, cv=parts)
    names = sorted(set(labels))
    matrix = confusion_matrix(y, called, labels=names)
    return Quality(
        tuple(names),
        float(accuracy_score(y, called)),
        float(f1_score(y, called, average="macro")),
        tuple(tuple(int(n) for n in row) for row in matrix),
        folds,
    )
