"""What every engine without transactions must stand, beside the contract: kills, a server gone, bad input."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from contracts.store import DIM, MANIFEST, Open, StoreContract, document, fill, passages, texts_of, unit

from rag.errors import IndexLocked, StoreError
from rag.stores import Store, open_store
from rag.stores.copy import copy
from rag.stores.faiss.store import FaissStore
from rag.text import TERMS, chunk_terms, split_terms
from rag.types import Document, Manifest, Scored, Where

ROOT = Path(__file__).parents[2]

WRITE = """
import sys
import numpy as np
sys.path[:0] = ["tests", "."]
from contracts.store import MANIFEST, document, passages
from rag.stores import open_store
from rag.stores.engine import lease
lease.LEASE = 1.0
rng = np.random.default_rng(int(sys.argv[2]))
with open_store(sys.argv[1]).write(MANIFEST) as writer:
    print("ready", flush=True)
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


def settled(store: Store) -> tuple[Mapping[str, Document], list[Scored]]:
    """Every document and every chunk of one commit: a killed writer's last request may arrive in between."""
    for _ in range(20):
        before = store._state()  # type: ignore[attr-defined]
        documents = store.documents()
        total = sum(each.chunks for each in documents.values())
        found = store.dense(unit([1, 1, 1, 1])[0], total + 100)
        if store._state() == before:  # type: ignore[attr-defined]
            return documents, found
        time.sleep(0.1)
    raise AssertionError("somebody keeps writing to the index")


def check_whole(store: Store) -> None:
    """Every document has all its chunks, once, and nothing else has any.

    An engine may finish what a killed writer had sent: a look during which the index moved is taken again.
    """
    for _ in range(20):
        before = store._state()  # type: ignore[attr-defined]
        try:
            return _look_whole(store)
        except AssertionError:
            if store._state() == before:  # type: ignore[attr-defined]
                raise
    raise AssertionError("somebody keeps writing to the index")


def _look_whole(store: Store) -> None:
    documents, found = settled(store)
    total = sum(each.chunks for each in documents.values())
    seen = len({each.id for each in found}), len(found)
    assert seen == (total, total), (seen, total, store._state())  # type: ignore[attr-defined]
    chunks = store.chunks([each.id for each in found])
    places = sorted((chunk.source, chunk.position) for chunk in chunks)
    assert places == sorted((source, i) for source, each in documents.items() for i in range(each.chunks))
    frequency = sum("7" in chunk_terms(chunk) for chunk in chunks)
    assert len(store.lexical(["7"], total + 100)) == frequency
    counted = store._frequencies(store._state(), ["7", "组件"])  # type: ignore[attr-defined]
    assert counted == {"7": frequency, "组件": sum("组件" in chunk_terms(chunk) for chunk in chunks)}


def corpus(chance: random.Random) -> dict[str, list[str]]:
    """Forty documents in English and Chinese, of passages that differ much in length."""
    words = [f"word{i}" for i in range(300)]
    signs = [chr(0x4E00 + i) for i in range(150)]
    weights = [1 / (i + 1) for i in range(300)]
    made: dict[str, list[str]] = {}
    for i in range(40):
        if i < 20:
            made[f"en/{i}.md"] = [
                " ".join(chance.choices(words, weights, k=chance.randint(5, 90))) for _ in range(10)
            ]
        else:
            made[f"zh/{i}.md"] = [
                "".join(chance.choices(signs, weights[:150], k=chance.randint(5, 300))) for _ in range(10)
            ]
    return made


def write_corpus(store: Store, made: dict[str, list[str]]) -> None:
    rng = np.random.default_rng(3)
    with store.write(MANIFEST) as writer:
        for i, (source, texts) in enumerate(made.items()):
            writer.put(document(source), passages(source, texts), unit(*rng.standard_normal((len(texts), DIM))))
            if i % 10 == 9:
                writer.commit()
        writer.remove(["en/3.md", "zh/25.md"])
        writer.commit()


def named(store: Store, found: Sequence[Scored]) -> dict[tuple[str, int], float]:
    chunks = store.chunks([each.id for each in found])
    return {(c.source, c.position): each.score for c, each in zip(chunks, found, strict=True)}


