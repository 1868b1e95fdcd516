"""Does a passage say so? What supports a statement, where, and what does not."""

from __future__ import annotations

import pytest

from rag.embedders.hashed import HashedEmbedder
from rag.grounding.refusal import is_refusal
from rag.grounding.support import find_supports
from rag.grounding.topic import on_topic
from rag.retrieval.gather import Asked, Evidence
from rag.retrieval.passages import Passage
from rag.retrieval.question import read_question
from rag.types import Chunk, Hit

HASHED = HashedEmbedder()
WARRANTY = (
    "The warranty of the Tern machine lasts 24 months. It covers pumps and boilers. "
    "Seals are not covered by the warranty. The fee is 1,200 pounds a year."
)
TERM = "The warranty of the Tern machine lasts 24 months."
PARKING = "The car park opens at 7:30 and closes at 21:00. Bicycles stand in the yard."
CHINESE = "燕鸥咖啡机的保修期为二十四个月。密封圈不在保修范围内。收到商品后 30 天内可以退货。"
QUESTION = "How long is the warranty?"


def passages(*texts: str) -> list[Passage]:
    return [
        Passage(Chunk(f"{i}.md", text, 100, 100 + len(text)), 100, 100 + len(text)) for i, text in enumerate(texts)
    ]


def quoted(
    claim: str, question: str = QUESTION, texts: tuple[str, ...] = (WARRANTY, PARKING, CHINESE)
) -> str | None:
    found = next(find_supports(claim, question, passages(*texts), HASHED), None)
    if found is None:
        return None
    assert 0 <= found.score <= 1
    return texts[found.passage][found.start - 100 : found.end - 100]


@pytest.mark.parametrize(
    "text",
    [
        "NONE", "none.", "None", "No answer.", "Not mentioned in the passages.", "The passages do not say.", "",
        "I don’t know.", "The documents provided do not mention it.", "无", "无。", "没有提到。",
        "文档中没有说明这一点。", "未提及", "ＮＯＮＥ", "  \n",
    ],
)  # fmt: skip
def test_words_of_refusal(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "24 months.",
        "Nonetheless, it is covered.",
        "无线网络每天可用。",
        "No, seals are not covered.",
        "没有费用。",
    ],
)
def test_words_that_are_no_refusal(text: str) -> None:
    assert not is_refusal(text)


def test_word_for_word() -> None:
    assert quoted("24 months") == "The warranty of the Tern machine lasts 24 months."
    assert quoted("It covers pumps\nand boilers.") == "It covers pumps and boilers."


def test_the_same_in_other_words_of_the_passage() -> None:
    assert quoted("The Tern machine's warranty lasts for 24 months.") == TERM


def test_in_chinese() -> None:
    assert quoted("保修期为二十四个月。", "保修期多久？") == "燕鸥咖啡机的保修期为二十四个月。"
    assert quoted("二十四个月", "保修期多久？") == "燕鸥咖啡机的保修期为二十四个月。"


def test_what_nobody_says() -> None:
    assert quoted("The warranty lasts 36 months.") is None
    assert quoted("The mayor of Leeds opened the car park.") is None
    assert quoted("保修期为三十六个月，由杭州总部负责。", "保修期多久？") is None
    assert quoted("24 months", texts=()) is None


@pytest.mark.parametrize(
    "claim", ["4 months", "The warranty lasts 2 months.", "1,20 pounds", "200 pounds", "7:3", "00"]
)
def test_part_of_a_number_or_word_is_not_said(claim: str) -> None:
    assert quoted(claim) is None


def test_a_number_is_the_same_with_its_thousands_separator() -> None:
    assert quoted("The fee is 1200 pounds a year.") == "The fee is 1,200 pounds a year."


def test_a_bare_yes_stands_on_what_was_asked() -> None:
    place = quoted("Yes.", "Does the warranty cover pumps and boilers?")
    assert place is not None
    assert place.endswith("It covers pumps and boilers.")
    assert quoted("Yes.", "Is the mayor a beekeeper?") is None


@pytest.mark.parametrize(
    ("claim", "question"),
    [
        ("The warranty.", "What is the warranty?"),
        ("the Tern machine", "Who makes the Tern machine?"),
        ("保修期", "什么是保修期？"),
    ],
)
def test_the_words_of_the_question_are_no_answer(claim: str, question: str) -> None:
    assert quoted(claim, question) is None


@pytest.mark.parametrize(
    ("claim", "question", "place"),
    [
        ("Pumps", "Which are covered, pumps or seals?", "It covers pumps and boilers."),
        ("Seals are not covered", "Are seals not covered?", "Seals are not covered by the warranty."),
        ("密封圈", "密封圈和燕鸥，哪个不在保修范围内？", "密封圈不在保修范围内。"),
    ],
)
def test_what_the_question_offers_is_an_answer(claim: str, question: str, place: str) -> None:
    assert quoted(claim, question) == place


