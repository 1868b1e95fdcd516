"""Scripts, terms, sentences and numbers of text."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from rag.text import (
    chunk_terms,
    content_terms,
    embedding_text,
    find_numbers,
    language,
    normalise,
    script,
    search_terms,
    split_sentences,
    split_terms,
    stem,
)
from rag.types import Chunk


def said(text: str) -> list[str]:
    return [text[a:b] for a, b in split_sentences(text)]


def test_normalise() -> None:
    assert normalise("Ｖｕｅ３．５ ＡＢＣ　ﬁle Ⅳ") == "vue3.5 abc file iv"
    assert normalise("STRASSE，É") == "strasse,é"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain English", "latin"),
        ("Les façades d’été à Łódź", "latin"),
        ("", "latin"),
        ("1 234,56 €!", "latin"),
        ("组件", "other"),
        ("Привет", "other"),
        ("Vue 的 ref 怎么用？", "other"),
        ("An article that names one town, 杭州, and goes on in English for a while", "latin"),
    ],
)
def test_script(text: str, expected: str) -> None:
    assert script(text) == expected


def test_a_text_is_of_another_script_above_a_tenth_of_its_letters() -> None:
    assert script("a" * 9 + "中") == "latin"
    assert script("a" * 8 + "中") == "other"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is a ref?", "en"),
        ("什么是 ref？", "zh"),
        ("Vue 的 ref 怎么用？", "zh"),
        ("Tern 2 保修多久", "zh"),
        ("", "en"),
        ("42", "en"),
        ("Who founded the company 灯岭 in the year that was named in the guide?", "en"),
    ],
)
def test_language(text: str, expected: str) -> None:
    assert language(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Dog’s bowl isn't HERE", ["the", "dog", "bowl", "isnt", "here"]),
        ("ＡＢＣ　１２３", ["abc", "123"]),
        ("退税申报", ["退", "税", "申", "报", "退税", "税申", "申报"]),
        ("用Vue写", ["用", "vue", "写"]),
        ("1,200元 １，２００ 1.2k v3.5 3.5%", ["1200", "元", "1200", "1200", "v3", "5", "3.5"]),
        ("設備保養", ["设", "备", "保", "养", "设备", "备保", "保养"]),
        ("snake_case v-model a1b2", ["snake", "case", "v", "model", "a1b2"]),
        ("カメラ", ["カ", "メ", "ラ", "カメ", "メラ"]),
        ("𠮷野", ["𠮷", "野", "𠮷野"]),
        ("… —— ！？", []),
        ("", []),
    ],
)
def test_terms(text: str, expected: list[str]) -> None:
    assert split_terms(text) == expected


def test_terms_do_not_change_with_width_or_case() -> None:
    assert split_terms("ＲＡＧ 系统 Ｖ２") == split_terms("rag 系统 v2")


def test_what_is_searched_is_the_stem_of_a_word() -> None:
    assert search_terms("They attacked 40 colonies’ ships") == ["they", "attack", "40", "coloni", "ship"]
    assert search_terms("iOS and AWS x100s résumés") == ["ios", "and", "aws", "x100s", "résumés"]
    assert search_terms("保修期 warranties") == [*split_terms("保修期"), stem("warranty")]


def test_stems_are_the_same_in_every_thread() -> None:
    words = [f"{start}{end}" for start in ("attack", "warranti", "engin", "measur") for end in ("ed", "es", "ing")]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(search_terms, [" ".join(words)] * 200))
    assert all(each == found[0] for each in found)


def test_a_chunk_is_found_by_its_headings_too() -> None:
    chunk = Chunk("a.md", "It is open.", 0, 11, heading=("Office", "Parking"))
    assert embedding_text(chunk) == "Office > Parking\nIt is open."
    assert chunk_terms(chunk) == ["it", "is", "open", "offic", "park", "a"]  # and by the name of its file
    assert embedding_text(Chunk("a.md", "bare", 0, 4)) == "bare"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("一句。两句！三句？", ["一句。", "两句！", "三句？"]),
        ("他说：“走吧。”然后走了。", ["他说：“走吧。”", "然后走了。"]),
        ("Version 3.5 came. It is e.g. faster.", ["Version 3.5 came.", "It is e.g. faster."]),
        ("Ask Dr. Shen or J. Doe. They know.", ["Ask Dr. Shen or J. Doe.", "They know."]),
        ("a wrapped\nline. Next", ["a wrapped\nline.", "Next"]),
        ("Title\n\nBody", ["Title", "Body"]),
        ("Items:\n- one\n- two\n1. three", ["Items:", "- one", "- two", "1. three"]),
        ("  \n ", []),
        ("", []),
        ("no end", ["no end"]),
        ("“Stop.” She stopped.", ["“Stop.”", "She stopped."]),
        ("她在《走吧！朋友》里唱。她笑！", ["她在《走吧！朋友》里唱。", "她笑！"]),
        ("她写了《潮》？没有。她写《汐！》。", ["她写了《潮》？", "没有。", "她写《汐！》。"]),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert said(text) == expected


def test_sentences_leave_out_nothing_but_white_space() -> None:
    dice = random.Random(7)
    signs = ["Dr.", "No.", "3.5", "e.g.", " ", "\n", "\n\n", "。", "！”", ". ", "? ", "中文", "word", "- x", "|"]
    for _ in range(300):
        text = "".join(dice.choices(signs, k=30))
        spans = split_sentences(text)
        edges = [0, *(x for span in spans for x in span), len(text)]
        assert edges == sorted(edges)
        assert all(not text[a:b].strip() for a, b in zip(edges[::2], edges[1::2], strict=True))
        assert all(text[a:b] == text[a:b].strip() != "" for a, b in spans)


def test_sentences_of_a_long_text_do_not_take_forever() -> None:
    assert len(split_sentences("x" * 200_000)) == 1
    assert len(split_sentences(" " * 200_000 + "x")) == 1
    assert len(split_sentences("一句。" * 50_000)) == 50_000
    assert len(split_sentences("J. " * 20_000)) == 1
    assert len(split_sentences("《" + "。" * 50_000 + "》")) > 49_000  # no title is that long


def test_content_terms() -> None:
    assert content_terms("How long is the warranty of it?") == {"long", "warranty"}
    assert content_terms("保修是多少？") == {"保", "修", "多", "少", "保修", "修是", "是多"}
    assert content_terms("Is it?") == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,200 pounds and 9,240", {"1200", "9240"}),
        ("version 3.5.0 on 2025-01-04 at 7:30", {"3.5.0", "2025-01-04", "7:30"}),
        ("３０ 天，共2.5升。", {"30", "2.5"}),
        ("E05 and 150%", {"05", "150"}),
        ("ages 9-18, or 9–18", {"9", "18"}),
        ("none", set()),
        ("the nineteenth, the twenty-first and the third; first, second", {"19", "21", "3"}),
    ],
)
def test_numbers(text: str, expected: set[str]) -> None:
    assert find_numbers(text) == expected
