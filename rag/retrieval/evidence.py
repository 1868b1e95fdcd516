"""Hits to passages: the sentences that speak to the question, within a budget of tokens."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.embedders import Embedder
from rag.retrieval._tuned import BESIDE, CHUNK, EXPECTED, EXPLAINS, LABEL, MEANING, MOST_SENTENCES, WORDS
from rag.retrieval.passages import Passage, between_neighbours
from rag.text import content_terms, embedding_text, find_numbers, is_row, rarity
from rag.text.injection import sentences_without_instructions
from rag.text.values import find_values
from rag.types import Chunk, Hit


@dataclass(frozen=True, slots=True)
class _Sentence:
    hit: int
    start: int
    end: int
    text: str


def select_evidence(
    hits: Sequence[Hit],
    question: str,
    embedder: Embedder,
    budget: int,
    count: Callable[[str], int],
    within: float = math.inf,
    whole: float = 0.0,
) -> list[Passage]:
    """Passages from `hits`, the best hit's first, of at most `budget` tokens together as `count` counts them.

    Where everything fits, everything is taken. Else the chunk of the sentence likest to the question, where it
    takes at most `whole` of the budget; then the sentences likest to it, none whose score is more than `within`
    below the best's. Those that follow one another are joined to one passage.
    """
    pool = _sentences(hits, question)
    sizes = [count(sentence.text) for sentence in pool]
    if sum(sizes) <= budget:
        return _join(hits, pool)
    weights = _weigh(pool, hits, question, embedder)
    likest = max(range(len(pool)), key=weights.__getitem__)
    chosen = {i for i, sentence in enumerate(pool) if sentence.hit == pool[likest].hit}
    if sum(sizes[i] for i in chosen) > whole * budget:
        chosen = set()
    left = budget - sum(sizes[i] for i in chosen)
    chosen |= _choose([left + 1 if i in chosen else size for i, size in enumerate(sizes)], weights, left, within)
    chosen |= {_first_row(pool, i) for i in chosen}
    return _join(hits, [pool[i] for i in sorted(chosen)])


def closest_sentence(passages: Sequence[Passage], question: str, embedder: Embedder) -> Passage | None:
    """The sentence of `passages` that is likest to `question`, between its neighbours in the chunk; None of none.

    What is likest is often the question's own words said again, and the answer stands beside it.
    """
    ranked = rank_sentences(passages, question, embedder)
    return between_neighbours(ranked[0][1], question) if ranked and ranked[0][0] >= 0 else None


def rank_sentences(passages: Sequence[Passage], question: str, embedder: Embedder) -> list[tuple[float, Passage]]:
    """The sentences of `passages` with how like `question` each is, the likest first; no titles and labels."""
    whole = [Passage(p.chunk, p.start + a, p.start + b) for p in passages for a, b in _telling(p.text, question)]
    pool = [each for each in whole if _tells(each.text)] or whole
    texts = [each.text for each in pool]
    likeness = _likeness(texts, texts, question, embedder)
    return sorted(zip(likeness, pool, strict=True), key=lambda pair: -pair[0])


def _telling(text: str, question: str) -> list[tuple[int, int]]:
    """The sentences of `text` without orders to a model; of a table not the row that names its columns."""
    spans = sentences_without_instructions(text, question)
    rows = [False, *(is_row(text[a:b]) for a, b in spans), False]
    return [span for i, span in enumerate(spans, start=1) if not (rows[i] and rows[i + 1] and not rows[i - 1])]


_NUMBERED = re.compile(r"\W*(?:\d+(?:\.\d+)*[.)、]?\s+)?")
_SAYS_SOMETHING = re.compile(r"[.!?](?!\w)|[。！？；;|]|\w[*_]*[:：][*_]*\s*\w")
"""An end of a sentence, a row, or a label with its value: "Skin: no rash"."""


def _tells(text: str) -> bool:
    """Whether a sentence says something: a title or a label alone does not."""
    said = text[_NUMBERED.match(text).end() :].rstrip(" \n:：")  # type: ignore[union-attr]
    return len(text) > LABEL or bool(not text.startswith("#") and _SAYS_SOMETHING.search(said))


def _sentences(hits: Sequence[Hit], question: str) -> list[_Sentence]:
    """The sentences of `hits`, the best hit's first, each with the label or title that stands above it."""
    return [
        _Sentence(i, hit.chunk.start + a, hit.chunk.start + b, hit.chunk.text[a:b])
        for i, hit in enumerate(hits)
        for a, b in _labelled(hit.chunk.text, sentences_without_instructions(hit.chunk.text, question))
    ][:MOST_SENTENCES]


