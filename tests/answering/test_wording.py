"""The short form of an answer, and the words that stand beside it."""

from __future__ import annotations

import pytest

from rag.answering.short import number_as_in_source, short_answer
from rag.answering.wording import in_quotes, without_markers


@pytest.mark.parametrize(
    ("claim", "question", "short"),
    [
        ("《白鹭》是由江南书社出版的。", "《白鹭》是由哪个机构出版的？", "江南书社"),
        ("水箱的容量是140升。", "水箱的容量是多少？", "140升"),
        ("北厂派工程师检查了三号炉。", "北厂派工程师检查了哪个炉？", "三号炉"),
        ("鹭是涉禽的一个科。", "鹭是什么？", "涉禽的一个科"),
        ("常用的办法是等。", "涨潮的时候，常用的办法是什么？", "等"),
        ("the 20th century", "In what century was the mill built?", "the 20th"),
        ("24-yard line", "On what yard line did it begin?", "24"),
        ("Rye flour.", "What kind of flour does the mill make?", "Rye"),
        ("Leeds University", "Which university is it?", "Leeds University"),
        ("century", "In what century was it?", "century"),
        ("白鹭二号卫星", "用的是什么卫星？", "白鹭二号卫星"),
        ("1970年代", "在什么年代建成？", "1970年代"),
        ("船长决定返航。", "船长决定做什么？", "返航"),
        ("以准时而闻名", "以什么而闻名？", "以准时而闻名"),
        ("450 square miles", "How many square miles does the moor cover?", "450"),
        ("Red House (1859)", "What is the hall called?", "Red House"),
        ("红房子（1859年）", "礼堂叫什么？", "红房子"),
        ("(1859)", "When was it built?", "(1859)"),
        ("The hall is called Red House.", "What is the hall called?", "Red House"),
        ("Slate and old tiles", "What was laid beside slate on the roof?", "Slate and old tiles"),
        ("Slate tiles and old bricks", "What can be laid with slate tiles?", "old bricks"),
        ("Tiles fall when storms shake roofs", "What happens when storms shake roofs?", "Tiles fall"),
        ("It was shut to save on repairs", "Why was it shut?", "It was shut to save on repairs"),
        ("State Road 9", "Which state road leads north?", "State Road 9"),
        # no gap in the question where the statement parts from it
        ("白茶比绿茶淡。", "白茶和绿茶有什么区别？", "白茶比绿茶淡"),
        ("南方（江州）茶叶展览会", "南方（江州）博览会的原名是什么？", "南方（江州）茶叶展览会"),
        ("24 months.", "How long is the warranty?", "24 months"),
        ("它", "它是什么？", "它"),
    ],
)
def test_what_the_question_says_is_left_out(claim: str, question: str, short: str) -> None:
    assert short_answer(claim, question) == short


def test_quotation_marks_follow_the_language() -> None:
    assert (in_quotes("It holds."), in_quotes("它能装。")) == ("“It holds.”", "「它能装。」")


def test_markers() -> None:
    assert without_markers("So [1], and [2, 3] or [4-6]【7】. [a]") == "So, and or. [a]"


@pytest.mark.parametrize(
    ("claim", "support", "written"),
    [
        ("4", "Its name is held by four rivers.", "four"),
        ("in the 19th century", "It was built late in the nineteenth century.", "in the nineteenth century"),
        ("36 个月", "保修期为三十六个月。", "三十六 个月"),
        ("4", "There are 4 rooms and four doors.", "4"),
        ("1,200 and 4.5", "four of twelve hundred", "1,200 and 4.5"),
        ("24 months", "The warranty lasts two years.", "24 months"),
    ],
)
def test_numbers_as_the_document_writes_them(claim: str, support: str, written: str) -> None:
    assert number_as_in_source(claim, support) == written
