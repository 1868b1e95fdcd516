"""Words on a page to rows of tables and columns of text: what a person sees, from boxes alone."""

from __future__ import annotations

from ingest.loaders.layout.order import lines_of
from ingest.loaders.layout.words import Word

WIDTH = 500.0
LETTER = 5.0


def at(x: float, y: float, text: str, size: float = 10.0) -> list[Word]:
    """The words of `text` from `x` on, spaces as wide as a typewriter's third."""
    words = []
    for part in text.split():
        words.append(Word(part, x, y, x + LETTER * len(part), y + size))
        x += LETTER * len(part) + 2.5
    return words


def page(*rows: tuple[float, dict[float, str]]) -> list[str]:
    words = [word for y, cells in rows for x, text in cells.items() for word in at(x, y, text)]
    return [line.text for line in lines_of(words, WIDTH)]


def test_a_caption_below_a_table_does_not_join_its_columns() -> None:
    rows = [(100.0 + 12 * i, {50.0: f"item{i}", 150.0: "1", 200.0: "2", 250.0: "3"}) for i in range(4)]
    assert page(*rows, (160.0, {100.0: "Figure 1. What the items count over the columns"}))[:4] == [
        f"item{i} | 1 | 2 | 3" for i in range(4)
    ]


def test_a_table_below_another_has_columns_of_its_own() -> None:
    assert page(
        (100.0, {50.0: "Name", 150.0: "Diaz", 300.0: "Year", 400.0: "2022"}),
        (112.0, {50.0: "Claim", 150.0: "SF-1", 300.0: "Make", 400.0: "Jeep"}),
        (124.0, {170.0: "The totals of the whole house"}),
        (136.0, {220.0: "Hours", 300.0: "Rate", 400.0: "Cost"}),
        (148.0, {50.0: "Body", 220.0: "2", 300.0: "150", 400.0: "300"}),
    ) == [
        "Name | Diaz | Year | 2022",
        "Claim | SF-1 | Make | Jeep",
        "The totals of the whole house",
        " | Hours | Rate | Cost",
        "Body | 2 | 150 | 300",
    ]


def test_a_cell_over_two_columns_leaves_them_two() -> None:
    assert page(
        (100.0, {120.0: "Berlin", 200.0: "Wien", 260.0: "Paris"}),
        (112.0, {50.0: "Country", 120.0: "DE", 200.0: "AT", 260.0: "FR"}),
        (124.0, {50.0: "Money", 120.0: "also", 222.0: "the euro of both"}),
        (136.0, {50.0: "People", 120.0: "83", 200.0: "9", 260.0: "67"}),
    ) == [
        " | Berlin | Wien | Paris",
        "Country | DE | AT | FR",
        "Money | also | the euro of both | ",
        "People | 83 | 9 | 67",
    ]


def test_names_of_columns_as_near_as_words_are_cells() -> None:
    assert page(
        (100.0, {50.0: "Item", 150.0: "Unit Cost", 205.0: "Sum"}),
        (112.0, {50.0: "A-1", 150.0: "32.50", 205.0: "65"}),
        (124.0, {50.0: "A-2", 150.0: "12.00", 205.0: "24"}),
    ) == ["Item | Unit Cost | Sum", "A-1 | 32.50 | 65", "A-2 | 12.00 | 24"]


def test_rows_without_a_first_cell_are_rows_where_all_stand_alike() -> None:
    assert page(
        (100.0, {50.0: "Supplies"}),
        (112.0, {50.0: "Parts", 120.0: "all", 250.0: "15"}),
        (124.0, {120.0: "Paint", 250.0: "60"}),
        (136.0, {120.0: "Body", 250.0: "30"}),
        (148.0, {50.0: "Other", 250.0: "15"}),
        (172.0, {50.0: "Note", 120.0: "none"}),
    )[2:4] == [" | Paint | 60", " | Body | 30"]


def test_cells_of_several_lines_are_joined_where_rows_stand_further_apart() -> None:
    assert page(
        (100.0, {50.0: "Stable", 150.0: "4.0 of"}),
        (111.0, {150.0: "December"}),
        (130.0, {50.0: "Written", 150.0: "Java,"}),
        (141.0, {150.0: "CSS"}),
        (160.0, {50.0: "Size", 150.0: "3 MB"}),
    ) == ["Stable | 4.0 of December", "Written | Java, CSS", "Size | 3 MB"]


def test_two_columns_of_text_beside_a_figure_stay_text() -> None:
    left, right = "the engine reads one line after", "and it stops where none is left"
    rows = [(100.0 + 12 * i, {50.0: left, 280.0: right}) for i in range(6)]
    figure = [(172.0 + 12 * i, {50.0: left, 290.0: "box", 360.0: "arrow"}) for i in range(2)]
    lines = page(*rows, *figure, (196.0, {50.0: left, 280.0: right}), (208.0, {50.0: left, 280.0: right}))
    assert lines[:10] == [left] * 10
