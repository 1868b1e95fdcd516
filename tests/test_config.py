"""Settings: which source wins, and what is said of a value that cannot be used."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from rag.config import Settings, load_settings
from rag.errors import ConfigError


def write(folder: Path, text: str, name: str = "rag.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_defaults(tmp_path: Path) -> None:
    assert load_settings(folder=tmp_path) == Settings()
    assert asdict(Settings())["index"] == "faiss:data/index"


def test_flags_before_environment_before_file_before_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 'index = "faiss:of-file"\ntop_k = 7\nllm = "none"\nstrictness = 1\n')
    monkeypatch.setenv("RAG_TOP_K", "8")
    monkeypatch.setenv("RAG_LLM", "openai:of-environment")
    settings = load_settings({"llm": "openai:of-flag", "embedder": None}, tmp_path)
    assert settings == Settings(index="faiss:of-file", top_k=8, llm="openai:of-flag", strictness=1.0)


def test_the_file_is_the_working_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "top_k = 9")
    monkeypatch.chdir(tmp_path)
    assert load_settings().top_k == 9


def test_another_file_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "top_k = 9")
    monkeypatch.setenv("RAG_CONFIG", str(write(tmp_path, "top_k = 11", "设置.toml")))
    assert load_settings(folder=tmp_path).top_k == 11


def test_a_file_that_was_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(ConfigError, match=r"the settings file .*none\.toml cannot be read: No such file"):
        load_settings(folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("top_k = = 3", r"the settings file .*rag\.toml is not TOML: "),
        ("topk = 3", r"rag\.toml: topk is no setting: use one of answer_seconds, answer_tokens, "),
        ('top_k = "many"', r"rag\.toml: top_k must be a whole number, not 'many'$"),
        ("top_k = 2.5", r"rag\.toml: top_k must be a whole number, not 2\.5$"),
        ("top_k = true", r"rag\.toml: top_k must be a whole number, not True$"),
        ("llm = 3", r"rag\.toml: llm must be text, not 3$"),
        ("[index]\na = 1", r"rag\.toml: index must be text, not \{'a': 1\}$"),
        ("top_k = 0", "^top_k must be above 0, not 0$"),
        ("file_seconds = inf", "^file_seconds must be above 0, not inf$"),
        ("file_seconds = nan", "file_seconds must be a number, not nan$"),
        ("chunk_tokens = -1", "^chunk_tokens must be 0 or more, not -1$"),
        ("strictness = 1.5", r"^strictness must lie between 0 and 1, not 1\.5$"),
        ("strictness = nan", "strictness must be a number, not nan$"),
        ("dense_weight_other = -0.1", r"^dense_weight_other must lie between 0 and 1, not -0\.1$"),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path, text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_settings(folder=tmp_path)
    assert "\n" not in str(caught.value)


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "rag.toml").write_bytes('index = "faiss:索引"'.encode("gb18030"))
    with pytest.raises(ConfigError, match="is not TOML"):
        load_settings(folder=tmp_path)


def test_the_wrong_value_is_named_where_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"^flag --top-k must be a whole number, not 'x'$"):
        load_settings({"top_k": "x"}, tmp_path)
    monkeypatch.setenv("RAG_TOP_K", "lots")
    with pytest.raises(ConfigError, match=r"^environment variable RAG_TOP_K must be a whole number, not 'lots'$"):
        load_settings(folder=tmp_path)
