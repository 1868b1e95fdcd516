"""Office files for the tests of the loaders: packages written part by part, workbooks by a program."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any


def zipped(entries: Mapping[str, bytes | str]) -> bytes:
    """A zip file with these entries, packed."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return out.getvalue()


def workbook(sheets: Mapping[str, Sequence[Sequence[Any]]], hidden: Sequence[str] = ()) -> bytes:
    """An XLSX of rows; dates are shown as such, None leaves a cell empty."""
    import xlsxwriter

    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"default_date_format": "yyyy-mm-dd"}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
            if name in hidden:
                sheet.hide()
    return out.getvalue()


def opendocument(kind: str, body: str) -> bytes:
    """An ODT, ODS or ODP: `kind` is text, spreadsheet or presentation, `body` what stands inside office:`kind`."""
    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "text", "table", "draw", "presentation", "style")
    )
    content = f'<office:document-content {names} office:version="1.2"><office:body>' + (
        f"<office:{kind}>{body}</office:{kind}></office:body></office:document-content>"
    )
    mime = f"application/vnd.oasis.opendocument.{kind}"
    manifest = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{mime}"/>'
        '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/>'
        "</manifest:manifest>"
    )
    return zipped({"mimetype": mime, "META-INF/manifest.xml": manifest, "content.xml": content})


def book(chapters: Sequence[str], title: str, extra: Mapping[str, str] | None = None) -> bytes:
    """An EPUB whose chapters are these bodies of XHTML, listed the other way round than they are read."""
    opf = '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
    opf += f"<dc:title>{title}</dc:title></metadata><manifest>"
    numbers = range(1, len(chapters) + 1)
    opf += "".join(f'<item id="c{n}" href="text/c%20{n}.xhtml"/>' for n in reversed(numbers))
    opf += "</manifest><spine>" + "".join(f'<itemref idref="c{n}"/>' for n in numbers) + "</spine></package>"
    container = '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    container += '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
    texts = {f"OEBPS/text/c {n}.xhtml": f"<html><body>{text}</body></html>" for n, text in enumerate(chapters, 1)}
    return zipped({"META-INF/container.xml": container, "OEBPS/book.opf": opf, **texts, **(extra or {})})
