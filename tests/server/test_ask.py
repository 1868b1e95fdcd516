"""`/api/ask` and `/api/search` over the wire: the order of events, whose turn it is, and who has left."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from helpers.scripted import ScriptedLLM
from helpers.serving import make_index, serving

from rag.llms import Piece
from rag.types import Message

NOTES: dict[str, str | bytes] = {
    "office.md": "# Office\n\nThe car park opens at 7:30. Bicycles stand in the yard.\n"
}
QUESTION = {"question": "When does the car park open?"}


class EndlessLLM(ScriptedLLM):
    """Writes on and on, until it is stopped or `endless` is taken from it."""

    endless = True

    def stream(
        self, messages: Sequence[Message], *, max_tokens: int, grammar: str | None = None
    ) -> Iterator[Piece]:
        if not self.endless:
            yield from super().stream(messages, max_tokens=max_tokens, grammar=grammar)
            return
        self.open += 1
        try:
            for n in count():
                time.sleep(0.02)
                yield Piece(f"Bay {n} of the car park is free, ", {})
        finally:
            self.open -= 1


def events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, json.loads(line[6:])


def test_passages_then_words_then_the_whole(served: str) -> None:
    with httpx.stream("POST", f"{served}/api/ask", json=QUESTION, timeout=30) as got:
        heard = list(events(got.iter_lines()))
    names = [name for name, _ in heard]
    assert names[:2] == ["found", "reading"]
    assert list(dict.fromkeys(names[2:])) == ["text", "citation", "done"]
    done = heard[-1][1]
    assert "".join(data["text"] for name, data in heard if name == "text") == done["text"]
    assert done["citations"] == [data for name, data in heard if name == "citation"]
    assert heard[0][1]["hits"][0]["source"] == "docs/office.md"
    assert (done["refused"], done["nearest"]) == (False, [])


def test_only_the_documents_that_are_ticked(served: str) -> None:
    body = {**QUESTION, "sources": ["docs/people.csv", "docs/保修.md"]}
    hits = httpx.post(f"{served}/api/search", json=body).json()["hits"]
    assert {hit["source"] for hit in hits} == {"docs/people.csv", "docs/保修.md"}
    assert httpx.post(f"{served}/api/search", json={**QUESTION, "sources": ["docs/*"]}).json()["hits"] == []


def test_quotations_alone_ask_no_model(served: str) -> None:
    got = httpx.post(f"{served}/api/ask", json={**QUESTION, "quote": True}, timeout=30)
    done = json.loads(got.text.split("event: done\ndata: ")[1])
    assert done["model"] == "none"
    assert "7:30" in done["citations"][0]["quote"]


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[tuple[str, EndlessLLM]]:
    llm = EndlessLLM({"car park": "The car park opens at 7:30."})
    with serving({"notes": make_index(tmp_path, NOTES)}, llm, waiting=1) as base:
        yield base, llm


def wait_until(condition: Any, seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_a_client_that_leaves_stops_the_model_and_the_next_is_served(endless: tuple[str, EndlessLLM]) -> None:
    base, llm = endless
    with httpx.stream("POST", f"{base}/api/ask", json=QUESTION, timeout=30) as first:
        lines = events(first.iter_lines())
        assert next(lines)[0] == "found"
        assert wait_until(lambda: llm.open == 1)
        with httpx.stream("POST", f"{base}/api/ask", json=QUESTION, timeout=30) as second:
            waiting = events(second.iter_lines())
            assert next(waiting) == ("queued", {"place": 1})
            third = httpx.post(f"{base}/api/ask", json=QUESTION)
            assert (third.status_code, third.json()["error"]["code"]) == (429, "busy")
            assert int(third.headers["retry-after"]) > 0
    assert wait_until(lambda: llm.open == 0)
    llm.endless = False
    assert "event: done" in httpx.post(f"{base}/api/ask", json=QUESTION, timeout=30).text


def test_without_an_index_the_page_is_served_and_a_question_says_what_to_do(tmp_path: Path) -> None:
    with serving({"none": f"faiss:{tmp_path / 'nothing'}"}) as base:
        assert httpx.get(f"{base}/").status_code == 200
        assert httpx.get(f"{base}/api/sources").json() == {"sources": []}
        for path, body in (
            ("/api/ask", QUESTION),
            ("/api/search", QUESTION),
            ("/v1/chat/completions", {"model": "ragstone", "messages": [{"role": "user", "content": "x?"}]}),
        ):
            got = httpx.post(base + path, json=body)
            assert (got.status_code, got.json()["error"]["code"]) == (409, "index_missing")
            assert "rag ingest" in got.json()["error"]["message"]
