"""The place of a text: what is kept gives back the boxes of any part of it."""

from rag.text.place import boxes, cut, encode, lines, lines_from
from rag.types import Box

TEXT = "The siphon of\nthe kettle 夜班津贴"
WORDS = [
    (0, 3, 2, 72.0, 100.0, 90.0, 112.0),
    (4, 10, 2, 93.5, 100.0, 130.0, 112.0),
    (11, 13, 2, 133.0, 100.0, 142.25, 112.0),
    (14, 17, 3, 72.0, 50.0, 88.0, 62.0),
    (18, 24, 3, 91.0, 50.0, 125.0, 62.0),
    (25, 29, 3, 128.0, 50.0, 176.0, 62.0),
]


def test_a_box_for_each_line_and_page_of_what_is_asked() -> None:
    place = encode(WORDS)
    assert boxes(place, 4, 17) == (Box(2, 93.5, 100.0, 142.25, 112.0), Box(3, 72.0, 50.0, 88.0, 62.0))
    assert boxes(place, 26, 28) == (Box(3, 140.0, 50.0, 164.0, 62.0),)  # two of four Han characters
    assert boxes(place, 13, 14) == ()


def test_a_part_has_the_places_of_its_words() -> None:
    part = cut(encode(WORDS), TEXT, 14, 24)
    assert boxes(part, 0, 3) == (Box(3, 72.0, 50.0, 88.0, 62.0),)
    assert boxes(part, 0, 10) == (Box(3, 72.0, 50.0, 125.0, 62.0),)
    assert cut("", TEXT, 0, 4) == "" == encode([])


def test_lines_of_a_text_file() -> None:
    text = "one\ntwo\nthree\n"
    part = cut(lines_from(1), text, 4, 14)
    assert lines(part, text[4:14], 0, 3) == (2, 2)
    assert lines(part, text[4:14], 0, 10) == (2, 3)
    assert lines(encode(WORDS), TEXT, 0, 3) is None
    assert boxes(part, 0, 3) == ()


def test_it_is_short() -> None:
    words = [
        (i * 7, i * 7 + 6, 1, 72 + i % 10 * 40, 80 + i // 10 * 14, 106 + i % 10 * 40, 92 + i // 10 * 14)
        for i in range(350)
    ]
    assert len(encode(words)) < 7 * 350 / 2
