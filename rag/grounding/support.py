"""Does a passage say so? Finds what supports a statement, or that nothing does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from rag.embedders import Embedder
from rag.grounding._tuned import COVERAGE, CROSS_COSINE, GIVEN, WINDOW
from rag.retrieval.passages import Passage
from rag.retrieval.question import ASKS_FOR
from rag.text import (
    CJK_CHAR,
    content_terms,
    find_numbers,
    is_row,
    language,
    meaning_terms,
    normalise,
    script,
    split_sentences,
    split_terms,
)

_YES_NO = re.compile(
    r"^\W*(yes|no|是的?|不是|否|可以|不可以|不能|能|会|不会|对|不对)(?:\b|(?=\W|$))[\s,，.。:：]*", re.IGNORECASE
)
YEAR = re.compile(r"(?:1[0-9]|20)\d\d")
_OFFERS = r"\b(?:or|and|between|than)\b|还是|或|和|与|跟|及|、|比"


@dataclass(frozen=True, slots=True)
class Support:
    """Where a statement is said: ``[start, end)`` of the page of ``passages[passage]``; `score` in [0, 1]."""

    passage: int
    start: int
    end: int
    score: float


def without_yes_no(claim: str) -> str:
    """`claim` without the yes or no that it begins with."""
    return _YES_NO.sub("", claim, count=1)


def find_supports(claim: str, question: str, passages: Sequence[Passage], embedder: Embedder) -> Iterator[Support]:
    """The places among `passages` that say `claim` in answer to `question`, the best and shortest first."""
    statement = without_yes_no(claim)
    if not content_terms(statement):
        yield from _windows_that_say(question, question, passages)  # a bare yes or no says what was asked
        return
    if _repeats(statement, question):
        return
    every = (*_verbatim(statement, question, passages), *_windows_that_say(statement, question, passages))
    for found in dict.fromkeys(every):
        passage = passages[found.passage]
        if not _another_row_is_asked_for(found, question, passage) and _to_the_point(question, passage, embedder):
            yield found
    if not every:
        across = _across_languages(statement, question, passages, embedder)
        yield from () if across is None else (across,)


def _repeats(statement: str, question: str) -> bool:
    """Whether `statement` only says words of `question` again, which asks for others ("What is a spline?").

    What the question offers to choose from ("or", "and") is an answer all the same.
    """
    if not ASKS_FOR.search(question) or not content_terms(statement) <= content_terms(question):
        return False
    said = re.escape(normalise(statement).strip(" .。"))
    return not re.search(rf"(?:{_OFFERS})\s*(?:the\s+)?{said}|{said}\s*(?:{_OFFERS})", normalise(question))


def _to_the_point(question: str, passage: Passage, embedder: Embedder) -> bool:
    """Whether a passage has to do with `question`: a term in common (headings count), or its meaning."""
    if content_terms(question) & content_terms(" ".join((*passage.chunk.heading, passage.text))):
        return True
    return same_meaning(passage.text, question, embedder)


_RULE = re.compile(r"\|[\s:|-]+$")


def _another_row_is_asked_for(found: Support, question: str, passage: Passage) -> bool:
    """Whether what supports is a row of a table, and another row speaks more of the question."""
    rows = [(a, b) for a, b in split_sentences(passage.text) if is_row(passage.text[a:b])]
    own = (found.start - passage.start, found.end - passage.start)
    if own not in rows:
        return False
    asked = content_terms(question)
    texts = [passage.text[a:b] for a, b in rows]
    heads = {i for i, below in enumerate(texts[1:]) if _RULE.match(below)}
    shared = [len(asked & set(split_terms(text))) for text in texts]
    return max(n for i, n in enumerate(shared) if i not in heads) > shared[rows.index(own)]


def _verbatim(statement: str, question: str, passages: Sequence[Passage]) -> list[Support]:
    """The sentences that hold `statement` to the letter (white space and case aside), the best first."""
    words = statement.strip(" \t\n.。!！?？,，;；:：\"'“”‘’").split()
    pattern = re.compile(r"\s*".join(map(re.escape, words)), re.IGNORECASE)
    asked = content_terms(question)
    found: list[Support] = []
    for i, passage in enumerate(passages):
        spans = split_sentences(passage.text)
        for match in pattern.finditer(passage.text):
            if not _whole_words(passage.text, match.start(), match.end()):
                continue
            start = max((a for a, _ in spans if a <= match.start()), default=match.start())
            end = min((b for _, b in spans if b >= match.end()), default=match.end())
            shared = len(asked & content_terms(passage.text[start:end])) / max(len(asked), 1)
            found.append(Support(i, passage.start + start, passage.start + end, min(1.0, 0.5 + shared / 2)))
    return sorted(found, key=lambda s: (-s.score, s.passage, s.start))


_CUT = re.compile(r"[A-Za-z0-9]{2}")
_CUT_NUMBER = re.compile(r"\d[.,:/-]\d")


def _whole_words(text: str, start: int, end: int) -> bool:
    """Whether ``text[start:end]`` cuts no Latin word or number in two ("30" in "308", "200" in "1,200")."""
    return not (
        (start >= 1 and _CUT.match(text, start - 1))
        or (start >= 2 and _CUT_NUMBER.match(text, start - 2))
        or _CUT.match(text, end - 1)
        or _CUT_NUMBER.match(text, end - 1)
    )


def _windows_that_say(statement: str, question: str, passages: Sequence[Passage]) -> list[Support]:
    """The runs of sentences that cover most of `statement`'s terms, all its numbers among them, the best first.

    A run may begin with a sentence that leads to what is said, and ends with one that says some of it.
    What stands above a passage, its document's title first, is said of all of it, and counts neither for a
    statement nor against it. Of what the question gave the statement less is asked.
    """
    every, asked = meaning_terms(statement), meaning_terms(question)
    figures = find_numbers(statement) - find_numbers(question)
    spelled = {term for term in every if find_numbers(term)}  # 4 stands where "four" does: `figures` has looked
    ranked: list[tuple[tuple[float, int, int], Support]] = []
    for i, passage in enumerate(passages):
        title = meaning_terms(" ".join(passage.chunk.heading))
        shorter: dict[int, float] = {}  # the score of the run that begins there and is a sentence shorter
        for n, start, end in _windows(passage.text):
            text = passage.text[start:end]
            if not figures <= find_numbers(text):
                continue
            found = meaning_terms(text)
            header = _header(passage.text, start) if is_row(text) else ""
            said = found | spelled | title | meaning_terms(header)
            whole = every - _seams(every, said | asked)
            score = _share(whole - asked - title or whole - title or whole, said)
            rank = score, -n, len(asked & found)  # the shortest, and of those what speaks of the question
            ends_well, shorter[start] = score > shorter.get(start, 0.0), score
            if ends_well and score >= COVERAGE and _share(whole - title or whole, said) >= GIVEN:
                ranked.append((rank, Support(i, passage.start + start, passage.start + end, score)))
    ranked.sort(key=lambda pair: pair[0], reverse=True)  # stable: of equals the first
    return [support for _, support in ranked]


def _seams(terms: Set[str], held: Set[str]) -> set[str]:
    """The pairs of characters among `terms` that lie across the edge of one that is `held`: no words of their own.

    Of 密封圈每十个月 the pair 圈每 is one where 封圈 is held.
    """
    pairs = {term for term in terms if len(term) == 2 and CJK_CHAR.match(term)}
    ends = {pair[1] for pair in pairs & held}
    begins = {pair[0] for pair in pairs & held}
    return {pair for pair in pairs - held if pair[0] in ends or pair[1] in begins}


def _header(text: str, at: int) -> str:
    """The row that names the columns of the table whose row begins at `at` in `text`; "" of none."""
    rows: list[str] = []
    for start, end in split_sentences(text):
        if start >= at:
            break
        rows = [*rows, text[start:end]] if is_row(text[start:end]) else []
    return rows[0] if rows and all(YEAR.fullmatch(figure) for figure in find_numbers(rows[0])) else ""


def _share(terms: Set[str], said: Set[str]) -> float:
    return len(terms & said) / max(len(terms), 1)


def _windows(text: str) -> list[tuple[int, int, int]]:
    """Runs of one to WINDOW sentences, or single rows of a table: how many, start and end."""
    spans = split_sentences(text)
    runs = [(n, spans[i : i + n]) for n in range(1, WINDOW + 1) for i in range(len(spans) - n + 1)]
    return [
        (n, run[0][0], run[-1][1])
        for n, run in runs
        if n == 1 or not any(is_row(text[start:end]) for start, end in run)
    ]


def same_meaning(one: str, other: str, embedder: Embedder) -> bool:
    """Whether a text means what `other`, of another language, does, as far as the embedder tells."""
    return float(embedder.embed_documents([one])[0] @ embedder.embed_queries([other])[0]) >= CROSS_COSINE


def _across_languages(
    statement: str, question: str, passages: Sequence[Passage], embedder: Embedder
) -> Support | None:
    """The sentence in another script that means `statement`: same numbers, same names, near in meaning."""
    figures = find_numbers(statement) - find_numbers(question)
    names = {t for t in content_terms(statement) if script(t) == "latin"} if language(statement) == "zh" else set()
    places = [
        (i, a, b)
        for i, passage in enumerate(passages)
        if language(passage.text) != language(statement)
        for a, b in split_sentences(passage.text)
        if figures <= find_numbers(passage.text[a:b])
        and names <= set(split_terms(passage.text[a:b])) | content_terms(question)
    ]
    if not places:
        return None
    meant = embedder.embed_queries([f"{question} {statement}"])[0]
    cosines = embedder.embed_documents([passages[i].text[a:b] for i, a, b in places]) @ meant
    best = int(cosines.argmax())
    i, a, b = places[best]
    if cosines[best] < CROSS_COSINE:
        return None
    return Support(i, passages[i].start + a, passages[i].start + b, float(min(cosines[best], 1.0)))
