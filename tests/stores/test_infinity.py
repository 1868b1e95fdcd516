"""Infinity inside this process: the contract and more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from contracts.server_store import ROOT, RemoteContract
from contracts.store import MANIFEST, fill

from rag.errors import StoreError
from rag.stores import open_store

pytestmark = pytest.mark.stores


class TestInfinity(RemoteContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"infinity:{tmp_path / '索引 1'}"

    def test_opening_makes_nothing(self, url: str, tmp_path: Path) -> None:
        store = open_store(url)
        assert store.manifest() is None
        store.close()
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_in_use_by_another_process(self, url: str) -> None:
        store = open_store(url)
        with store.write(MANIFEST) as writer:
            fill(writer)
            writer.commit()
        code = (
            "import sys\nfrom rag.stores import open_store\n"
            "try:\n    open_store(sys.argv[1]).documents()\n"
            "except Exception as error:\n    print(type(error).__name__, error)\n"
        )
        command = [sys.executable, "-c", code, url]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert said.startswith("StoreError the Infinity folder ")
        assert "one in at a time" in said
        assert said.count("\n") == 1
        store.close()

    def test_one_folder_in_a_process(self, url: str) -> None:
        store = open_store(url)
        with store.write(MANIFEST) as writer:
            fill(writer)
            writer.commit()
        other = open_store(f"{url}2")
        with pytest.raises(StoreError, match="one folder in a process"), other.write(MANIFEST):
            pass
        store.close()
        with other.write(MANIFEST) as writer:
            fill(writer)
            writer.commit()
        assert len(other.documents()) == 3
        other.close()

    def test_nothing_is_printed(self, url: str) -> None:
        code = "import sys\nfrom rag.stores import open_store\nstore = open_store(sys.argv[1])\n"
        code += "with store.write(__import__('contracts.store').store.MANIFEST): pass\nstore.close()\n"
        command = [sys.executable, "-c", f"import sys; sys.path.insert(0, 'tests')\n{code}", url]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout == ""
