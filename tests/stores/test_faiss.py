"""The embedded store: the contract, and what only a folder on a disk can suffer."""

from __future__ import annotations

import fnmatch
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from contracts.store import DIM, MANIFEST, StoreContract, document, fill, passages, texts_of, unit

from rag.errors import IndexLocked, IndexMissing, IndexVersion, StoreError
from rag.stores.faiss.binary_codes import encode, estimate, rotated, width
from rag.stores.faiss.bm25_index import _Scoring
from rag.stores.faiss.exact_index import pack
from rag.stores.faiss.filters import sqlite_glob
from rag.stores.faiss.postings import frequencies, read, segments
from rag.stores.faiss.schema import FILE
from rag.stores.faiss.store import FaissStore
from rag.text import TERMS, chunk_terms, embedding_text, script, search_terms
from rag.types import Manifest, Where

ROOT = Path(__file__).parents[2]


class TestFaissStore(StoreContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"faiss:{tmp_path / '索引 # 100% é'}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a small index."""
    store = FaissStore(tmp_path / "index")
    with store.write(MANIFEST) as writer:
        fill(writer)
        writer.commit()
    store.close()
    return tmp_path / "index"


def test_opening_makes_nothing(tmp_path: Path) -> None:
    store = FaissStore(tmp_path / "index")
    assert store.manifest() is None
    with pytest.raises(IndexMissing):
        store.statistics()
    store.close()
    assert list(tmp_path.iterdir()) == []


def test_faiss_waits_until_vectors_are_searched(folder: Path) -> None:
    code = (
        "import sys\nfrom rag.stores.faiss.store import FaissStore\nstore = FaissStore(sys.argv[1])\n"
        "store.documents(), store.statistics(), store.lexical(['ref'], 1)\n"
        "with store.write(store.manifest()) as writer: writer.remove(['manual.pdf'])\n"
        "print('faiss' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(folder)]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.strip() == b"False"


def test_reading_and_an_idle_write_change_no_byte(folder: Path) -> None:
    before = (folder / FILE).read_bytes()
    store = FaissStore(folder)
    assert store.dense(unit([1, 0, 0, 0])[0], 1)
    with store.write(MANIFEST) as writer:
        writer.commit()
    store.close()
    assert (folder / FILE).read_bytes() == before
    assert {file.name for file in folder.iterdir()} <= {FILE, "writer.lock"}


def test_statistics(folder: Path) -> None:
    store = FaissStore(folder)
    found = store.statistics()
    store.close()
    assert found == {
        "documents": 3,
        "chunks": 8,
        "bytes": (folder / FILE).stat().st_size,
        "vectors": "exact, float16",
        "generation": 1,
        "format": 4,
    }


def test_a_cosine_is_within_a_thousandth() -> None:
    rng = np.random.default_rng(7)
    vectors = unit(*rng.standard_normal((500, 896)), *np.eye(896)[:4])
    stored = np.frombuffer(pack(vectors), "<f2").astype(np.float32).reshape(-1, 896)
    assert np.abs(stored @ vectors.T - vectors @ vectors.T).max() < 5e-4


def test_dense_is_exact_search(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    store = FaissStore(tmp_path)
    manifest = Manifest("hashed", "w", 896, terms=TERMS)
    vectors = unit(*rng.standard_normal((3000, 896)))
    with store.write(manifest) as writer:
        for i in range(0, 3000, 1500):  # more than one block a document
            texts = [str(n) for n in range(i, i + 1500)]
            writer.put(document(f"{i}.md"), passages(f"{i}.md", texts), vectors[i : i + 1500])
        writer.commit()
    for question in unit(*rng.standard_normal((5, 896))):
        exact = vectors @ question
        found = store.dense(question, 20)
        rows = [int(text) for text in texts_of(store, found)]
        assert [each.score for each in found] == pytest.approx(exact[rows].tolist(), abs=1e-3)
        assert exact[rows].min() > np.sort(exact)[-20] - 1e-3
    store.close()


ODD_TERMS = ("a 1 naïve straße ω مرحبا कखग ไทย 한국 한 传 传递 𰻝 𰻝𰻝 ２ ½ ñ x² ﬁ привет ʻokina").split()


def test_every_term_of_any_script_is_found_whole(tmp_path: Path) -> None:
    store = FaissStore(tmp_path)
    with store.write(MANIFEST) as writer:
        for i, word in enumerate(ODD_TERMS):
            writer.put(document(f"{i}"), passages(f"{i}", [word]), unit([1, 0, 0, 0]))
        writer.commit()
    for i, word in enumerate(ODD_TERMS):
        for term in search_terms(word):
            sources = {chunk.source for chunk in store.chunks([s.id for s in store.lexical([term], 99)])}
            assert str(i) in sources, (word, term)
    store.close()


def test_a_question_of_many_terms_uses_the_rarest(folder: Path) -> None:
    store = FaissStore(folder)
    many = [f"word{i}" for i in range(50_000)]
    assert store.lexical([*many, *search_terms("props")], 9) == store.lexical(search_terms("props"), 9)
    store.close()


def test_glob_reads_as_fnmatch() -> None:
    db = sqlite3.connect(":memory:")
    rng = random.Random(5)
    for _ in range(20_000):
        pattern = "".join(rng.choices("ab*?[]!^-/组", k=rng.randrange(1, 8)))
        name = "".join(rng.choices("ab[]!^-/组", k=rng.randrange(0, 5)))
        (found,) = db.execute("SELECT ? GLOB ?", (name, sqlite_glob(pattern))).fetchone()
        assert bool(found) == fnmatch.fnmatchcase(name, pattern), (name, pattern)
    db.close()


def test_churn_leaves_the_same_index_as_a_fresh_one(tmp_path: Path) -> None:
    """After many replacements and removals, searches of a reader that lived through them are a fresh one's."""
    rng = np.random.default_rng(11)
    chance = random.Random(11)
    words = ["ref", "props", "emit", "slot", "组件", "数据", "传递", "watch", "computed", "缓存"]
    old = FaissStore(tmp_path / "index")
    question = unit([1, 2, 3, 4])[0]
    for _ in range(30):
        with old.write(MANIFEST) as writer:
            source = f"{chance.randrange(12)}.md"
            if chance.random() < 0.3:
                writer.remove([source])
            else:
                texts = [" ".join(chance.choices(words, k=6)) for _ in range(chance.randrange(1, 6))]
                vectors = unit(*rng.standard_normal((len(texts), DIM)))
                writer.put(document(source), passages(source, texts), vectors)
            writer.commit()
        fresh = FaissStore(tmp_path / "index")
        assert old.dense(question, 99) == fresh.dense(question, 99)
        for asked in words:
            assert old.lexical(search_terms(asked), 99) == fresh.lexical(search_terms(asked), 99)
        check_whole(fresh, tmp_path / "index")
        fresh.close()
    old.close()


def test_threads_read_while_another_writes(folder: Path) -> None:
    store = FaissStore(folder)
    done = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not done.is_set():
                nearest = store.dense(unit([1, 0, 0, 0])[0], 1)
                assert texts_of(store, nearest) == ["A ref holds one value."]
                assert store.lexical(["ref"], 1, Where(source="guide/*"))
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    with store.write(MANIFEST) as writer:
        for i in range(60):
            texts = [f"number {i} {j}" for j in range(20)]
            vectors = unit(*([-1, i, j, 1] for j in range(20)))
            writer.put(document(f"{i % 7}.md"), passages(f"{i % 7}.md", texts), vectors)
            writer.commit()
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(store.documents()) == 10
    store.close()


def test_closed_is_closed(folder: Path) -> None:
    store = FaissStore(folder)
    store.documents()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.documents()


def test_an_index_made_anew_in_the_same_folder_is_noticed(folder: Path) -> None:
    if sys.platform == "win32":
        return  # an open file cannot be deleted there
    store = FaissStore(folder)
    assert len(store.dense(unit([1, 0, 0, 0])[0], 99)) == 8
    for file in folder.iterdir():
        file.unlink()
    assert store.manifest() is None
    other = FaissStore(folder)
    with other.write(MANIFEST) as writer:
        writer.put(document("only.md"), passages("only.md", ["Only."]), unit([0, 1, 0, 0]))
        writer.commit()
    assert texts_of(store, store.dense(unit([1, 0, 0, 0])[0], 99)) == ["Only."]
    other.close()
    store.close()


def test_the_lock_says_who_holds_it(folder: Path) -> None:
    store = FaissStore(folder)
    said = pytest.raises(IndexLocked, match=f"process {os.getpid()} on .* since 20")
    with store.write(MANIFEST), said, FaissStore(folder).write(MANIFEST):
        pass
    store.close()


# What is wrong on the disk


def test_another_version_is_an_error(folder: Path) -> None:
    db = sqlite3.connect(folder / FILE)
    db.execute("PRAGMA user_version = 99")
    db.close()
    store = FaissStore(folder)
    with pytest.raises(IndexVersion, match=r"format 99.*format 4.*faiss:NEW"):
        store.manifest()
    with pytest.raises(IndexVersion), store.write(MANIFEST):
        pass
    store.close()


def test_other_terms_are_an_error(folder: Path) -> None:
    store = FaissStore(folder)
    with pytest.raises(IndexVersion, match=f"version {TERMS + 1}"), store.write(
        Manifest("hashed", "weights-1", DIM, terms=TERMS + 1)
    ):  # fmt: skip
        pass
    store.close()


@pytest.mark.parametrize("content", ["text", "foreign"])
def test_a_file_that_is_no_index_is_an_error(tmp_path: Path, content: str) -> None:
    if content == "text":
        (tmp_path / FILE).write_text("not a database " * 1000, encoding="utf-8")
    else:
        db = sqlite3.connect(tmp_path / FILE)
        db.execute("CREATE TABLE t (a)")
        db.close()
    before = (tmp_path / FILE).read_bytes()
    store = FaissStore(tmp_path)
    with pytest.raises(StoreError, match="not a ragstone index"):
        store.documents()
    with pytest.raises(StoreError, match="not a ragstone index"), store.write(MANIFEST):
        pass
    store.close()
    if content == "text":
        assert (tmp_path / FILE).read_bytes() == before


def test_a_damaged_file_is_an_error_of_one_line(folder: Path) -> None:
    content = bytearray((folder / FILE).read_bytes())
    content[8192:] = random.Random(1).randbytes(len(content) - 8192)
    (folder / FILE).write_bytes(content)
    store = FaissStore(folder)
    with pytest.raises(StoreError, match="damaged") as caught:
        store.documents()
    assert "\n" not in str(caught.value)
    store.close()


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "index").write_text("", encoding="utf-8")
    store = FaissStore(tmp_path / "index")
    assert store.manifest() is None
    with pytest.raises(StoreError, match="another folder"), store.write(MANIFEST):
        pass
    store.close()


def test_a_document_in_parts_is_the_same_as_whole(tmp_path: Path) -> None:
    texts = [f"passage {n} of {'many' if n % 3 else '许多段落'}" for n in range(50)]
    vectors = unit(*[[1, n, n % 7, 1] for n in range(50)])
    stores = FaissStore(tmp_path / "whole"), FaissStore(tmp_path / "parts")
    for store in stores:
        with store.write(MANIFEST) as writer:
            fill(writer)
            writer.put(document("long"), passages("long", ["an earlier version"]), unit([0, 1, 0, 0]))
            writer.commit()
            if store is stores[0]:
                writer.put(document("long"), passages("long", texts), vectors)
            else:
                with writer.put_in_parts(document("long")) as add:
                    for at in range(0, 50, 20):
                        add(passages("long", texts)[at : at + 20], vectors[at : at + 20])
            writer.commit()
        check_whole(store, Path(store.url.removeprefix("faiss:")))
    assert stores[0].documents() == stores[1].documents()
    found = [[(h.id, h.score) for h in store.lexical(["passag", "段落"], 60)] for store in stores]
    assert found[0] == found[1] != []
    near = [[(h.id, h.score) for h in store.dense(vectors[7], 60)] for store in stores]
    assert near[0] == near[1] != []
    for store in stores:
        store.close()


def test_a_document_whose_parts_fail_leaves_its_earlier_version(tmp_path: Path) -> None:
    store = FaissStore(tmp_path / "index")
    with store.write(MANIFEST) as writer:
        fill(writer)
        writer.put(document("long"), passages("long", ["an earlier version"]), unit([0, 1, 0, 0]))
        with pytest.raises(ValueError, match="stop"), writer.put_in_parts(document("long")) as add:
            add(passages("long", ["unwanted words"]), unit([1, 0, 0, 0]))
            raise ValueError("stop")
        writer.put(document("after"), passages("after", ["and on it goes"]), unit([0, 0, 1, 0]))
        writer.commit()
    assert store.lexical(["unwant"], 5) == []
    assert texts_of(store, store.lexical(["earlier"], 5)) == ["an earlier version"]
    assert texts_of(store, store.lexical(["goe"], 5)) == ["and on it goes"]
    check_whole(store, tmp_path / "index")
    store.close()


def test_no_space_left_loses_nothing(folder: Path) -> None:
    store = FaissStore(folder)
    with pytest.raises(StoreError, match="no space left"), store.write(MANIFEST) as writer:
        pages = writer._db.execute("PRAGMA page_count").fetchone()[0]
        writer._db.execute(f"PRAGMA max_page_count = {pages + 20}")
        for i in range(1000):
            texts = [f"filler {i} {j} " * 50 for j in range(20)]
            writer.put(document(f"{i}"), passages(f"{i}", texts), unit(*[[1, 0, 0, 0]] * 20))
    assert set(store.documents()) == {"guide/props.md", "manual.pdf", "zh/组件.md"}
    assert texts_of(store, store.dense(unit([1, 0, 0, 0])[0], 1)) == ["A ref holds one value."]
    check_whole(store, folder)
    store.close()


def test_after_a_failure_the_writer_takes_no_more(folder: Path) -> None:
    store = FaissStore(folder)
    with store.write(MANIFEST) as writer:
        writer._db.execute("PRAGMA max_page_count = 1")
        with pytest.raises(StoreError, match="no space left"):
            for i in range(1000):
                writer.put(document(f"{i}"), passages(f"{i}", ["filler " * 900]), unit([1, 0, 0, 0]))
        with pytest.raises(StoreError, match="failed before"):
            writer.commit()
    assert len(store.documents()) == 3
    store.close()


READ = """
import sys
import numpy as np
from rag.stores.faiss.store import FaissStore
store = FaissStore(sys.argv[1])
found = store.dense(np.array([1, 0, 0, 0], np.float32), 1) + store.lexical(["ref"], 1)
print([chunk.text for chunk in store.chunks([each.id for each in found])])
try:
    with store.write(store.manifest()) as writer:
        writer.remove(["manual.pdf"])
except Exception as error:
    print(type(error).__name__, error, flush=True)
input()
print(sorted(store.documents()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of folders are another matter there")
def test_an_index_that_cannot_be_written_to_is_read(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In a process without the right to write (root has it always, so that a child becomes nobody)."""
    (folder / "writer.lock").unlink(missing_ok=True)
    for path in folder.parents:  # pytest's folders are closed to others
        if path.is_relative_to(tmp_path_factory.getbasetemp().parent):
            path.chmod(0o755)
    (folder / FILE).chmod(0o444)
    folder.chmod(0o555)
    become = "import os\nif os.getuid() == 0:\n    os.setgroups([])\n    os.setgid(65534)\n    os.setuid(65534)\n"
    imports = "import sqlite3, filelock, faiss, numpy, json, rag.stores.faiss.store\n"
    child = subprocess.Popen(
        [sys.executable, "-c", imports + become + READ, str(folder)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "['A ref holds one value.', 'A ref holds one value.']\n"
    assert child.stdout.readline().startswith("StoreError the index at ")
    assert {file.name for file in folder.iterdir()} == {FILE}
    folder.chmod(0o755)
    (folder / FILE).chmod(0o644)
    store = FaissStore(folder)
    with store.write(MANIFEST) as writer:  # it notices what its owner does later
        writer.remove(["manual.pdf"])
        writer.commit()
    store.close()
    assert child.communicate("\n")[0] == "['guide/props.md', 'zh/组件.md']\n"


# Killed at any moment

WRITE = """
import sys
import numpy as np
sys.path[:0] = ["tests", "."]
from contracts.store import MANIFEST, document, passages
from rag.stores.faiss.store import FaissStore
seed = int(sys.argv[2])
rng = np.random.default_rng(seed)
print("ready", flush=True)
with FaissStore(sys.argv[1]).write(MANIFEST) as writer:
    while True:
        for _ in range(rng.integers(1, 6)):
            source = f"{rng.integers(40)}.md"
            if rng.random() < 0.2:
                writer.remove([source])
                continue
            n = int(rng.integers(1, 30))
            vectors = rng.standard_normal((n, 4)).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            texts = [" ".join(map(str, rng.integers(0, 50, 20))) + " 组件" for _ in range(n)]
            writer.put(document(source), passages(source, texts), vectors)
        writer.commit()
"""


def check_whole(store: FaissStore, folder: Path) -> None:
    """Every document has all its chunks, vectors and terms, and nothing else has any."""
    with store._readers.transaction() as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        ranges = db.execute("SELECT id, first, chunks FROM documents").fetchall()
        ids = sorted(first + i for _, first, count in ranges for i in range(count))
        assert [row[0] for row in db.execute("SELECT id FROM chunks ORDER BY id")] == ids
        for key, first, count in ranges:
            rows = db.execute("SELECT id, position FROM chunks WHERE document = ? ORDER BY id", (key,))
            assert rows.fetchall() == [(first + i, i) for i in range(count)]
        vectors = db.execute("SELECT id, data FROM vectors ORDER BY id").fetchall()
        assert [key for key, _ in vectors] == ids
        codes = db.execute("SELECT first, data FROM codes ORDER BY first").fetchall()
        assert [first + i for first, data in codes for i in range(len(data) // width(DIM))] == ids
        assert {len(data) for _, data in vectors} <= {DIM * 2}
        check_terms(db, {key: chunk_terms(chunk) for key, chunk in zip(ids, store.chunks(ids), strict=True)})
    assert sorted(each.id for each in store.dense(unit([1, 1, 1, 1])[0], len(ids))) == ids


def check_terms(db: sqlite3.Connection, expected: dict[int, list[str]]) -> None:
    """The postings say which chunks hold which terms, how often, and how many chunks hold each."""
    parts = segments(db)
    every = [row[0] for row in db.execute("SELECT DISTINCT term FROM postings")]
    held = {term: {int(p["id"]): int(p["count"]) for p in read(db, parts, term)} for term in every}
    alive = {term: {key: n for key, n in found.items() if key in expected} for term, found in held.items()}
    wanted: dict[str, dict[int, int]] = {term: {} for term in every}
    for key, words in expected.items():
        for term, n in Counter(words).items():
            wanted[term][key] = n
    assert alive == wanted
    assert frequencies(db, parts, every) == {term: len(found) for term, found in wanted.items()}


def test_sigkill_at_any_moment_leaves_the_last_commit(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    chance = random.Random(2)
    generations: list[int] = []
    seed = 0
    while seed < 20 or not generations or generations[-1] <= 20:  # a busy machine commits little in that time
        seed += 1
        child = subprocess.Popen(
            [sys.executable, "-c", WRITE, str(folder), str(seed)], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        assert child.stdout.readline().strip() == b"ready"
        time.sleep(chance.uniform(0, 0.4))
        child.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        child.wait()
        child.stdout.close()
        store = FaissStore(folder)
        if store.manifest() is not None:
            check_whole(store, folder)
            generations.append(store.statistics()["generation"])
        store.close()
    assert generations == sorted(generations)
    store = FaissStore(folder)
    with store.write(MANIFEST) as writer:  # the lock of the killed is free
        fill(writer)
        writer.commit()
    assert texts_of(store, store.lexical(["ref"], 1)) == ["A ref holds one value."]
    store.close()


# Many chunks: codes and merged segments

CODED = Manifest("hashed", "w", 256, terms=TERMS)


def clustered(rng: np.random.Generator, n: int) -> np.ndarray:
    """Unit vectors in groups, as texts on one subject lie."""
    centres = rng.standard_normal((n // 50 + 1, CODED.dim)).astype(np.float32)
    return unit(*(centres[rng.integers(len(centres), size=n)] + 0.7 * rng.standard_normal((n, CODED.dim))))


def test_codes_find_what_exact_search_finds_after_churn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """recall@10 is at least .95 when new, after 30 % was replaced and some removed, and in a new process' eyes."""
    monkeypatch.setattr("rag.stores.faiss.store.CODES_FROM", 1000)
    monkeypatch.setattr("rag.stores.faiss.binary_index.CODES_A_THREAD", 2000)  # more than one thread
    rng = np.random.default_rng(23)
    store, vectors = FaissStore(tmp_path), clustered(rng, 9000)
    by_source = {f"{i}.md": vectors[30 * i : 30 * i + 30] for i in range(300)}

    def put(sources: list[str]) -> None:
        with store.write(CODED) as writer:
            for source in sources:
                texts = [f"{source} {i}" for i in range(len(by_source[source]))]
                writer.put(document(source), passages(source, texts), by_source[source])
            writer.commit()

    def recall(searched: FaissStore) -> float:
        names = [f"{source} {i}" for source, rows in by_source.items() for i in range(len(rows))]
        every = np.concatenate(list(by_source.values()))
        shares = []
        for question in unit(*(every[:40] + 0.05 * rng.standard_normal((40, CODED.dim)))):
            exact = {names[row] for row in np.argsort(-(every @ question))[:10]}
            found = searched.dense(question, 10)
            assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)
            assert found[0].score == pytest.approx(float((every @ question).max()), abs=1e-3)
            shares.append(len(exact & set(texts_of(searched, found))) / 10)
        return float(np.mean(shares))

    put(list(by_source))
    assert str(store.statistics()["vectors"]).startswith("codes of 1 bit")
    assert recall(store) >= 0.95
    changed = [f"{i}.md" for i in rng.permutation(300)[:90]]
    for source in changed:
        by_source[source] = clustered(rng, 30)
        put([source])
    with store.write(CODED) as writer:
        gone = [f"{i}.md" for i in range(0, 300, 17)]
        assert writer.remove(gone) == len(gone)
        writer.commit()
    by_source = {source: rows for source, rows in by_source.items() if source not in gone}
    assert recall(store) >= 0.95
    fresh = FaissStore(tmp_path)
    assert recall(fresh) >= 0.95
    question = by_source["1.md"][0]
    allowed = fresh.dense(question, 10, Where(source="1*.md"))
    expected = np.sort(np.concatenate([v for s, v in by_source.items() if s.startswith("1")]) @ question)[:-11:-1]
    assert [each.score for each in allowed] == pytest.approx(expected.tolist(), abs=1e-3)
    with store.write(CODED) as writer:  # few are left: exact again
        writer.remove([source for source in by_source if not source.startswith("29")])
        writer.commit()
    assert store.statistics()["vectors"] == "exact, float16"
    by_source = {source: rows for source, rows in by_source.items() if source.startswith("29")}
    assert recall(store) >= 0.99
    for each in (store, fresh):
        each.close()


def test_a_rotation_keeps_angles_and_codes_are_its_signs() -> None:
    for dim in (4, 5, 384, 512, 896):
        turned = rotated(np.eye(dim, dtype=np.float32))
        assert np.abs(turned @ turned.T - np.eye(dim)).max() < 1e-5
    rng = np.random.default_rng(1)
    vectors = unit(*rng.standard_normal((300, 896)))
    codes = encode(vectors)
    assert codes.shape == (300, width(896))
    expected = rotated(vectors[:1])[0] @ np.where(rotated(vectors) > 0, 1, -1).T
    assert estimate(vectors[0], codes) == pytest.approx(expected, abs=1e-3)
    assert int(np.argmax(estimate(vectors[7], codes))) == 7


def test_merged_segments_are_the_same_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many small commits, so that segments are merged tier upon tier, with documents replaced in between."""
    monkeypatch.setattr("rag.stores.faiss.postings.TIER", 40)
    monkeypatch.setattr("rag.stores.faiss.postings.FAN", 3)
    monkeypatch.setattr("rag.stores.faiss.postings._MOST_HELD", 200)
    chance = random.Random(4)
    words = [f"w{int(chance.paretovariate(0.6)) % 300}" for _ in range(2000)] + ["组件", "数据"] * 40
    store = FaissStore(tmp_path)
    for turn in range(120):
        with store.write(MANIFEST) as writer:
            for _ in range(chance.randrange(1, 4)):
                source = f"{chance.randrange(25)}.md"
                if chance.random() < 0.2:
                    writer.remove([source])
                    continue
                texts = [" ".join(chance.choices(words, k=12)) for _ in range(chance.randrange(1, 9))]
                writer.put(document(source), passages(source, texts), unit(*[[1, 0, 0, 0]] * len(texts)))
            writer.commit()
        if turn % 20 == 19:
            check_whole(store, tmp_path)
    with store._readers.transaction() as db:
        assert len(segments(db)) < 15
    store.close()


def test_the_best_are_found_though_common_terms_are_not_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rare terms first, common ones only for chunks that may still be among the best: the same as all of all."""
    chance = random.Random(9)
    words = [f"w{int(chance.paretovariate(0.5)) % 2000}" for _ in range(20_000)]
    store = FaissStore(tmp_path)
    with store.write(MANIFEST) as writer:
        for i in range(60):
            texts = [" ".join(chance.choices(words, k=chance.randrange(5, 60))) for _ in range(50)]
            writer.put(document(f"{i}"), passages(f"{i}", texts), unit(*[[1, 0, 0, 0]] * 50))
        writer.commit()
    questions = [[*chance.sample(words, 5), "w1", "w2", "w3"] for _ in range(60)]
    where = Where(source="1*")
    whole = [(store.lexical(q, 10), store.lexical(q, 10, where)) for q in questions]
    monkeypatch.setattr("rag.stores.faiss.bm25_index.NARROWED_FROM", 0)
    narrowed = []
    original = _Scoring.add_to_found
    monkeypatch.setattr(_Scoring, "add_to_found", lambda *args: (narrowed.append(1), original(*args)))
    for question, (every, some) in zip(questions, whole, strict=True):
        for found, expected in ((store.lexical(question, 10), every), (store.lexical(question, 10, where), some)):
            assert [s.id for s in found] == [s.id for s in expected]
            assert [s.score for s in found] == pytest.approx([s.score for s in expected], abs=1e-6)
    assert len(narrowed) > 60
    store.close()


def test_scripts_are_those_of_the_chunks(folder: Path) -> None:
    store = FaissStore(folder)
    ids = [each.id for each in store.dense(unit([1, 2, 3, 4])[0], 8)]
    assert store.latin(ids) == [script(embedding_text(chunk)) == "latin" for chunk in store.chunks(ids)]
    assert {True, False} == set(store.latin(ids))
    with pytest.raises(StoreError, match="chunk 99 is gone"):
        store.latin([ids[0], 99])
    assert store.latin([]) == []
    store.close()