def test_a_chunk_about_its_neighbour_supports_nothing() -> None:
    def about(question: str, shown: list[Passage], hits: list[Hit]) -> list[Passage]:
        return on_topic(Evidence(Asked(read_question(question), question), tuple(hits), tuple(shown)))

    texts = ("The Tern 2 has a boiler.", "The Wren weighs 4 kg and has a boiler.", "燕鸥 2 重 9 千克。")
    shown = passages(*texts)
    hits = [Hit(i, 0.5, p.chunk) for i, p in enumerate(shown, start=1)]
    assert about("How heavy is the Tern 2?", shown, hits) == [shown[0], shown[2]]
    assert about("What has a boiler?", shown, hits) == shown
    beside = [*shown, Passage(Chunk("0.md", "It weighs 9 kg.", 400, 415), 400, 415)]
    more = [*hits, Hit(4, 0.4, beside[3].chunk)]
    assert about("How heavy is the Tern 2?", beside, more) == [shown[0], shown[2], beside[3]]
    assert about("Who was Ada?", shown, hits) == shown
    assert about("Who was Ada?", [], []) == []
    assert about("Does the Tern 3 have a boiler?", shown, hits) == [shown[2]]
    assert about("燕鸥 3 有多重？", shown, hits) == shown[:2]
    assert about("Does the Tern 1 have a boiler in 2024?", shown, hits) == [shown[2]]
    many = passages("Tern 1, 2 and 3: a boiler.")
    assert about("Does the Tern 3 have a boiler?", many, [Hit(1, 0.5, many[0].chunk)]) == many
    named = [Passage(Chunk("tern 2.pdf", "It has a boiler.", 0, 16), 0, 16)]
    assert about("Does the Tern 3 have a boiler?", named, [Hit(1, 0.5, named[0].chunk)]) == []
    assert about("Does the Tern 2 have a boiler?", named, [Hit(1, 0.5, named[0].chunk)]) == named
    assert about("What is the difference between the Tern 2 and the Wren?", shown, hits) == shown


def test_yes_and_the_reason() -> None:
    assert quoted("No, seals are not covered.", "Are seals covered?") == "Seals are not covered by the warranty."
    assert quoted("不可以，密封圈不在保修范围内。", "密封圈保修吗？") == "密封圈不在保修范围内。"


def test_the_place_that_shares_most_with_the_question() -> None:
    texts = ("The pump costs 30 pounds. Delivery takes 30 days.", "Returns are taken back within 30 days.")
    assert quoted("30 days", "How long does delivery take?", texts) == "Delivery takes 30 days."
    assert quoted("30 days", "When are returns taken back?", texts) == "Returns are taken back within 30 days."


PARTS = ("部件 | 更换周期\n密封圈 LH-P205 | 10 个月\n分水网 LH-P207 | 18 个月",)
BOILERS = ("咖啡锅炉 | 0.45 升，不锈钢\n蒸汽锅炉 | 1.4 升，不锈钢",)


@pytest.mark.parametrize(
    ("claim", "question", "texts", "row"),
    [
        ("密封圈每 10 个月更换一次。", "密封圈多久更换一次？", PARTS, "密封圈 LH-P205 | 10 个月"),
        ("密封圈每 18 个月更换一次。", "密封圈多久更换一次？", PARTS, None),
        ("咖啡锅炉容量是 0.45 升。", "咖啡锅炉的容量是多少？", BOILERS, "咖啡锅炉 | 0.45 升，不锈钢"),
        ("咖啡锅炉容量是 1.4 升。", "咖啡锅炉的容量是多少？", BOILERS, None),
    ],
)
def test_a_row_of_a_table(claim: str, question: str, texts: tuple[str, ...], row: str | None) -> None:
    assert quoted(claim, question, texts) == row


def test_over_two_sentences() -> None:
    assert quoted("Pumps, boilers: covered; seals: not covered.") == (
        "It covers pumps and boilers. Seals are not covered by the warranty."
    )


@pytest.mark.models
def test_across_languages() -> None:
    from rag.embedders import load_embedder

    embedder = load_embedder("bilingual")

    def place(claim: str, question: str, text: str) -> str | None:
        found = next(find_supports(claim, question, passages(text), embedder), None)
        return text[found.start - 100 : found.end - 100] if found else None

    returns = "收到商品后 30 天内可以退货。"
    assert (
        place("You can return it within 30 days of receiving it.", "Until when can I return it?", CHINESE)
        == returns
    )
    assert (
        place("You can return it within 40 days of receiving it.", "Until when can I return it?", CHINESE) is None
    )
    assert place("保修期为 24 个月。", "保修期多久？", WARRANTY) == TERM
    assert place("保修期为 36 个月。", "保修期多久？", WARRANTY) is None


FLIGHTS = ("It is paid from seven hours. Nine hours is the limit of a working day.",)


def test_a_number_in_digits_is_supported_by_its_word() -> None:
    asked = "From what length of flight is it paid?"
    assert quoted("7 hours", asked, FLIGHTS) == "It is paid from seven hours."
    assert quoted("8 hours", asked, FLIGHTS) is None


def test_a_figure_of_another_row_supports_nothing() -> None:
    table = ("| Machine | Months |\n|---|---|\n| Heron | 24 months |\n| Wren | 36 months |",)
    assert quoted("Heron: 24 months", "How long is the warranty of the Heron?", table) == "| Heron | 24 months |"
    assert quoted("Heron: 36 months", "How long is the warranty of the Heron?", table) is None
