"""Hits to passages: the sentences that speak to the question, with their neighbours, by a budget of tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.embedders import Embedder
from rag.orders import told
from rag.text import content_terms, passage, sentences
from rag.types import Chunk, Hit

# A sentence's score: its own likeness to the question by meaning and by words, and its chunk's score.
MEANING, WORDS, CHUNK = 0.5, 0.5, 2.5
MOST_SENTENCES = 120
"""Sentences that are weighed, of the best hits; more would cost time and bring nothing."""


@dataclass(frozen=True, slots=True)
class Passage:
    """An excerpt of a chunk, as the model reads it; ``[start, end)`` are offsets as the chunk's."""

    chunk: Chunk
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.chunk.text[self.start - self.chunk.start : self.end - self.chunk.start]


@dataclass(frozen=True, slots=True)
class _Sentence:
    hit: int
    start: int
    end: int
    text: str


def select(
    hits: Sequence[Hit], question: str, embedder: Embedder, budget: int, count: Callable[[str], int]
) -> list[Passage]:
    """Passages from `hits`, the best hit's first, of about `budget` tokens together as `count` counts them.

    Where everything fits, everything is taken. Else the sentences likest to the question come in
    first, each with the one before and the one after; neighbours are joined to one passage.
    """
    pool = _sentences(hits, question)
    sizes = [count(sentence.text) for sentence in pool]
    if sum(sizes) <= budget:
        chosen = set(range(len(pool)))
    else:
        chosen = _choose(pool, sizes, _weigh(pool, hits, question, embedder), budget)
    return _join(hits, [pool[i] for i in sorted(chosen)])


def closest(passages: Sequence[Passage], question: str, embedder: Embedder) -> Passage | None:
    """The one sentence of `passages` that is likest to `question` by meaning and by words, None of none."""
    pool = [Passage(p.chunk, p.start + a, p.start + b) for p in passages for a, b in sentences(p.text)]
    texts = [each.text for each in pool]
    scored = zip(_likeness(texts, texts, question, embedder), pool, strict=True)
    return max(scored, key=lambda pair: pair[0], default=(0.0, None))[1]


def _sentences(hits: Sequence[Hit], question: str) -> list[_Sentence]:
    return [
        _Sentence(i, hit.chunk.start + a, hit.chunk.start + b, hit.chunk.text[a:b])
        for i, hit in enumerate(hits)
        for a, b in told(hit.chunk.text, question)
    ][:MOST_SENTENCES]


def _weigh(pool: Sequence[_Sentence], hits: Sequence[Hit], question: str, embedder: Embedder) -> list[float]:
    likeness = _likeness([s.text for s in pool], [_spoken(s, hits) for s in pool], question, embedder)
    return [like + CHUNK * hits[s.hit].score for s, like in zip(pool, likeness, strict=True)]


def _likeness(texts: Sequence[str], spoken: Sequence[str], question: str, embedder: Embedder) -> list[float]:
    """How like `question` each text is: its meaning, and the question's words in what it says, `spoken`."""
    asked = content_terms(question)
    near = embedder.embed_documents(texts) @ embedder.embed_queries([question])[0]
    return [
        MEANING * float(cosine) + WORDS * len(asked & content_terms(said)) / max(len(asked), 1)
        for said, cosine in zip(spoken, near, strict=True)
    ]


def _spoken(sentence: _Sentence, hits: Sequence[Hit]) -> str:
    """A sentence with the headings that it stands under: they say what it is about."""
    return passage(Chunk("", sentence.text, 0, 0, heading=hits[sentence.hit].chunk.heading))


def _choose(pool: Sequence[_Sentence], sizes: Sequence[int], weights: Sequence[float], budget: int) -> set[int]:
    chosen: set[int] = set()
    for best in sorted(range(len(pool)), key=lambda i: -weights[i]):
        for i in (best, best - 1, best + 1):
            inside = 0 <= i < len(pool) and pool[i].hit == pool[best].hit
            if inside and i not in chosen and sizes[i] <= budget:
                chosen.add(i)
                budget -= sizes[i]
    return chosen


def _join(hits: Sequence[Hit], chosen: Sequence[_Sentence]) -> list[Passage]:
    """Passages of sentences that follow one another in the same chunk."""
    passages: list[Passage] = []
    for s in chosen:
        chunk = hits[s.hit].chunk
        last = passages[-1] if passages else None
        if last and last.chunk == chunk and not chunk.text[last.end - chunk.start : s.start - chunk.start].strip():
            passages[-1] = Passage(chunk, last.start, s.end)
        else:
            passages.append(Passage(chunk, s.start, s.end))
    return passages
