"""What a store on a server must do besides the contract of every store."""

from __future__ import annotations

import fnmatch
import os
import random
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from contracts.store import DIM, MANIFEST, Open, document, fill, passages, texts_of, unit

from rag.errors import IndexLocked, RagError, StoreError
from rag.stores import Store, Writer, open_store
from rag.stores.copy import copy
from rag.text import TERMS, search_terms
from rag.types import Manifest, Where

ROOT = Path(__file__).parents[2]

WRITE = """
import sys
sys.path[:0] = ["tests", "."]
from contracts.store import MANIFEST, document, passages, unit
from rag.stores import open_store
with open_store(sys.argv[1]).write(MANIFEST) as writer:
    for i in range(100):
        writer.put(document(f"{i}.md"), passages(f"{i}.md", [f"number {i}"] * 3), unit(*[[1, i, 0, 0]] * 3))
        if i % 10 == 9:
            writer.commit()
        if i == 57:
            print("stop", flush=True)
            input()
"""


class Proxy:
    """A way to a server that can be cut and opened again."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._pairs: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open()

    def _open(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                here, _ = listener.accept()
                there = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            self._pairs += [here, there]
            threading.Thread(target=self._pump, args=(here, there), daemon=True).start()

    def _pump(self, here: socket.socket, there: socket.socket) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(here, selectors.EVENT_READ, there)
            ready.register(there, selectors.EVENT_READ, here)
            try:
                while True:
                    for key, _ in ready.select():
                        data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                        if not data:
                            return
                        key.data.sendall(data)
            except (OSError, ValueError):
                return
            finally:
                here.close()
                there.close()

    def cut(self) -> None:
        """Nobody gets through any more."""
        for each in (self._listener, *self._pairs):
            with suppress(OSError):  # closed already
                each.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._pairs.clear()

    def mend(self) -> None:
        """Let through again, at the same port."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._open()


def one_line(error: pytest.ExceptionInfo[RagError], *said: str) -> None:
    """The message is one line that says these things, and no password."""
    text = str(error.value)
    assert "\n" not in text
    assert "correct-horse" not in text
    for each in said:
        assert each in text, text


