"""How documents come in, are looked into and leave, over the wire."""

from __future__ import annotations

import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

import httpx
import pypdfium2
import pytest
from helpers.serving import FILES, make_index, serving

from rag import RAG
from rag.embedders.hashed import HashedEmbedder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def base(folder: Path) -> Iterator[str]:
    url = make_index(folder, {"office.md": FILES["office.md"]})
    with serving({"notes": url}, uploads=folder / "up", roots=(folder / "docs",)) as address:
        yield address


def ingest(base: str, **what: Any) -> dict[str, Any]:
    """Start a job and wait for its end."""
    got = httpx.post(f"{base}/api/ingest", json=what)
    assert got.status_code == 202, got.text
    job: dict[str, Any] = got.json()
    end = time.monotonic() + 60
    while job["state"] in ("waiting", "running") and time.monotonic() < end:
        time.sleep(0.05)
        job = httpx.get(f"{base}/api/jobs/{job['id']}").json()
    return job


def sources(base: str) -> list[str]:
    return [each["source"] for each in httpx.get(f"{base}/api/sources").json()["sources"]]


def best(base: str, question: str) -> dict[str, Any]:
    hit: dict[str, Any] = httpx.post(f"{base}/api/search", json={"question": question}).json()["hits"][0]
    return hit


def test_an_upload_is_read_asked_and_forgotten(base: str, folder: Path) -> None:
    lamp = "The lamp on the landing is green.\n"
    assert httpx.put(f"{base}/api/uploads/house/lamp.md", content=lamp).json() == {
        "name": "house/lamp.md",
        "bytes": len(lamp),
    }
    job = ingest(base, uploads=["house/lamp.md"])
    assert (job["state"], job["share"], job["report"]["added"]) == ("done", 1.0, 1)
    found = best(base, "What colour is the lamp on the landing?")
    assert found["quote"] == lamp.strip()
    assert httpx.delete(f"{base}/api/sources/{quote(found['source'])}").status_code == 200
    assert sources(base) == ["docs/office.md"]
    assert [file for file in (folder / "up").rglob("*") if file.is_file()] == []
    assert httpx.delete(f"{base}/api/sources/{quote(found['source'])}").status_code == 404


def test_what_cannot_be_read_is_reported_and_the_rest_is_there(base: str) -> None:
    httpx.put(f"{base}/api/uploads/broken.pdf", content=b"%PDF-1.4 and nothing more")
    httpx.put(f"{base}/api/uploads/good.md", content=b"The door is red.")
    job = ingest(base, uploads=["broken.pdf", "good.md"])
    assert [problem["state"] for problem in job["problems"]] in (["failed"], ["skipped"])
    assert job["problems"][0]["name"].endswith("broken.pdf")
    assert job["problems"][0]["reason"]
    assert sum(source.endswith("good.md") for source in sources(base)) == 1


def test_a_full_disk_leaves_nothing(folder: Path) -> None:
    with serving({"notes": f"faiss:{folder / 'index'}"}, uploads=folder / "up", free_disk=1 << 60) as base:
        got = httpx.put(f"{base}/api/uploads/a.md", content=b"words")
        assert (got.status_code, got.json()["error"]["code"]) == (507, "disk_full")
    assert [file for file in (folder / "up").rglob("*") if file.is_file()] == []


def test_an_ingest_beside_the_server_shows_at_the_next_question(base: str, folder: Path) -> None:
    (folder / "docs" / "news.md").write_text("The new canteen serves soup on Tuesdays.")
    with RAG.open(f"faiss:{folder / 'index'}", embedder=HashedEmbedder(), llm="none") as rag:
        rag.ingest(folder / "docs")
    assert best(base, "When does the canteen serve soup?")["source"] == "docs/news.md"


def test_a_folder_of_the_machine_below_a_root_alone(base: str, folder: Path) -> None:
    (folder / "docs" / "more.txt").write_text("The attic is locked.")
    assert ingest(base, paths=[str(folder / "docs")])["report"]["added"] == 1
    got = httpx.post(f"{base}/api/ingest", json={"paths": [str(folder)]})
    assert (got.status_code, got.json()["error"]["code"]) == (403, "outside_roots")


def test_a_job_that_is_stopped_keeps_what_was_read(base: str, folder: Path) -> None:
    for n in range(300):
        (folder / "docs" / f"{n}.md").write_text(f"Room {n} is on floor {n // 10}.")
    job = httpx.post(f"{base}/api/ingest", json={"paths": [str(folder / "docs")]}).json()
    assert httpx.delete(f"{base}/api/jobs/{job['id']}").status_code == 202
    end = time.monotonic() + 60
    while job["state"] in ("waiting", "running") and time.monotonic() < end:
        time.sleep(0.05)
        job = httpx.get(f"{base}/api/jobs/{job['id']}").json()
    assert job["state"] == "stopped"
    assert "docs/office.md" in sources(base)
    assert ingest(base, paths=[str(folder / "docs")])["state"] == "done"
    assert len(sources(base)) == 301


