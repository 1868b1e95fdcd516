"""Pages of PDFs drawn as scans and read by OCR: errors a letter, seconds a page.

    python -m benchmarks.scans [FILE.pdf ...]     (the sample folder's own, in Chinese and English, unless named)

Each page is drawn clean at 200 dots an inch, at 150, turned by two degrees, with noise, and as a photograph (in
perspective, unevenly lit, out of focus). An error is a letter to insert, take away or change until what was read
is what the page's own text says, white space and the marks between cells aside. Needs the extra `ocr`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pypdfium2 as pdfium

from ingest.loaders.layout.compose import compose
from ingest.loaders.layout.order import lines_of
from ingest.loaders.ocr import page_of
from ingest.loaders.pdfium import read_sheet

DOCS = Path(__file__).resolve().parent.parent / "data" / "docs"
Picture = Any


def noisy(picture: Picture) -> Picture:
    """Grains, and the blocks of a picture that was packed hard."""
    grains = np.random.default_rng(1).normal(0, 25, picture.shape)
    made = np.clip(picture + grains, 0, 255).astype(np.uint8)
    return cv2.imdecode(cv2.imencode(".jpg", made, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_COLOR)


def skewed(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 2, 1)
    return cv2.warpAffine(picture, turn, (width, height), borderValue=(255, 255, 255))


def photographed(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    corners = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    seen = corners + np.float32([[40, 30], [-15, 60], [-60, -20], [10, -50]]) * (width / 1654)
    flat = cv2.warpPerspective(
        picture, cv2.getPerspectiveTransform(corners, seen), (width, height), borderValue=(90, 100, 110)
    )
    light = np.linspace(1.0, 0.6, width)[None, :, None] * np.linspace(1.0, 0.85, height)[:, None, None]
    return noisy(cv2.GaussianBlur((flat * light).astype(np.uint8), (0, 0), 1.0))


KINDS: dict[str, tuple[int, Callable[[Picture], Picture]]] = {
    "clean": (200, lambda picture: picture),
    "150 dpi": (150, lambda picture: picture),
    "skewed": (200, skewed),
    "noisy": (200, noisy),
    "photographed": (200, photographed),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    for path in parser.parse_args().files or sorted(DOCS.rglob("*.pdf")):
        print(json.dumps({"file": path.name, **figures(path)}, ensure_ascii=False), flush=True)


def figures(path: Path) -> dict[str, dict[str, float]]:
    document = pdfium.PdfDocument(path)
    page_of(np.full((100, 100, 3), 255, np.uint8), 1, 1.0)  # the models are loaded
    found = {}
    for kind, (dpi, spoil) in KINDS.items():
        errors = letters = 0
        seconds = 0.0
        for number in range(1, len(document) + 1):
            right = own_text(document, number)
            picture = spoil(document[number - 1].render(scale=dpi / 72).to_numpy()[:, :, :3].copy())
            began = time.perf_counter()
            page = page_of(np.ascontiguousarray(picture[:, :, ::-1]), number, 72 / dpi)
            seconds += time.perf_counter() - began
            errors += distance(letters_of(page.text if page else ""), right)
            letters += len(right)
        found[kind] = {"errors": round(errors / letters, 4), "seconds": round(seconds / len(document), 2)}
    return found


def own_text(document: pdfium.PdfDocument, number: int) -> str:
    sheet = read_sheet(document, number)
    return letters_of(compose(lines_of(sheet.words, sheet.width))[0])


def letters_of(text: str) -> str:
    return "".join(char for char in text if not char.isspace() and char != "|")


def distance(read: str, right: str) -> int:
    """Edits from one text to the other (Levenshtein), a row of the table at a time."""
    codes = np.frombuffer(right.encode("utf-32-le"), "<u4")
    row = np.arange(len(codes) + 1)
    steps = np.arange(len(codes) + 1)
    for i, char in enumerate(read, 1):
        changed = np.minimum(row[:-1] + (codes != ord(char)), row[1:] + 1)
        row = np.minimum.accumulate(np.concatenate(([i], changed)) - steps) + steps
    return int(row[-1])


if __name__ == "__main__":
    main()