class RemoteContract:
    """Inherit beside `StoreContract`, and give `url`, `proxied` and `small_exact`."""

    @pytest.fixture
    def proxied(self, url: str) -> Iterator[tuple[str, Proxy]]:
        """The same index by way of a proxy."""
        port = url.partition("@127.0.0.1:")[2].partition("/")[0]
        proxy = Proxy(int(port))
        yield url.replace(f":{port}/", f":{proxy.port}/"), proxy
        proxy.cut()

    @pytest.fixture
    def small_exact(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make HNSW serve small indexes too."""
        raise NotImplementedError

    def test_a_killed_writer_loses_only_what_it_had_not_committed(self, opened: Open, url: str) -> None:
        child = subprocess.Popen(
            [sys.executable, "-c", WRITE, url], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline().strip() == b"stop"
        store = opened()
        with pytest.raises(RagError) as error, store.write(MANIFEST):
            pass
        one_line(error, "written to by process", str(child.pid))
        child.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        child.wait()
        child.stdin.close()
        child.stdout.close()
        assert set(store.documents()) == {f"{i}.md" for i in range(50)}
        assert len(store.dense(unit([1, 1, 0, 0])[0], 999)) == 150
        with _soon(store) as writer:
            for i in range(45, 60):
                writer.put(document(f"{i}.md"), passages(f"{i}.md", ["again"] * 2), unit(*[[1, i, 0, 0]] * 2))
            writer.commit()
        assert len(store.documents()) == 60
        assert len(store.lexical(["again"], 999)) == 30
        assert len({each.id for each in store.dense(unit([1, 1, 0, 0])[0], 999)}) == 165

    def test_a_server_that_goes_in_the_middle_of_a_write(self, proxied: tuple[str, Proxy], opened: Open) -> None:
        url, proxy = proxied
        far = open_store(url)
        with pytest.raises(StoreError) as error, far.write(MANIFEST) as writer:
            fill(writer)
            writer.commit()
            writer.put(document("lost.md"), passages("lost.md", ["Lost."]), unit([1, 0, 0, 0]))
            proxy.cut()
            for i in range(2000):
                writer.put(document(f"{i}.md"), passages(f"{i}.md", ["Lost."]), unit([1, 0, 0, 0]))
            writer.commit()
        one_line(error, f"127.0.0.1:{proxy.port}", "run the command again")
        with pytest.raises(StoreError) as error:
            far.documents()
        one_line(error, f"127.0.0.1:{proxy.port}")
        proxy.mend()
        assert len(far.documents()) == 3  # the same store, without being opened again
        assert far.lexical(["lost"], 9) == []
        far.close()
        store = opened()
        with _soon(store) as writer:
            fill(writer)
            writer.put(document("lost.md"), passages("lost.md", ["Found."]), unit([1, 0, 0, 0]))
            writer.commit()
        assert len(store.documents()) == 4
        assert len(store.dense(unit([1, 0, 0, 0])[0], 99)) == 9

    def test_a_server_that_is_not_there(self, url: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            free = taken.getsockname()[1]
        port = url.partition("@127.0.0.1:")[2].partition("/")[0]
        store = open_store(url.replace(f":{port}/", f":{free}/"))
        for action in (store.documents, store.manifest, lambda: store.write(MANIFEST).__enter__()):
            with pytest.raises(StoreError) as error:
                action()
            one_line(error, f"127.0.0.1:{free}")
        store.close()

    def test_a_wrong_password(self, url: str) -> None:
        store = open_store(url.replace("@", ":wrong-horse@"))
        assert "wrong-horse" not in store.url
        with pytest.raises(StoreError) as error:
            store.documents()
        one_line(error, "127.0.0.1", "password")
        assert "wrong-horse" not in str(error.value)
        store.close()

    def test_glob_reads_as_fnmatch(self, opened: Open) -> None:
        rng = random.Random(5)
        names = sorted({"".join(rng.choices("ab[]!^-/组.\\&~@#|(", k=rng.randrange(1, 5))) for _ in range(150)})
        store = opened()
        with store.write(MANIFEST) as writer:
            for name in names:
                writer.put(document(name), passages(name, [name]), unit([1, 0, 0, 0]))
            writer.commit()
        query = unit([1, 0, 0, 0])[0]
        for _ in range(60):
            pattern = "".join(rng.choices("ab*?[]!^-/组.\\&~@#|(", k=rng.randrange(1, 6)))
            found = {
                c.source for c in store.chunks([s.id for s in store.dense(query, 999, Where(source=pattern))])
            }
            assert found == {name for name in names if fnmatch.fnmatchcase(name, pattern)}, pattern

    def test_hnsw_finds_what_exact_search_finds(self, opened: Open, small_exact: None) -> None:
        rng = np.random.default_rng(3)
        vectors = unit(*rng.standard_normal((600, 896)))
        store = opened()
        manifest = Manifest("hashed", "w", 896, terms=TERMS)
        with store.write(manifest) as writer:
            for i in range(0, 600, 100):
                texts = [str(n) for n in range(i, i + 100)]
                writer.put(
                    document(f"{i}.md", "pdf" if i else "md"), passages(f"{i}.md", texts), vectors[i : i + 100]
                )
                writer.commit()
        assert store.statistics()["vectors"] == "HNSW"  # type: ignore[attr-defined]
        for question in unit(*rng.standard_normal((5, 896))):
            exact = vectors @ question
            for where, among in ((None, exact), (Where(type="md"), exact[:100])):
                found = store.dense(question, 10, where)
                best = np.argsort(-among)[:10]
                assert len(set(map(int, texts_of(store, found))) & set(best.tolist())) >= 9
                assert found[0].score == pytest.approx(float(among.max()), abs=1e-3)

    def test_vectors_of_many_dimensions(self, opened: Open) -> None:
        rng = np.random.default_rng(3)
        vectors = unit(*rng.standard_normal((3, 3072)))
        store = opened()
        with store.write(Manifest("hashed", "w", 3072, terms=TERMS)) as writer:
            writer.put(document("a.md"), passages("a.md", ["a", "b", "c"]), vectors)
            writer.commit()
        found = store.dense(vectors[1], 3)
        assert texts_of(store, found)[0] == "b"
        assert found[0].score == pytest.approx(1, abs=1e-3)

    def test_a_term_of_any_length(self, opened: Open) -> None:
        store = opened()
        long = "x" * 40_000
        with store.write(MANIFEST) as writer:
            writer.put(document("a.md"), passages("a.md", [long, "xx"]), unit([1, 0, 0, 0], [1, 0, 0, 0]))
            writer.commit()
            assert texts_of(store, store.lexical(search_terms(long), 9)) == [long]
            assert writer.remove(["a.md"]) == 1
            writer.commit()
        assert store.lexical(search_terms(long), 9) == []

    def test_copy_there_and_back(self, opened: Open, tmp_path: Path) -> None:
        first, there, back = (
            open_store(f"faiss:{tmp_path / 'first'}"),
            opened(),
            open_store(f"faiss:{tmp_path / 'b'}"),
        )
        with first.write(MANIFEST) as writer:
            fill(writer)
            writer.put(document("empty.md"), [], np.empty((0, DIM), np.float32))
            writer.commit()
        with there.write(MANIFEST) as writer:  # an earlier copy was broken off
            writer.put(*first.rows("manual.pdf"))  # type: ignore[attr-defined]
            writer.commit()
        done: list[tuple[int, int]] = []
        copied = copy(first, there, progress=lambda *now: done.append(now))
        assert (copied.documents, copied.chunks, copied.already, copied.searches) == (4, 8, 1, 6)
        assert copied.dense == 1
        assert (done[-1], done) == ((4, 4), sorted(done))
        copy(there, back)
        for source in first.documents():
            for a, b in zip(first.rows(source), back.rows(source), strict=True):  # type: ignore[attr-defined]
                assert np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b
        with back.write(MANIFEST) as writer:
            writer.remove(["manual.pdf"])
            writer.commit()
        with pytest.raises(StoreError, match=r"holds manual\.pdf"):
            copy(back, there)
        first.close()
        back.close()


@contextmanager
def _soon(store: Store) -> Iterator[Writer]:
    """Write as soon as the server has noticed that the last writer is gone."""
    with ExitStack() as stack:
        for _ in range(80):
            with suppress(IndexLocked):
                writer = stack.enter_context(store.write(MANIFEST))
                break
            time.sleep(1)
        yield writer
