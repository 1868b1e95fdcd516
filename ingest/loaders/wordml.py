"""The text of WordprocessingML: runs, raised and struck letters, equations, boxes that are ticked, notes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ingest.loaders.superscript import superscript

_NAMESPACES = {
    "w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    "r": "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
    "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
    "wp": "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing",
}


def qn(name: str) -> str:
    """ "w:p" as lxml writes it."""
    prefix, _, local = name.partition(":")
    return f"{{{_NAMESPACES[prefix]}}}{local}"


# Removed by tracked changes, a second copy for old readers of what is there already, the code of a field.
_GONE = frozenset(map(qn, ("w:del", "w:moveFrom", "mc:Fallback", "w:instrText", "w:delText")))
_TEXT = frozenset(map(qn, ("w:t", "m:t")))
_BLANKS = {qn("w:tab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-"}
_P, _R, _SYM, _LINK = qn("w:p"), qn("w:r"), qn("w:sym"), qn("w:hyperlink")
_OFF = ("0", "false", "off", "none")
# Of the symbol fonts, the boxes: which of two is ticked is all that a form says.
_SYMBOLS = {
    "F0FE": "☒", "F0FD": "☒", "F078": "☒", "F052": "☒", "F0FC": "✓", "F0A8": "☐", "F06F": "☐", "F0A3": "☐",
    "F071": "☐", "F0B7": "•", "F0A7": "•", "F0E0": "→",
}  # fmt: skip
_FILE = re.compile(r"[/.]\S*$")


class Runs:
    """Reads paragraphs; `links` are addresses by relation, `notes` the notes by kind and id."""

    def __init__(self, links: Mapping[str, str], notes: Mapping[str, Mapping[str, Any]]) -> None:
        self._links, self._notes = links, notes
        self._waiting: list[str] = []
        self._count = 0

    def take_notes(self) -> list[str]:
        """The notes that the paragraphs read since the last call refer to."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def is_gone(self, element: Any) -> bool:
        """Is it left out: deleted, hidden, struck, or said elsewhere?"""
        if element.tag in _GONE:
            return True
        properties = element.find(qn("w:rPr")) if element.tag == _R else None
        return properties is not None and any(
            _is_on(properties, name) for name in ("w:vanish", "w:strike", "w:dstrike")
        )

    def text(self, element: Any) -> str:
        """The visible text under an element; paragraphs inside it (cells, text boxes) begin new lines."""
        parts: list[str] = []
        stack: list[tuple[Any, Any]] = [(element, iter(element))]
        while stack:
            child = next(stack[-1][1], None)
            if child is None:
                self._close(stack.pop()[0], parts)
            elif not isinstance(child.tag, str) or self.is_gone(child):
                continue
            elif (said := self._leaf(child, parts)) is not None:
                parts.append(said)
            else:
                if child.tag == _P and parts:
                    parts.append("\n")
                stack.append((child, iter(child)))
        return "".join(parts)

    def _close(self, element: Any, parts: list[str]) -> None:
        if element.tag == _LINK:
            address = self._links.get(str(element.get(qn("r:id"))), "")
            if address.startswith(("http", "mailto:")) and address.removeprefix("mailto:") not in "".join(parts):
                parts.append(f" ({address.removeprefix('mailto:')})")

    def _leaf(self, child: Any, parts: list[str]) -> str | None:  # noqa: PLR0911 - one for each kind
        """What an element says by itself, None where its children say it."""
        local = child.tag.rpartition("}")[2]
        if child.tag in _TEXT:
            text = child.text or ""
            return superscript("".join(parts[-3:]), text) if _is_raised(child) and text.strip() else text
        if child.tag in _BLANKS:
            return _BLANKS[child.tag]
        if child.tag == _SYM:
            return _SYMBOLS.get(str(child.get(qn("w:char"))).upper(), "")
        if local in ("footnoteReference", "endnoteReference"):
            return self._note(local.removesuffix("Reference"), str(child.get(qn("w:id"))), parts)
        if local == "checkBox":
            return _ticked(child)
        if local == "ddList":
            return ""
        if child.tag == qn("wp:docPr"):
            said = " ".join((child.get("descr") or "").split())
            return f" [{said}] " if said else ""
        if child.tag in (qn("m:oMath"), qn("m:oMathPara")):
            return _formula(child)
        return None

    def _note(self, kind: str, key: str, parts: list[str]) -> str:
        note = self._notes.get(kind, {}).get(key)
        if note is None:
            return ""
        self._count += 1
        mark = superscript("1", str(self._count))
        text = " ".join(self.text(note).split())
        if text:
            self._waiting.append(f"{mark} {text}")
        return mark if parts else ""


def _is_on(properties: Any, name: str) -> bool:
    found = properties.find(qn(name))
    return found is not None and found.get(qn("w:val")) not in _OFF


def _is_raised(text: Any) -> bool:
    properties = text.getparent().find(qn("w:rPr"))
    return properties is not None and value(properties, "w:vertAlign") == "superscript"


def _ticked(box: Any) -> str:
    for name in ("w:checked", "w:default"):
        state = box.find(qn(name))
        if state is not None:
            return "☐ " if state.get(qn("w:val")) in _OFF else "☒ "
    return "☐ "


def _formula(element: Any, depth: int = 0) -> str:  # noqa: PLR0911 - one for each kind
    """An equation in a line: fractions with a slash, powers raised, roots with their sign."""
    if depth > 40:
        return "".join(element.itertext())
    local = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""

    def part(name: str) -> str:
        found = element.find(qn(f"m:{name}"))
        return _formula(found, depth + 1) if found is not None else ""

    match local:
        case "t":
            return element.text or ""
        case "f":
            return f"{_bracketed(part('num'))}/{_bracketed(part('den'))}"
        case "sSup":
            return _power(part("e"), part("sup"))
        case "sSub":
            return f"{part('e')}_{_bracketed(part('sub'))}"
        case "sSubSup":
            return _power(f"{part('e')}_{_bracketed(part('sub'))}", part("sup"))
        case "rad":
            return f"{part('deg')}√{_bracketed(part('e'))}"
        case "d":
            return f"({', '.join(_formula(each, depth + 1) for each in element.findall(qn('m:e')))})"
        case "nary":
            return f"∑[{part('sub')}..{part('sup')}] {part('e')}"
        case "ctrlPr" | "rPr" | "":
            return ""
        case _:
            return "".join(_formula(each, depth + 1) for each in element)


def _power(base: str, exponent: str) -> str:
    said = superscript("10", exponent)
    return base + said if said != exponent else f"{base}^{_bracketed(exponent)}"


def _bracketed(text: str) -> str:
    return text if re.fullmatch(r"[\w.]+", text) and not re.search(r"\d[A-Za-z]", text) else f"({text})"


def outline(element: Any) -> int | None:
    """The outline level that a style or paragraph states itself, from 1; 9 in the file is body text."""
    properties = element.find(qn("w:pPr"))
    level = value(properties, "w:outlineLvl") if properties is not None else None
    return int(level) + 1 if level and level.isdigit() and int(level) < 9 else None


def value(element: Any, tag: str) -> str | None:
    """The value of a property, None where it is not set."""
    child = element.find(qn(tag))
    found = child.get(qn("w:val")) if child is not None else None
    return None if found is None else str(found)