# A look into a document


def text_at(base: str, url: str) -> dict[str, Any]:
    place = {name: values[0] for name, values in parse_qs(url.partition("#")[2]).items()}
    got = httpx.get(f"{base}/api/document/{quote(place.pop('source'))}/text", params=place, timeout=30)
    assert got.status_code == 200, got.text
    page: dict[str, Any] = got.json()
    return page


@pytest.mark.parametrize(
    "question", ["When does the car park open?", "保修期有多久？", "What does Anna Lindqvist have?"]
)
def test_a_passage_stands_where_its_address_says(served: str, question: str) -> None:
    hit = best(served, question)
    page = text_at(served, hit["url"])
    assert page["text"][page["start"] : page["end"]] == hit["quote"]
    assert page["whole"]


def test_the_boxes_of_a_quotation_hold_its_words(served: str) -> None:
    """Said by the answer and by the look into its page, and read again by PDFium."""
    body = {"model": "ragstone", "messages": [{"role": "user", "content": "How often is the boiler descaled?"}]}
    cited = httpx.post(f"{served}/v1/chat/completions", json=body, timeout=30).json()["citations"][0]
    page = text_at(served, cited["url"])
    assert cited["boxes"] == page["boxes"] != []
    paper = pypdfium2.PdfDocument(FILES["manual.pdf"])[cited["page"] - 1]
    assert (page["width"], page["height"]) == paper.get_size()
    text = paper.get_textpage()
    middles = [(left, right, page["height"] - (top + bottom) / 2) for left, top, right, bottom in page["boxes"]]
    inside = [text.get_text_bounded(left, y - 1, right, y + 1) for left, right, y in middles]
    assert re.sub(r"\W", "", "".join(inside)) == re.sub(r"\W", "", cited["quote"])
    picture = httpx.get(f"{served}/api/document/docs/manual.pdf/page/{cited['page']}.png", timeout=30)
    assert picture.content.startswith(b"\x89PNG")
    assert httpx.get(f"{served}/api/document/docs/office.md/page/1.png").status_code == 404


def test_a_table_shows_the_rows_around(served: str) -> None:
    page = text_at(served, best(served, "What extension does Anna Lindqvist have?")["url"])
    assert page["part"] == "row 1"
    assert [row["row"] for row in page["rows"]] == ["row 1", "row 2"]


def test_a_file_that_changed_is_shown_as_it_was_read(base: str, folder: Path) -> None:
    hit = best(base, "When does the car park open?")
    (folder / "docs" / "office.md").write_text("Something else entirely.")
    page = text_at(base, hit["url"])
    assert not page["whole"]
    assert page["text"][page["start"] : page["end"]] == hit["quote"]
    assert not httpx.get(f"{base}/api/sources").json()["sources"][0]["readable"]


def test_a_place_that_is_none_is_not_marked(served: str) -> None:
    page = text_at(served, f"{served}/#source=docs/office.md&start=7&end=100000")
    assert (page["start"], page["end"], page["boxes"]) == (None, None, [])


def test_an_image_is_drawn_as_it_is_meant_to_be_seen(tmp_path: Path) -> None:
    from io import BytesIO

    from PIL import Image

    from rag.server.documents.drawing import Drawing

    turned = Image.Exif()
    turned[0x0112] = 6  # a camera on its side
    Image.new("RGB", (300, 200), "red").save(tmp_path / "photo.jpg", exif=turned)
    drawing = Drawing()
    assert drawing.size(tmp_path / "photo.jpg", "1", 1, "image") == (200, 300)
    shown = Image.open(BytesIO(drawing.png(tmp_path / "photo.jpg", "1", 1, 100, "image")))
    assert shown.size == (100, 150)
    assert shown.convert("RGB").getpixel((50, 50))[0] > 200  # type: ignore[index]


STAFF = [("name", "room"), ("Anna", "B 12"), ("Otto", "C 7")]


def test_a_part_of_a_document_is_found_again(folder: Path) -> None:
    """Rows of a sheet, records, files in an archive: several that begin at the same place."""
    import xlsxwriter

    (folder / "docs").mkdir()
    with xlsxwriter.Workbook(folder / "docs" / "house.xlsx") as book:
        for title, rows in (("Staff", STAFF), ("Keys", [("door", "keeper"), ("cellar", "Otto")])):
            sheet = book.add_worksheet(title)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    with zipfile.ZipFile(folder / "docs" / "notes.zip", "w") as archive:
        archive.writestr("one.md", "The gate is shut at nine.")
        archive.writestr("two.md", "The lift is out of order.")
    with serving({"notes": make_index(folder, {})}) as base:
        for question, words in (
            ("Which room has Otto?", "room: C 7"),
            ("Is the lift out of order?", "The lift is"),
        ):
            hit = best(base, question)
            page = text_at(base, hit["url"])
            assert words in page["text"][page["start"] : page["end"]] == hit["quote"]
            assert page["whole"]
    assert len(page["rows"]) == 0
