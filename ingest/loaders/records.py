"""JSON, JSON lines and XML: every record one page of `name: value` lines."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.loaders.package import parse_xml
from ingest.loaders.text import read_text
from rag.errors import LoadError
from rag.types import Page

DEEPEST = 40
_TAGS = re.compile(r"<[^<>]{1,200}>")
_WHOLE = 40
"""A file of fewer lines than this is one record: settings, not a table."""


def read_json(path: Path) -> Iterator[Page]:
    """A page a record: of a list of objects at the top or in a field of it, or a line of JSON lines."""
    text = read_text(path)
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield Page("\n".join(_lines(_parsed(line, f" in line {number}"), "")), label=f"line {number}")
        return
    data = _parsed(text, "")
    rest, records = _records(data)
    if rest is not None and (said := "\n".join(_lines(rest, ""))):
        yield Page(said)
    for number, record in enumerate(records, 1):
        yield Page("\n".join(_lines(record, "")), label=f"record {number}")


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise LoadError(f"not readable JSON{where}: too deep") from error
    except ValueError as error:
        raise LoadError(f"not readable JSON{where}: {error}") from error


def _records(data: Any) -> tuple[Any, list[Any]]:
    """What stands outside the records (None for nothing), and the records."""
    if isinstance(data, list):
        several = len(data) > 1 and any(isinstance(each, dict) for each in data)
        return (None, data) if several else (data, [])
    if isinstance(data, dict):
        lists = [
            key for key, each in data.items() if isinstance(each, list) and each and isinstance(each[0], dict)
        ]
        if len(lists) == 1 and len(data[lists[0]]) > 2:
            return {key: each for key, each in data.items() if key != lists[0]}, data[lists[0]]
    return data, []


def _lines(data: Any, name: str, depth: int = 0) -> Iterator[str]:
    if depth > DEEPEST:
        yield f"{name}: …"
    elif isinstance(data, dict):
        for key, each in data.items():
            yield from _lines(each, f"{name}.{key}" if name else str(key), depth + 1)
    elif isinstance(data, list):
        if all(not isinstance(each, dict | list) for each in data):
            if data:
                yield f"{name}: {', '.join(map(_said, data))}" if name else ", ".join(map(_said, data))
        else:
            for number, each in enumerate(data, 1):
                yield from _lines(each, f"{name} {number}".strip(), depth + 1)
    elif data not in (None, ""):
        yield f"{name}: {_said(data)}" if name else _said(data)


def _said(value: Any) -> str:
    return {True: "yes", False: "no", None: ""}[value] if value is None or isinstance(value, bool) else str(value)


def read_xml(path: Path) -> Iterator[Page]:
    """A page for each of the elements that come again and again (an item of a feed), else one page."""
    root = parse_xml(path.read_bytes())
    kind = _repeated(root)
    if kind is None:
        yield Page("\n".join(_elements(root, "")))
        return
    parent, tag = kind
    rest = "\n".join(line for child in parent if child.tag != tag for line in _elements(child, ""))
    if rest:
        yield Page(rest)
    for number, child in enumerate(parent.findall(tag), 1):
        yield Page("\n".join(_elements(child, "")), label=f"{_local(child)} {number}")


def _repeated(root: Any) -> tuple[Any, str] | None:
    for parent in root.iter():
        tags = Counter(child.tag for child in parent if isinstance(child.tag, str) and len(child))
        if tags and (best := tags.most_common(1)[0])[1] > 2:
            return parent, best[0]
    return None


def _elements(element: Any, above: str, depth: int = 0) -> Iterator[str]:
    if not isinstance(element.tag, str) or depth > DEEPEST:
        return
    name = f"{above}.{_local(element)}" if above else _local(element)
    for key, said in element.attrib.items():
        if said.strip() and len(said) < 300:
            yield f"{name} {key.rpartition('}')[2]}: {said.strip()}"
    text = " ".join(_TAGS.sub(" ", element.text or "").split())
    if len(element) and any((child.tail or "").strip() for child in element):
        text, children = " ".join(" ".join(element.itertext()).split()), []
    else:
        children = list(element)
    if text:
        yield f"{name}: {text}"
    for child in children:
        yield from _elements(child, name if depth else "", depth + 1)


def _local(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]
