"""Archives made here: paths inside as labels, nothing written beside them, and bombs of every kind bounded."""

from __future__ import annotations

import gzip
import io
import logging
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from helpers.office import workbook, zipped
from helpers.samples import pdf_of

from ingest.loaders import LARGEST, LoadOptions, load
from ingest.loaders.package import check_size
from ingest.reader_pool import Reader
from rag.errors import LoadError, Skip


def read(folder: Path, name: str, data: bytes) -> list[tuple[str | None, str]]:
    (folder / name).write_bytes(data)
    return [(page.label, page.text.strip()) for page in load(folder / name)]


def tarred(entries: dict[str, bytes], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in entries.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


FILES = {"docs/b.md": b"# Tea\ngreen", "docs/a.csv": "名,数\n茶,5\n".encode(), ".hidden/x.txt": b"x"}


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz"])
def test_files_inside_are_labelled_with_their_path(tmp_path: Path, name: str) -> None:
    data = zipped(FILES) if name == "a.zip" else tarred(FILES, "w:gz" if name == "a.tgz" else "w")
    assert set(read(tmp_path, name, data)) == {
        ("docs/a.csv · row 1", "名: 茶\n数: 5"),
        ("docs/b.md", "# Tea\ngreen"),
    }
    assert [page.title for page in load(tmp_path / name)] == ["a", ""]


def test_a_packed_file_without_an_archive(tmp_path: Path) -> None:
    assert read(tmp_path, "notes.txt.gz", gzip.compress(b"hello")) == [("notes.txt", "hello")]


def test_archives_in_archives_and_what_cannot_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    inner = zipped({"list.xlsx": workbook({"S": [["Part", "Price"], ["Valve", 12]]})})
    with caplog.at_level(logging.WARNING):
        found = read(tmp_path, "a.zip", zipped({"in.zip": inner, "run.exe": b"MZ", "broken.docx": b"PK"}))
    assert found == [("in.zip · list.xlsx · S, row 2", "Part: Valve\nPrice: 12")]
    assert len(caplog.messages) == 1
    assert "run.exe (unsupported: .exe)" in caplog.messages[0] and "broken.docx (not a" in caplog.messages[0]


def test_one_broken_file_inside_harms_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = zipped({"a.txt": b"first" * 50, "b.txt": b"second"})
    broken = data.replace(data[35:38], b"\0\0\0", 1)
    with caplog.at_level(logging.WARNING):
        assert read(tmp_path, "a.zip", broken) == [("b.txt", "second")]
    assert "a.txt (broken: " in caplog.text


@pytest.mark.parametrize("name", ["../../evil.txt", "/etc/evil.txt", "C:\\evil.txt", "..\\evil.txt"])
def test_names_that_lead_out_lead_nowhere(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    for suffix, data in (("zip", zipped({name: b"text"})), ("tar", tarred({name: b"text"}))):
        ((label, text),) = read(tmp_path, f"a.{suffix}", data)
        assert text == "text" and label and ".." not in label and not label.startswith(("/", "\\"))
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["a.tar", "a.zip", "tmp"]


def test_links_in_an_archive_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("hidden")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        link = tarfile.TarInfo("link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret.txt")
        archive.addfile(link)
    with pytest.raises(Skip, match="it is empty"):
        read(tmp_path, "a.tar", out.getvalue())


def test_names_in_gbk(tmp_path: Path) -> None:
    data = zipped({"xxxx.txt": b"text"}).replace(b"xxxx.txt", "合同".encode("gbk") + b".txt")
    assert read(tmp_path, "a.zip", data) == [("合同.txt", "text")]


# ── bombs ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_that_unpacks_to_too_much(tmp_path: Path) -> None:
    with pytest.raises(Skip, match=r"^too large: 60,000 members, and the most is [\d,]+$"):
        check_size(1000, 60_000, 1000)
    with pytest.raises(Skip, match=r"^too large: unpacks to 20 MB, \d+ times its size$"):
        read(tmp_path, "a.zip", zipped({"a.txt": bytes(20 << 20)}))
    with pytest.raises(Skip, match=r"^too large: unpacks to more than 200 MB"):
        read(tmp_path, "a.txt.gz", gzip.compress(b"x" * (LARGEST + 1), 1))


def test_a_tar_that_says_it_is_huge(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("a.txt")
    entry.size = 1 << 40
    with pytest.raises(Skip, match=r"^too large: unpacks to more than 200 MB"):
        read(tmp_path, "a.tar", entry.tobuf() + bytes(1024))


def test_archives_that_are_large_only_together(tmp_path: Path) -> None:
    small = zipped({"a.exe": bytes(9 << 20)})  # each passes alone
    with pytest.raises(Skip, match=r"too large: unpacks to more than 200 MB"):
        read(tmp_path, "a.zip", zipped({f"{n}.zip": small for n in range(30)}))


def test_archives_in_one_another_without_end(tmp_path: Path) -> None:
    data = zipped({"a.txt": b"deepest"})
    for _ in range(6):
        data = zipped({"a.zip": data})
    with pytest.raises(Skip, match="more than 3 files inside one another"):
        read(tmp_path, "a.zip", data)


def test_too_many_files(tmp_path: Path) -> None:
    with pytest.raises(Skip, match=r"^too large: "):
        read(tmp_path, "a.tar", tarred({f"{n}.exe": b"" for n in range(20_001)}))


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.gz", "a.xz"])
@pytest.mark.parametrize("data", [b"no archive", b"PK\x05\x06", b"\x1f\x8b\x08" + bytes(40)])
def test_what_is_no_archive_is_one_sentence(tmp_path: Path, name: str, data: bytes) -> None:
    with pytest.raises(LoadError, match=r"^[^\n]+$"):
        read(tmp_path, name, data)


def test_an_archive_with_a_password(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.txt": b"text"}))
    for sign, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(sign) + at] |= 1
    assert zipfile.ZipFile(io.BytesIO(data)).infolist()[0].flag_bits & 1
    with pytest.raises(Skip, match=r"^encrypted$"):
        read(tmp_path, "a.zip", bytes(data))


def test_nothing_is_left_of_a_file_whose_reading_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    slow = b"BT /F1 12 Tf 72 720 Td " + b"<00410020> Tj " * 3_000_000 + b"ET"
    (tmp_path / "a.zip").write_bytes(zipped({"slow.pdf": pdf_of([slow])}))
    reader = Reader(LoadOptions(max_seconds=3))
    with pytest.raises(LoadError, match=r"^took longer than 3 s$"):
        reader.load(tmp_path / "a.zip")
    reader.close()
    assert list((tmp_path / "tmp").iterdir()) == []
