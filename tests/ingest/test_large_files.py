"""Files that are too large to be held whole are read piece by piece, and give what they would give whole."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from ingest.loaders import LoadOptions, html, html_stream, load, text
from ingest.long_pages import split_long_pages
from rag.errors import Skip
from rag.types import Page


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "LARGE", 1 << 16)
    monkeypatch.setattr(text, "PIECE", 1001)


def chinese(lines: int) -> str:
    noise = random.Random(3)
    words = ["保修期", "水泵", "除垢", "Tern 2", "二十四个月", "，", "。", " The pump is covered. "]
    return "\r\n".join("".join(noise.choices(words, k=noise.randint(0, 30))) for _ in range(lines))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_large_text_is_that_of_the_file(tmp_path: Path, encoding: str) -> None:
    path, whole = tmp_path / "large.txt", chinese(12_000)
    path.write_bytes(whole.encode(encoding))
    plain = whole.replace("\r\n", "\n")
    pages = list(text.read(path))
    assert len(pages) > 1
    assert "".join(page.text for page in pages) == plain
    assert pages == list(split_long_pages([Page(plain, place="L1")]))


def test_a_text_in_one_line(tmp_path: Path) -> None:
    path, whole = tmp_path / "line.txt", "The Tern 2 needs new seals. " * 30_000
    path.write_text(whole, encoding="utf-8")
    pages = list(load(path, LoadOptions()))
    assert "".join(page.text for page in pages) == whole
    assert [page.text[:4] for page in pages] == ["The "] * len(pages)
    assert {page.place for page in pages} == {"L1"}


@pytest.mark.parametrize("piece", [7, 1001])
def test_a_large_table_is_that_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    noise = random.Random(5)
    cells = ["水泵", '"two\nlines"', '"a ""quoted"" one"', "", '3" pipe', "42"]
    path = tmp_path / "large.csv"
    rows = ("; ".join(noise.choices(cells, k=4)) for _ in range(3000))
    path.write_text("sep=;\nname;place;size;note\n" + "\n".join(rows), encoding="utf-8")
    monkeypatch.setattr(text, "PIECE", piece)
    parts = list(load(path))
    monkeypatch.setattr(text, "LARGE", 1 << 30)
    assert parts == list(load(path))
    assert len(parts) > 2000


def test_broken_bytes_and_binaries(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(chinese(9000).encode() + b"\xff\xfe\xfd" + chinese(9000).encode())
    read = "".join(page.text for page in text.read(path))
    assert read.count("\ufffd") == 3
    assert read.replace("\ufffd", "").startswith(chinese(9000).replace("\r\n", "\n"))
    path.write_bytes(os.urandom(200_000))
    with pytest.raises(Skip, match="binary"):
        list(text.read(path))


PAGE = """<!DOCTYPE html><html><head><title>All  about pumps</title><style>x</style></head><body><nav>no</nav>
<h1>Pumps</h1><p>First <b>words</b> of 10<sup>2</sup> pumps<br>and 水泵。<!-- not this -->
<button aria-controls="more">More</button><div id="more" hidden>Unfolded.</div><div hidden>Never.</div>
<table>{rows}</table><h2>Lists</h2><ol start="3"><li>one<li>two<ul><li>in</ul></ol>
<pre>a  b
 c</pre><table><tr><td><table><tr><td>inner<td>table</table></td></tr></table>
<a href="https://x.example/y.pdf">here</a><h2>End</h2><p>Last & <i>least</i>.</body></html>"""
ROW = "<tr><td rowspan=2>{n}</td><td>Pump {n} has <a href='/p'>seals</a></td></tr><tr><td>more of {n}</td></tr>"


@pytest.mark.parametrize("piece", [7, 1001, 60_000])
def test_a_large_page_is_that_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(text, "PIECE", piece)
    count = 300 if piece < 1000 else 6000
    data = PAGE.format(rows="".join(ROW.format(n=n) for n in range(count))).encode()
    path = tmp_path / "large.html"
    path.write_bytes(data)
    whole = html.page_of(data)
    parts = list(html_stream.stream(path))
    assert "".join(part.text for part in parts) == whole.text
    assert [part.offset for part in parts] == [whole.text.index(part.text) for part in parts]
    assert parts == list(split_long_pages([whole]))
    assert {part.title for part in parts} == {"All about pumps"}


def test_a_large_page_in_an_encoding_of_its_own(tmp_path: Path) -> None:
    data = f"<meta charset=gbk><p>{chinese(4000)}".encode("gb18030")
    path = tmp_path / "large.html"
    path.write_bytes(data)
    assert "".join(page.text for page in html.read(path)) == html.page_of(data).text


def test_rows_are_let_go(tmp_path: Path) -> None:
    page = html_stream._Growing(set())
    page.feed("<table>")
    for n in range(2000):
        page.feed(ROW.format(n=n))
    assert len(list(page._soup.descendants)) < 50