def _labelled(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """`spans` of `text`, one that is a label joined to the sentence below it: "6. Fee" alone says nothing."""
    joined: list[tuple[int, int]] = []
    labelled = False
    for start, end in spans:
        here = text[start:end]
        if labelled and _tells(here) and not is_row(here) and not text[joined[-1][1] : start].strip():
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
        labelled = not _tells(here)
    return joined


def _weigh(pool: Sequence[_Sentence], hits: Sequence[Hit], question: str, embedder: Embedder) -> list[float]:
    likeness = _likeness([s.text for s in pool], [_spoken(s, hits) for s in pool], question, embedder)
    alone = [like + CHUNK * hits[s.hit].score for s, like in zip(pool, likeness, strict=True)]
    return [own + BESIDE * _beside(pool, alone, i) for i, own in enumerate(alone)]


def _beside(pool: Sequence[_Sentence], weights: Sequence[float], i: int) -> float:
    """The better of the weights of the sentences before and after sentence `i` in its chunk, 0 of none."""
    near = (j for j in (i - 1, i + 1) if 0 <= j < len(pool) and pool[j].hit == pool[i].hit)
    return max((weights[j] for j in near), default=0.0)


def _likeness(texts: Sequence[str], spoken: Sequence[str], question: str, embedder: Embedder) -> list[float]:
    """How like `question` each text is: its meaning, and the question's words in what it says, `spoken`.

    A word weighs the more the fewer of the texts have it.
    """
    asked = content_terms(question)
    shared = [asked & content_terms(said) for said in spoken]
    weights = rarity(asked, shared)
    most = sum(weights.values()) or 1.0
    near = embedder.embed_documents(texts) @ embedder.embed_queries([question])[0]
    explains, expected = _explanation(question), _expected(question)
    return [
        MEANING * float(cosine)
        + WORDS * sum(weights[t] for t in terms) / most
        + EXPLAINS * bool(explains(text))
        + EXPECTED * expected(text)
        for text, terms, cosine in zip(texts, shared, near, strict=True)
    ]


_WHEN = re.compile(
    r"\bwhen\b|\b(?:what|which) (?:day|year|month)\b|\b(?:date|time)s?\b|\b(?:earlier|later)\b"
    r"|什么时候|何时|日期|时间|哪一?[天日年月]|几[月号日]|更[早晚]",
    re.IGNORECASE,
)
_HOW_MUCH = re.compile(
    r"\bhow (?:much|many|high|long|old|large|fast|far|often)\b"
    r"|\b(?:amount|number|rate|price|total|percentage|size|age|higher|lower|greater|larger|longer|older)\b"
    r"|多少|几|金额|数量|比率|更[高低多少大小快慢长短]|多[长久大高重远快]",
    re.IGNORECASE,
)


def _expected(question: str) -> Callable[[str], bool]:
    """What tells whether a sentence has the sort of value that `question` asks for: a date, or any number."""
    if _WHEN.search(question):
        return lambda text: any(value.sort == "date" for value in find_values(text))
    if _HOW_MUCH.search(question):
        return lambda text: bool(find_numbers(text))
    return lambda _: False


_EXPLAIN = re.compile(
    r"what (?:is|are|was|were) (?:an? |the )?(.+)|what does (.+) mean|define (.+)"
    r"|(?:什么是|何谓|何为)(.+)|(.+?)(?:是什么(?:意思)?|指的?是?什么)",
    re.IGNORECASE,
)
# What a thing is, or is called; not what it does as one (作为), becomes (成为) or is taken for (认为, 以为).
_SAYS = (
    r"是|指|(?<![作成认因以])为|即(?![使便将])|[又也亦或简]称|又名"
    r"|\b(?:is|are|was|were|means|refers|also (?:called|known))\b"
)
_ASIDE = r"\s*(?:[(（].{0,80}?[)）])?"
_QUOTES = " \"'“”‘’《》「」"


def _explanation(question: str) -> Callable[[str], object]:
    """What tells whether a sentence begins with the thing that `question` wants explained, and says what it is.

    "What is a spline?" is answered by "A spline (also …) is …"; a question of another kind, by no sentence.
    """
    asked = _EXPLAIN.fullmatch(question.strip().rstrip("?？。 "))
    thing = next(filter(None, asked.groups()), "").strip(_QUOTES) if asked else ""
    if not thing:
        return lambda _: None
    begins = rf"[{_QUOTES}]*(?:an? |the )?{re.escape(thing)}(?:e?s)?(?![a-z])"
    return re.compile(
        rf"{begins}[{_QUOTES}]*{_ASIDE}[^，,；;：:]{{0,30}}?[，,]?\s*(?:{_SAYS})", re.IGNORECASE
    ).match


def _first_row(pool: Sequence[_Sentence], i: int) -> int:
    """Of a row of a table the first row of it that is in the pool, which names the columns; else sentence `i`."""
    while i > 0 and pool[i - 1].hit == pool[i].hit and is_row(pool[i].text) and is_row(pool[i - 1].text):
        i -= 1
    return i


def _spoken(sentence: _Sentence, hits: Sequence[Hit]) -> str:
    """A sentence with the headings that it stands under: they say what it is about."""
    return embedding_text(Chunk("", sentence.text, 0, 0, heading=hits[sentence.hit].chunk.heading))


def _choose(sizes: Sequence[int], weights: Sequence[float], budget: int, within: float) -> set[int]:
    chosen: set[int] = set()
    least = max((w for w, size in zip(weights, sizes, strict=True) if size <= budget), default=0.0) - within
    for i in sorted(range(len(sizes)), key=lambda i: -weights[i]):
        if sizes[i] <= budget and weights[i] >= least:
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
