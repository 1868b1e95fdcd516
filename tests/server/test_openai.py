"""OpenAI's protocol, asked by the clients that people have: `openai`, and LangChain's."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from urllib.parse import parse_qs

import httpx
import numpy as np
import openai
import pytest
from openai import OpenAI

from rag.embedders.hashed import HashedEmbedder

QUESTION = "When does the car park open?"


@pytest.fixture
def ai(served: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{served}/v1", api_key="none", max_retries=0) as opened:
        yield opened


def test_an_answer_has_citations_that_lead_to_our_page(ai: OpenAI, served: str) -> None:
    got = ai.chat.completions.create(model="ragstone", messages=[{"role": "user", "content": QUESTION}])
    message = got.choices[0].message
    assert message.content is not None
    assert message.content.startswith("The car park opens at 7:30")
    assert message.annotations
    note = message.annotations[0].url_citation
    assert message.content[note.start_index : note.end_index] == "[1]"
    assert note.url.startswith(f"{served}/#")
    place = parse_qs(note.url.partition("#")[2])
    assert place["source"] == ["docs/office.md"]
    extra = got.model_dump()
    assert not extra["refused"]
    assert extra["citations"][0]["quote"] == "The car park opens at 7:30 and closes at 21:00."
    assert (extra["citations"][0]["start"], extra["citations"][0]["end"]) == (
        int(place["start"][0]),
        int(place["end"][0]),
    )
    assert got.usage is not None
    assert got.usage.total_tokens == got.usage.prompt_tokens + got.usage.completion_tokens > 0


def test_a_stream_says_the_same(ai: OpenAI) -> None:
    asked = [{"role": "user", "content": QUESTION}]
    whole = ai.chat.completions.create(model="ragstone/notes", messages=asked)  # type: ignore[arg-type]
    chunks = list(
        ai.chat.completions.create(
            model="ragstone/notes",
            messages=asked,  # type: ignore[arg-type]
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert said == whole.choices[0].message.content
    last = next(c for c in chunks if c.choices and c.choices[0].finish_reason == "stop").model_dump()
    assert last["citations"] == whole.model_dump()["citations"]
    assert chunks[-1].usage is not None
    assert "event" not in chunks[-1].model_dump()


def test_what_the_documents_do_not_answer_is_refused_with_what_comes_nearest(ai: OpenAI) -> None:
    got = ai.chat.completions.create(
        model="ragstone", messages=[{"role": "user", "content": "Is the kitchen painted blue?"}]
    ).model_dump()
    assert got["refused"]
    assert got["citations"] == []
    assert got["nearest"][0]["source"] == "docs/office.md"


def test_earlier_messages_are_the_conversation(ai: OpenAI) -> None:
    got = ai.chat.completions.create(
        model="ragstone",
        messages=[
            {"role": "system", "content": "You are a pirate."},
            {"role": "user", "content": QUESTION},
            {"role": "assistant", "content": "The car park opens at 7:30 [1]."},
            {"role": "user", "content": [{"type": "text", "text": "And when does it close?"}]},
        ],
    )
    assert "car park" in (got.choices[0].message.content or "")


def test_open_webui_is_told_the_sources_in_order(served: str) -> None:
    body = {
        "model": "ragstone",
        "messages": [{"role": "user", "content": QUESTION}],
        "stream": True,
        "events": True,
    }
    lines = httpx.post(f"{served}/v1/chat/completions", json=body).text.split("\n\n")
    events = [json.loads(line.removeprefix("data: ")) for line in lines if '"event"' in line]
    assert [e["event"]["type"] for e in events] == ["source"]
    data = events[0]["event"]["data"]
    assert data["document"] == ["The car park opens at 7:30 and closes at 21:00."]
    assert data["metadata"][0]["source"] == data["source"]["id"]
    assert lines[-2] == "data: [DONE]"


def test_models_are_indexes(ai: OpenAI) -> None:
    assert [model.id for model in ai.models.list()] == ["ragstone", "ragstone/notes"]
    assert ai.models.retrieve("ragstone/notes").id == "ragstone/notes"
    with pytest.raises(openai.NotFoundError, match="there is no model 'gpt-4o'"):
        ai.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "x"}])


def test_embeddings_are_the_index_s(ai: OpenAI) -> None:
    texts = ["the car park", "停车场"]
    got = ai.embeddings.create(model="ragstone", input=texts)
    ours = HashedEmbedder().embed_documents(texts)
    assert np.allclose([e.embedding for e in got.data], ours, atol=1e-6)
    raw = ai.embeddings.create(model="ragstone", input=texts[0], encoding_format="base64").data[0].embedding
    assert isinstance(raw, str)
    assert np.array_equal(np.frombuffer(base64.b64decode(raw), "<f4"), ours[0])


def test_responses_whole_and_streamed(ai: OpenAI) -> None:
    got = ai.responses.create(model="ragstone", input=QUESTION)
    assert got.output_text.startswith("The car park opens at 7:30")
    search, message = got.output
    assert search.type == "file_search_call"
    assert search.results is not None
    assert search.results[0].filename == "docs/office.md"
    assert message.type == "message"
    assert message.content[0].type == "output_text"
    assert message.content[0].annotations[0].type == "url_citation"
    with ai.responses.stream(model="ragstone", input=[{"role": "user", "content": QUESTION}]) as stream:
        said = "".join(e.delta for e in stream if e.type == "response.output_text.delta")
        assert stream.get_final_response().output_text == said == got.output_text
    with pytest.raises(openai.BadRequestError, match="keeps no responses"):
        ai.responses.create(model="ragstone", input="x", previous_response_id="resp-1")


def test_errors_are_openai_s(ai: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ai.chat.completions.create(model="ragstone", messages=[{"role": "user", "content": "x" * 5000}])
    assert caught.value.code == "bad_question"
    with pytest.raises(openai.BadRequestError, match="the last message must be the user's question"):
        ai.chat.completions.create(model="ragstone", messages=[{"role": "assistant", "content": "Hello"}])


def test_langchain_s_chat_model(served: str) -> None:
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings
    from pydantic import SecretStr

    chat = ChatOpenAI(model="ragstone", base_url=f"{served}/v1", api_key=SecretStr("none"))
    assert "The car park opens at 7:30" in str(chat.invoke(QUESTION).content)
    assert "".join(str(piece.content) for piece in chat.stream(QUESTION)) == chat.invoke(QUESTION).content
    embedder = OpenAIEmbeddings(
        model="ragstone", base_url=f"{served}/v1", api_key=SecretStr("none"), check_embedding_ctx_length=False
    )
    assert np.allclose(embedder.embed_query("car"), HashedEmbedder().embed_documents(["car"])[0], atol=1e-6)
