"""Records made here (JSON, JSON lines, XML, notebooks): what is one record, and what each line says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ingest.loaders import load
from rag.errors import LoadError


def read(folder: Path, name: str, text: str) -> list[tuple[str | None, str]]:
    (folder / name).write_text(text, encoding="utf-8")
    return [(page.label, page.text) for page in load(folder / name)]


def test_a_list_of_objects_is_a_record_each(tmp_path: Path) -> None:
    data = [
        {"name": "茶壶", "price": {"eur": 5, "on_sale": True}, "tags": ["a", "b"]},
        {"name": "杯", "note": None},
    ]
    assert read(tmp_path, "a.json", json.dumps(data)) == [
        ("record 1", "name: 茶壶\nprice.eur: 5\nprice.on_sale: yes\ntags: a, b"),
        ("record 2", "name: 杯"),
    ]


def test_records_in_a_field_and_what_stands_beside_them(tmp_path: Path) -> None:
    data = {"source": "till", "sales": [{"n": 1}, {"n": 2}, {"n": 3}]}
    found = read(tmp_path, "a.json", json.dumps(data))
    assert found == [(None, "source: till"), ("record 1", "n: 1"), ("record 2", "n: 2"), ("record 3", "n: 3")]


def test_settings_are_one_record(tmp_path: Path) -> None:
    assert read(tmp_path, "a.json", '{"a": {"b": [1, 2]}, "c": [{"d": 1}, {"d": 2}]}') == [
        (None, "a.b: 1, 2\nc 1.d: 1\nc 2.d: 2")
    ]


def test_json_lines_are_named_by_their_line(tmp_path: Path) -> None:
    assert read(tmp_path, "a.jsonl", '{"q": "x"}\n\n{"q": "y"}\n') == [("line 1", "q: x"), ("line 3", "q: y")]
    with pytest.raises(LoadError, match=r"^not readable JSON in line 2: "):
        read(tmp_path, "b.jsonl", '{"q": "x"}\n{"q": \n')


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "nothing", '{"a": ' + "9" * 10_000 + "}"])
def test_what_is_no_json_is_one_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(LoadError, match=r"^not readable JSON[^\n]*$"):
        read(tmp_path, "a.json", text)


def test_a_feed_is_an_item_each(tmp_path: Path) -> None:
    items = "".join(f"<item id='{n}'><title>T{n}</title><text>a <b>bold</b> word</text></item>" for n in (1, 2, 3))
    found = read(tmp_path, "a.xml", f"<feed><title>News</title>{items}</feed>")
    assert found[0] == (None, "title: News")
    assert found[1] == ("item 1", "item id: 1\ntitle: T1\ntext: a bold word")
    assert [label for label, _ in found[1:]] == ["item 1", "item 2", "item 3"]


def test_entities_of_xml_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("hidden")
    text = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]><a><b>seen &x;</b></a>'
    assert "hidden" not in str(read(tmp_path, "a.xml", text))


def test_a_bomb_of_entities_stays_small(tmp_path: Path) -> None:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    text = f'<!DOCTYPE a [<!ENTITY e0 "lol">{levels}]><a><b>small</b><c>&e11;</c></a>'
    try:
        assert len(str(read(tmp_path, "a.xml", text))) < 1_000
    except LoadError as error:
        assert "\n" not in str(error)


def test_a_notebook_by_its_cells_with_code_and_results(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Growth\n", "of 企鹅"]},
        {"cell_type": "code", "source": "1+1", "outputs": [{"data": {"text/plain": ["2"]}}]},
        {
            "cell_type": "code",
            "source": "x",
            "outputs": [{"output_type": "error", "ename": "NameError", "evalue": "x"}],
        },
        {"cell_type": "markdown", "source": "## End"},
    ]
    found = read(tmp_path, "a.ipynb", json.dumps({"cells": cells, "nbformat": 4}))
    assert found == [
        ("cell 1", "# Growth\nof 企鹅\n\n```\n1+1\n```\n\n2\n\n```\nx\n```\n\nNameError: x"),
        ("cell 4", "## End"),
    ]


@pytest.mark.parametrize("text", ["[]", '{"cells": 5}', '{"cells": ["x"]}', "{}", "<html>"])
def test_what_is_no_notebook_is_one_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(LoadError, match=r"^[^\n]+$"):
        read(tmp_path, "a.ipynb", text)
