"""Question to answer, whole or streamed: the steps in order, each in the module that is named after it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.answering.compare import Told, ask_of_each, called, conclude
from rag.answering.draft import Draft
from rag.answering.generate import Tools, generate
from rag.answering.introduce import introduce
from rag.answering.overview import heading, line, overview, sources_about, subject_terms
from rag.answering.prompt import messages
from rag.answering.rows import Computed, compute
from rag.answering.rows_asked import is_computed
from rag.answering.translate import is_foreign, translate_question
from rag.config import Settings
from rag.embedders import Embedder
from rag.errors import QuestionError
from rag.grounding.confidence import min_score
from rag.grounding.refusal import REFUSAL, SILENT
from rag.llms import LLM
from rag.llms.profile import profile_of
from rag.retrieval.gather import Asked, Evidence, ask_each, find_candidates, find_hits, read_hits
from rag.retrieval.passages import Passage
from rag.retrieval.question import Question, read_question
from rag.retrieval.scope import Subject, find_name
from rag.retrieval.search import Weights, search
from rag.retrieval.synonyms import read_synonyms
from rag.retrieval.tables import is_tabular, read_tables
from rag.stores import Store
from rag.text.sanitise import sanitise_answer
from rag.types import Answer, Hit, Where

OF_FILES = 40
"""Hits whose files are named where a question asks for files about something."""
OF_TABLES = 5
"""Documents in whose tables is looked for what a question wants computed."""
MAX_QUESTION = 4000
"""Characters of the longest question that is taken."""


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
        synonyms = read_synonyms(self.settings.synonyms)
        return search(self.store, self.embedder, validate_question(question), k, weights, where, synonyms)

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
        for piece in self._steps(draft, read_question(query), where, context):
            draft.timings.setdefault("first_token", time.perf_counter() - began)
            draft.text += piece
            yield piece
        if not draft.text:
            draft.text = REFUSAL[draft.language]
            draft.timings.setdefault("first_token", time.perf_counter() - began)
            draft.show_nearest(self.embedder)
            yield draft.text
        yield draft.finish()

    def get_ready(self, language: str) -> None:
        """Let a small model read what prompts in `language` begin with: a question then waits for less."""
        if self.llm is not None and not profile_of(self.llm).reads_both:
            for kind in ("summary", "fact"):
                nothing = Evidence(Asked(read_question("?" if language == "en" else "？", kind), ""), ())
                for _ in self.llm.stream(messages(nothing, language), max_tokens=1):
                    pass

    def _steps(
        self, draft: Draft, question: Question, where: Where | None, context: Sequence[str]
    ) -> Iterator[str]:
        """The way of an answer, by the kind that is wanted."""
        match question.kind:
            case "smalltalk":
                draft.needs_no_documents = True
                yield introduce(question, self.store)
            case "files":
                yield from self._sources(draft, question, where)
            case _:
                found = find_candidates(question, self.search, where)
                if computed := self._compute(question, found, where):
                    draft.found(computed.hits)
                    draft.words.append(computed.value)
                    yield draft.say(computed.text, computed.places)
                else:
                    yield from self._answer_each(draft, question, found, where, context)

    def _compute(self, question: Question, found: Sequence[Hit], where: Where | None) -> Computed | None:
        """What `question` asks of the rows of a table, where it does: of the documents whose rows come nearest."""
        if not is_computed(question.text):
            return None
        sources = list(dict.fromkeys(hit.chunk.source for hit in found if is_tabular(hit.chunk)))[:OF_TABLES]
        vector = self.embedder.embed_queries([question.text])[0]
        tables = (table for source in sources for table in read_tables(self.store, vector, source, where))
        return compute(question.text, tables, question.language)

    def _answer_each(
        self, draft: Draft, question: Question, found: Sequence[Hit], where: Where | None, context: Sequence[str]
    ) -> Iterator[str]:
        """What is found of each thing that is asked, what follows from it all, and what nothing was said of."""
        told: list[Told] = []
        silent: list[str] = []
        each = ask_each(question, found)
        if self.llm is not None and len(each) > 1 and each[0].several and question.kind != "summary":
            each = ask_of_each(question, each, self.llm)
        for asked in each:
            before = len(draft.claims)
            pieces = self._answer_one(draft, asked, where, context, len(each))
            first = next(pieces, "")
            if not first:
                silent.append(called(asked.subject) if asked.several and asked.subject else asked.question.text)
                continue
            lead = _lead(asked.subject, first, draft.language) if asked.several and asked.subject else ""
            yield f"{chr(10) if draft.text else ''}{lead}{first}"
            yield from pieces
            if asked.several and asked.subject:
                told.append(Told(asked.subject, tuple(draft.claims[before:])))
        if conclusion := conclude(question, told):
            yield f"\n{conclusion}"
        for part in silent if draft.text else ():
            yield f"\n{SILENT[draft.language].format(part=sanitise_answer(part))}"

    def _answer_one(
        self, draft: Draft, asked: Asked, where: Where | None, context: Sequence[str], of: int
    ) -> Iterator[str]:
        """The answer to one thing that is asked: find, read, let the model speak, keep what is supported."""
        hits = find_hits(asked, context, self.search, self.settings.top_k, where)
        asked, hits = self._in_their_language(asked, hits, where)
        draft.found(hits)
        named = asked.subject is not None and asked.subject.proper  # all that is in it may answer
        if not (named and hits) and not self._found(hits):
            return
        if self.llm is None:
            yield from _quote(draft, hits)
            return
        profile = profile_of(self.llm)
        most = self.settings.context_tokens or (profile.fact if asked.question.is_short else profile.longer)
        within = profile.within if asked.question.is_short else 2 * profile.within
        evidence = read_hits(
            asked, hits, self.embedder, max(most // of, 3 * profile.fact // 4), self.llm.count_tokens, within
        )
        draft.timings.setdefault("evidence", time.perf_counter() - draft.began - draft.timings["search"])
        yield from generate(draft, evidence, Tools(self.store, self.embedder, self.llm, self.settings))

    def _in_their_language(self, asked: Asked, hits: list[Hit], where: Where | None) -> tuple[Asked, list[Hit]]:
        """What is asked in the other language where the best of `hits` is, for a model that reads one better."""
        if self.llm is None or profile_of(self.llm).reads_both or not self._found(hits):
            return asked, hits
        if not is_foreign(asked.question.text, hits):
            return asked, hits
        text = translate_question(asked.question.text, self.llm)
        if not text:
            return asked, hits
        put = Asked(read_question(text, asked.question.kind), text, asked.subject, asked.several)
        return put, find_hits(put, [asked.question.text, text], self.search, self.settings.top_k, where)

    def _found(self, hits: Sequence[Hit]) -> bool:
        return bool(hits) and hits[0].score >= min_score(self.settings.strictness)

    def _sources(self, draft: Draft, question: Question, where: Where | None) -> Iterator[str]:
        """What the documents are about, or which are about something: a line for each, with what it covers."""
        terms = subject_terms(question.text)
        only = sources_about(terms, self.search(question.text, OF_FILES, where)) if terms else None
        total, entries = overview(self.store, self.embedder, question.text, where, only)
        draft.found([entry.hit for entry in entries])
        if entries:
            yield heading(total, len(entries), draft.language)
        for entry in entries:
            chunk = entry.hit.chunk
            n = draft.cite(Passage(chunk, entry.start, entry.end))
            yield f"\n{sanitise_answer(line(entry), chunk.text)} [{n}]"


def _lead(subject: Subject, said: str, language: str) -> str:
    """The name of `subject` before what was `said` of it, where that does not name it."""
    if find_name(said, subject) >= 0:
        return ""
    return f"{sanitise_answer(called(subject))}{'：' if language == 'zh' else ': '}"


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
