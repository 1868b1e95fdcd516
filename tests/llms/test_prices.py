"""What an answer cost, by the table that comes along and by the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessageChunk, UsageMetadata
from langchain_core.outputs import ChatGenerationChunk

from rag.cli.screen import show_usage
from rag.errors import ConfigError
from rag.llms.langchain import adopt
from rag.llms.prices import with_cost
from rag.network.endpoint import Endpoint
from rag.types import Answer, Message, Usage

OPENAI = "https://api.openai.com/v1"


def test_by_the_table() -> None:
    used = with_cost(Endpoint("openai:gpt-4o-mini", OPENAI), Usage(1_000_000, 1_000_000, 400_000))
    assert used.cost == pytest.approx(0.6 * 0.15 + 0.4 * 0.075 + 0.60)
    assert with_cost(Endpoint("openai:gpt-4o-mini", "http://127.0.0.1:1/v1"), Usage(5, 5)).cost is None
    assert with_cost(Endpoint("openai:gpt-9", OPENAI), Usage(5, 5)).cost is None


def test_by_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "prices.toml"
    own.write_text('["langchain:FakeListChatModel"]\nprompt = 3\ncompletion = 9\n', encoding="utf-8")
    monkeypatch.setenv("RAG_PRICES", str(own))

    class Paid(FakeListChatModel):
        def _stream(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
            usage = UsageMetadata(input_tokens=2000, output_tokens=1000, total_tokens=3000)
            yield ChatGenerationChunk(message=AIMessageChunk(content="Paris", usage_metadata=usage))

    Paid.__name__ = "FakeListChatModel"
    used = list(adopt(Paid(responses=["x"])).stream([Message("user", "?")], max_tokens=8))[-1].usage
    assert used is not None
    assert used.cost == pytest.approx((2000 * 3 + 1000 * 9) / 1e6)
    answer = Answer("Where?", "Paris [1]", False, model="m", usage=used)
    assert answer.as_json()["usage"]["cost"] == pytest.approx(0.015)


@pytest.mark.parametrize(
    "text", ["not toml", '["m"]\nprompt = 1\n', "m = 3\n", '["m"]\nprompt = "x"\ncompletion = 1\n']
)
def test_a_file_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    own = tmp_path / "prices.toml"
    own.write_text(text, encoding="utf-8")
    monkeypatch.setenv("RAG_PRICES", str(own))
    with pytest.raises(ConfigError, match=r"prices\.toml is no list of prices"):
        with_cost(Endpoint("m", OPENAI), Usage(1, 1))
    monkeypatch.setenv("RAG_PRICES", str(tmp_path / "none.toml"))
    with pytest.raises(ConfigError, match="cannot be read"):
        with_cost(Endpoint("m", OPENAI), Usage(1, 1))


@pytest.mark.parametrize(("cost", "said"), [(0.00123, "$0.001230"), (None, "cost not known (RAG_PRICES)")])
def test_shown_on_request(capsys: pytest.CaptureFixture[str], cost: float | None, said: str) -> None:
    show_usage(Answer("Where?", "x", False, model="openai:m", usage=Usage(1200, 30, 0, cost)))
    assert capsys.readouterr().out.strip() == f"openai:m · 1,200 tokens read, 30 written · {said}"


def test_the_flag_is_there() -> None:
    from rag.cli.ask import ask

    assert "--cost" in CliRunner().invoke(ask, ["--help"]).output
