"""Question to answer, whole or streamed: the one place that knows the order."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.answering._tuned import FORCED, SURE
from rag.answering.claims import peek, split_claims
from rag.answering.draft import Draft
from rag.answering.grammar import verbatim_grammar
from rag.answering.overview import heading, line, overview
from rag.answering.prompt import messages
from rag.answering.translate import is_foreign, translate_claim, translate_question
from rag.config import Settings
from rag.embedders import Embedder
from rag.errors import QuestionError
from rag.grounding.confidence import confidence, extract_features, min_score
from rag.grounding.conflicts import resolve_conflict
from rag.grounding.refusal import NO_ANSWER, REFUSAL, SILENT, is_refusal, refusal_probability
from rag.grounding.support import find_support
from rag.grounding.topic import on_topic
from rag.llms import LLM, Piece
from rag.llms.profile import LOCAL_ENOUGH, REMOTE_ENOUGH, is_local, reading
from rag.retrieval.evidence import closest_sentence, select_evidence
from rag.retrieval.fusion import merge_rankings
from rag.retrieval.kinds import asks_for_sources
from rag.retrieval.passages import Passage, with_preceding_sentence
from rag.retrieval.search import Weights, search
from rag.retrieval.split import split_question
from rag.stores import Store
from rag.text import language, script, split_sentences
from rag.text.sanitise import sanitise_answer
from rag.types import Answer, Hit, Message, Where

MAX_QUESTION = 4000
"""Characters of the longest question that is taken."""


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answerer:
    """What answers questions over one index. `llm` None: the best passages, as quotations."""

    store: Store
    embedder: Embedder
    llm: LLM | None
    settings: Settings

    def search(self, question: str, k: int, where: Where | None = None) -> list[Hit]:
        """The `k` best hits. Raises QuestionError for an empty or endless question."""
        weights = Weights(self.settings.dense_weight_latin, self.settings.dense_weight_other)
        return search(self.store, self.embedder, validate_question(question), k, weights, where)

    def stream(
        self, question: str, where: Where | None = None, asked: str | None = None, context: Sequence[str] = ()
    ) -> Iterator[str | Answer]:
        """Pieces of the answer's text as soon as their support is found, then the `Answer`.

        `asked` is the standalone form of a follow-up question; it is put to the model in place of
        `question`, and searched unless `context` says what is.
        """
        began = time.perf_counter()
        query = validate_question(asked or question)
        model = self.llm.id if self.llm else "none"
        draft = Draft(question, model, began, asked="" if query == question.strip() else query)
        pieces = (
            self._sources(draft, query, where)
            if asks_for_sources(query)
            else self._parts(draft, query, where, context)
        )
        for piece in pieces:
            draft.timings.setdefault("first_token", time.perf_counter() - began)
            draft.text += piece
            yield piece
        if not draft.text:
            draft.text = REFUSAL[language(question)]
            draft.timings.setdefault("first_token", time.perf_counter() - began)
            yield draft.text
        yield draft.finish()

    def get_ready(self, tongue: str) -> None:
        """Let a model on this machine read what prompts in `tongue` begin with: a question then waits for less."""
        if self.llm is not None and is_local(self.llm):
            for _ in self.llm.stream(messages("", (), tongue), max_tokens=1):
                pass

    def _parts(self, draft: Draft, query: str, where: Where | None, context: Sequence[str]) -> Iterator[str]:
        """The answer to each part of a question, from what is found for it."""
        asked = split_question(query)
        silent: list[str] = []
        for i, part in enumerate(asked):
            about = [*context, *([part] if len(asked) > 1 or not context else []), *([query] if i else [])]
            hits = merge_rankings(
                [self.search(text, self.settings.top_k, where) for text in about], self.settings.top_k
            )
            put = self._in_their_language(part, hits) or part
            if put != part:
                hits = merge_rankings([hits, self.search(put, self.settings.top_k, where)], self.settings.top_k)
            draft.found(hits)
            pieces = self._answer(draft, put, hits)
            first = next(pieces, "")
            if not first:
                silent.append(part)
                continue
            yield f"\n{first}" if draft.text else first
            yield from pieces
        for part in silent if draft.text else ():
            yield f"\n{SILENT[language(draft.question)].format(part=sanitise_answer(part))}"

    def _in_their_language(self, question: str, hits: Sequence[Hit]) -> str:
        """`question` in the other language where the best of `hits` is; "" for a model that reads both well."""
        if self.llm is None or not is_local(self.llm) or not self._found(hits) or not is_foreign(question, hits):
            return ""
        return translate_question(question, self.llm)

    def _found(self, hits: Sequence[Hit]) -> bool:
        return bool(hits) and hits[0].score >= min_score(self.settings.strictness)

    def _answer(self, draft: Draft, query: str, hits: Sequence[Hit]) -> Iterator[str]:
        if not self._found(hits):
            return iter(())
        if self.llm is None:
            return _quote(draft, hits)
        return _generate(draft, query, hits, self)

    def _sources(self, draft: Draft, query: str, where: Where | None) -> Iterator[str]:
        """The answer to what the documents are about: a line for each, with what it covers."""
        total, entries = overview(self.store, self.embedder, query, where)
        draft.found([entry.hit for entry in entries])
        if entries:
            yield heading(total, len(entries), language(draft.question))
        for entry in entries:
            chunk = entry.hit.chunk
            n = draft.cite(Passage(chunk, entry.start, entry.end), entry.start, entry.end)
            yield f"\n{sanitise_answer(line(entry), chunk.text)} [{n}]"


def final_answer(pieces: Iterator[str | Answer]) -> Answer:
    """The `Answer` at the end of a stream."""
    *_, answer = pieces
    if not isinstance(answer, Answer):
        raise TypeError("a stream ends with its Answer")
    return answer


def validate_question(question: str) -> str:
    """`question` without the white space around it. Raises QuestionError where it cannot be asked."""
    if not isinstance(question, str):
        raise QuestionError(f"a question is text, not {type(question).__name__}: ask with a string")
    text = question.strip()
    if not text:
        raise QuestionError("the question is empty: ask something")
    if len(text) > MAX_QUESTION:
        raise QuestionError(
            f"the question has {len(text):,} characters, and the most is {MAX_QUESTION:,}: shorten it"
        )
    return text


def _quote(draft: Draft, hits: Sequence[Hit]) -> Iterator[str]:
    """The answer without a model: the best passages, marked as quotations."""
    for i, hit in enumerate(hits[:3]):
        yield f"{chr(10) if i else ''}{draft.quote(Passage(hit.chunk, hit.chunk.start, hit.chunk.end))}"


def _generate(draft: Draft, question: str, hits: Sequence[Hit], by: Answerer) -> Iterator[str]:
    """What the model says and a passage supports, sentence by sentence, with the citation of each.

    Where nothing is left of it, and the documents surely answer, the sentence closest to the question.
    """
    llm, settings = by.llm, by.settings
    assert llm is not None  # noqa: S101 - the caller has looked
    budget, within = reading(llm, settings.context_tokens)
    passages = select_evidence(hits, question, by.embedder, budget, llm.count_tokens, within)
    draft.timings.setdefault("evidence", time.perf_counter() - draft.began - draft.timings["search"])
    said = messages(question, passages, language(question))
    stream, first = peek(llm.stream(said, max_tokens=settings.answer_tokens))
    sure = 0.0
    if (doubted := refusal_probability(first.logprobs, NO_ANSWER)) is not None:
        found = extract_features(question, hits, passages, by.embedder, by.store)
        foreign = language(question) != language(draft.question)
        sure = confidence(found, doubted, script(question), foreign)
        draft.confidence = max(sure, draft.confidence or 0.0)
        if sure < settings.strictness:
            return
    passages = on_topic(question, passages, hits)
    draft.declined = False  # this part of the question has not been answered yet
    pieces = _supported(draft, question, passages, hits, by, llm, stream)
    piece = next(pieces, "")
    if not piece and sure >= SURE and not draft.declined and is_local(llm):
        again = _in_their_words(llm, said, passages, question, settings.answer_tokens)
        pieces = _supported(draft, question, passages, hits, by, llm, iter(again))
        piece = next(pieces, "")
    if piece:
        yield piece
        yield from pieces
    elif sure >= SURE and (best := closest_sentence(passages, question, by.embedder)):
        yield draft.quote(best)


def _in_their_words(
    llm: LLM, said: Sequence[Message], passages: Sequence[Passage], question: str, most: int
) -> list[Piece]:
    """What `llm` says when it may only say what stands in a row in one sentence; nothing that was forced on it.

    It shows by the first tokens: those that were tried ahead have no probabilities.
    """
    grammar = verbatim_grammar([p.text[a:b] for p in passages for a, b in split_sentences(p.text)], question)
    pieces = list(llm.stream(said, max_tokens=most, grammar=grammar)) if grammar else []
    told = (p for p in pieces if p.text and p.logprobs)
    meant = all(math.exp(p.logprobs.get(p.text, -math.inf)) >= FORCED for p in told)
    return pieces if meant else []


def _supported(
    draft: Draft,
    question: str,
    passages: Sequence[Passage],
    hits: Sequence[Hit],
    by: Answerer,
    llm: LLM,
    stream: Iterator[Piece],
) -> Iterator[str]:
    """The sentences of the model's answer that a passage supports, until it refuses."""
    local = is_local(llm)
    enough = LOCAL_ENOUGH if local else REMOTE_ENOUGH
    tongue, said = language(draft.question), ""
    for before, claim in split_claims(draft, stream):
        if is_refusal(claim):
            draft.declined = True
            return
        found = find_support(claim, question, passages, by.embedder)
        if found is None:
            log.debug("left out, since no passage says so: %s", claim)
            continue
        cited = passages[found.passage].chunk
        told = resolve_conflict(question, claim, cited, found.start, found.end, hits, by.store.documents)
        draft.in_short(question, *told[0])
        for text, chunk, start, end in told:
            words = text if language(question) == tongue else translate_claim(text, tongue, llm, by.embedder)
            place = Passage(chunk, start, end)
            place = with_preceding_sentence(place, question) if local else place
            quoted = draft.say(words, place, enough if text == claim else 0.0)
            yield f"{(before or ' ') if said else ''}{quoted}"
            said = text
