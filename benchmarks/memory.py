"""Peak memory of `rag ingest`, all its processes together, for files of growing size.

    python -m benchmarks.memory --embedder hashed --rows 10000 100000 1000000

Prints one JSON object a file: megabytes (proportional set size, so that what processes share counts once) and
the ratio to the first.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

VOCABULARY = 5000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--embedder", default="hashed")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--line", type=int, default=20_000_000, help="characters of a text in one line")
    parser.add_argument("--html", type=int, default=20_000, help="rows of a table in HTML")
    parser.add_argument("--pages", type=int, default=500, help="pages of a PDF")
    options = parser.parse_args()
    first = 0.0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        for path in files(folder, options.rows, options.line, options.html, options.pages):
            peak, seconds, said = ingest(path, folder / f"index of {path.stem}", options.embedder)
            first = first or peak
            row = {
                "file": path.name,
                "MB": round(peak),
                "ratio": round(peak / first, 2),
                "seconds": round(seconds),
            }
            print(json.dumps({**row, "said": said}), flush=True)


def files(folder: Path, rows: list[int], line: int, html: int, pages: int) -> Iterator[Path]:
    """A CSV for each number of `rows`, a text in one line, a table in HTML, a PDF; made one after the other."""
    noise = random.Random(1)
    words = [
        "".join(noise.choices("abcdefghijklmnopqrstuvwxyz", k=noise.randint(3, 9))) for _ in range(VOCABULARY)
    ]
    for count in rows:
        path = folder / f"rows-{count}.csv"
        with path.open("w", encoding="utf-8") as file:
            file.write("id,name,text\n")
            for n in range(count):
                file.write(f"{n},{noise.choice(words)}{n},{' '.join(noise.choices(words, k=8))}\n")
        yield path
    if line:
        path = folder / f"line-{line}.txt"
        with path.open("w", encoding="utf-8") as file:
            while file.tell() < line - 100:
                file.write(" ".join(noise.choices(words, k=9)) + ". ")
        yield path
    if html:
        path = folder / f"table-{html}.html"
        with path.open("w", encoding="utf-8") as file:
            file.write("<table><tr><th>id</th><th>text</th></tr>")
            for n in range(html):
                file.write(f"<tr><td>{n}</td><td>{' '.join(noise.choices(words, k=8))}</td></tr>")
            file.write("</table>")
        yield path
    if pages:
        path = folder / f"pages-{pages}.pdf"
        path.write_bytes(pdf([[" ".join(noise.choices(words, k=10)) for _ in range(40)] for _ in range(pages)]))
        yield path


def pdf(pages: list[list[str]]) -> bytes:
    """A PDF with one page for each list of lines."""
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"", b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    kids = []
    for lines in pages:
        shown = zlib.compress(f"BT /F1 9 Tf 14 TL 72 720 Td {' '.join(f'({x}) Tj T*' for x in lines)} ET".encode())
        objects.append(b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(shown), shown))
        page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 R>>>>/Contents %d 0 R>>"
        objects.append(page % len(objects))
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(kids), b" ".join(kids))
    body, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    size, at = len(objects) + 1, len(body)
    body += b"xref\n0 %d\n0000000000 65535 f \n" % size + b"".join(b"%010d 00000 n \n" % each for each in offsets)
    return bytes(body + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (size, at))


def ingest(path: Path, index: Path, embedder: str) -> tuple[float, float, str]:
    """Peak megabytes of a `rag ingest` and of what it starts, its seconds, and the end of what it says."""
    began = time.monotonic()
    command = [
        sys.executable,
        "-m",
        "rag",
        "ingest",
        str(path),
        "--embedder",
        embedder,
        "--index",
        f"faiss:{index}",
    ]
    peak = 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout
        while process.poll() is None:
            peak = max(peak, memory(process.pid))
            time.sleep(0.1)
        return peak, time.monotonic() - began, process.stdout.read().strip()[-200:]


def memory(pid: int) -> float:
    """Megabytes of a process and of all below it."""
    kilobytes, waiting = 0, [pid]
    while waiting:
        folder = Path("/proc", str(waiting.pop()))
        try:
            for task in (folder / "task").iterdir():
                waiting += map(int, (task / "children").read_text(encoding="ascii").split())
            lines = (folder / "smaps_rollup").read_text(encoding="ascii").splitlines()
            kilobytes += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except (OSError, StopIteration):
            continue  # it has just ended
    return kilobytes / 1024


if __name__ == "__main__":
    main()
