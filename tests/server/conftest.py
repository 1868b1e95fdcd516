"""One server for the tests that only read; its model says what a script says."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from helpers.samples import pdf
from helpers.scripted import ScriptedLLM
from helpers.serving import make_index, serving

FILES: dict[str, str | bytes] = {
    "office.md": "# Office\n\n## Parking\n\nThe car park opens at 7:30 and closes at 21:00. "
    "Bicycles stand in the yard.\n\n## Kitchen\n\nThe kitchen is cleaned on Fridays. Coffee is free.\n",
    "保修.md": "# 保修政策\n\n燕鸥咖啡机的保修期为二十四个月。密封圈不在保修范围内。\n",
    "people.csv": "name,city,extension\nAnna Lindqvist,Leeds,7741\n王小梅,杭州,8802\n",
    "manual.pdf": pdf(
        ["Tern manual\nThe tank holds 1.8 litres.", "Care\nDescale the boiler every 400 cups.\n每四百杯除垢一次。"]
    ),
}
SCRIPT = {"car park": "The car park opens at 7:30.", "boiler": "Descale the boiler every 400 cups."}


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server over four notes and a PDF, with a folder that may be ingested."""
    folder = tmp_path_factory.mktemp("served")
    url = make_index(folder, FILES)
    llm = ScriptedLLM(SCRIPT)
    with serving({"notes": url}, llm, uploads=folder / "up", roots=(folder / "docs",), slow=1.0) as base:
        yield base


@pytest.fixture
def client(served: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served, timeout=30) as opened:
        yield opened