class RemoteContract(StoreContract):
    """The contract, and more of it."""

    def test_the_same_hits_as_the_embedded_store(self, opened: Open, tmp_path: Path) -> None:
        chance = random.Random(5)
        made = corpus(chance)
        embedded, store = FaissStore(tmp_path / "embedded"), opened()
        for each in (embedded, store):
            write_corpus(each, made)
        every = [text for texts in made.values() for text in texts]
        rng = np.random.default_rng(4)
        for i in range(40):
            text = chance.choice(every)
            question = [*split_terms(text[: chance.randint(3, 60)]), "nowhere"]
            where = [None, Where(source="en/*"), Where(source="*[02468].md"), Where(type="md")][i % 4]
            query = unit(rng.standard_normal(DIM))[0]
            for left, right in (
                (embedded.lexical(question, 400, where), store.lexical(question, 10, where)),
                (embedded.dense(query, 400, where), store.dense(query, 10, where)),
            ):
                expected, found = named(embedded, left), named(store, right)
                assert [*found.values()] == pytest.approx([*expected.values()][:10], abs=1e-3), (
                    i,
                    question,
                    where,
                )
                assert found == pytest.approx({place: expected[place] for place in found}, abs=1e-3)
        embedded.close()

    def test_the_graph_finds_what_exact_search_finds(self, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("rag.stores.engine.store.EXACT_IN_ENGINE", 99)
        rng = np.random.default_rng(3)
        vectors = unit(*rng.standard_normal((600, 896)))
        store = opened()
        with store.write(Manifest("hashed", "w", 896, terms=TERMS)) as writer:
            for i in range(0, 600, 100):
                texts = [str(n) for n in range(i, i + 100)]
                kind = "pdf" if i else "md"
                writer.put(document(f"{i}.md", kind), passages(f"{i}.md", texts), vectors[i : i + 100])
                writer.commit()
        assert store.statistics()["vectors"] == store._engine.kind  # type: ignore[attr-defined]
        for question in unit(*rng.standard_normal((5, 896))):
            exact = vectors @ question
            for where, among in ((None, exact), (Where(type="md"), exact[:100])):
                found = store.dense(question, 10, where)
                best = np.argsort(-among)[:10]
                assert len(set(map(int, texts_of(store, found))) & set(best.tolist())) >= 9
                assert found[0].score == pytest.approx(float(among.max()), abs=1e-3)

    def test_copied_there_and_back(self, opened: Open, tmp_path: Path) -> None:
        first, there, back = FaissStore(tmp_path / "first"), opened(), FaissStore(tmp_path / "back")
        with first.write(MANIFEST) as writer:
            fill(writer)
            writer.put(document("empty.md"), [], np.empty((0, DIM), np.float32))
            writer.put(
                document("no words.md"),
                passages("no words.md", ["—", "x" * 20_000]),
                unit([1, 0, 0, 0], [1, 0, 0, 1]),
            )
            writer.commit()
        copied = copy(first, there)
        assert (copied.documents, copied.chunks, copied.already, copied.dense) == (5, 10, 0, 1)
        assert copy(there, back).documents == 5
        for source in first.documents():
            for a, b in zip(first.rows(source), back.rows(source), strict=True):
                assert np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b
        with pytest.raises(StoreError, match=r"nowhere\.md is not in the index"):
            there.rows("nowhere.md")  # type: ignore[attr-defined]
        first.close()
        back.close()

    def test_killed_at_any_moment_nothing_committed_is_lost(self, url: str, opened: Open) -> None:
        chance = random.Random(2)
        generations = [0]
        for seed in range(4):
            child = subprocess.Popen(
                [sys.executable, "-c", WRITE, url, str(seed)],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                env=dict(os.environ),
            )
            assert child.stdout is not None
            assert child.stdout.readline().strip() == b"ready"
            time.sleep(chance.uniform(0.3, 1.5))
            child.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
            child.wait()
            child.stdout.close()
            store = opened()
            if store.manifest() is not None:
                check_whole(store)
                generations.append(store._state().generation)  # type: ignore[attr-defined]
            store.close()
            time.sleep(1.1)  # its claim runs out
        assert generations == sorted(generations)
        assert generations[-1] > 3
        store = opened()
        with store.write(MANIFEST) as writer:
            fill(writer)
            writer.commit()
        check_whole(store)
        assert texts_of(store, store.lexical(["ref"], 1)) == ["A ref holds one value."]

    def test_the_claim_of_the_killed_holds_until_it_runs_out(self, url: str, opened: Open) -> None:
        child = subprocess.Popen([sys.executable, "-c", WRITE, url, "1"], cwd=ROOT, stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        child.kill()
        child.wait()
        child.stdout.close()
        with pytest.raises(IndexLocked, match=rf"written to by process {child.pid} on "), opened().write(MANIFEST):
            pass
        time.sleep(1.1)
        with opened().write(MANIFEST) as writer:
            fill(writer)


class ServerContract(RemoteContract):
    """What only a server can suffer. `own` is one that may be killed."""

    def test_a_server_that_goes_away_and_comes_back(self, own: object, own_url: str) -> None:
        store = open_store(own_url)
        with store.write(MANIFEST) as writer:
            fill(writer)
            writer.commit()
        with pytest.raises(StoreError, match=r"127\.0\.0\.1:\d+") as caught, store.write(MANIFEST) as writer:
            writer.put(document("a.md"), passages("a.md", ["Kept."]), unit([-1, 0, 0, 0]))
            writer.commit()
            own.kill()  # type: ignore[attr-defined]
            writer.put(document("b.md"), passages("b.md", ["Lost."]), unit([-1, 0, 0, 0]))
            writer.commit()
        assert "\n" not in str(caught.value)
        with pytest.raises(StoreError, match=r"127\.0\.0\.1:\d+"):
            store.documents()
        store.close()
        own.start()  # type: ignore[attr-defined]
        store = open_store(own_url)
        assert set(store.documents()) == {"a.md", "guide/props.md", "manual.pdf", "zh/组件.md"}
        check_whole(store)
        deadline = time.monotonic() + 10
        while True:  # the claim of before runs out
            try:
                with store.write(MANIFEST) as writer:
                    writer.put(document("b.md"), passages("b.md", ["Here."]), unit([-1, 0, 0, 0]))
                    writer.commit()
                break
            except IndexLocked:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        check_whole(store)
        assert texts_of(store, store.lexical(["here"], 1)) == ["Here."]
        store.close()
