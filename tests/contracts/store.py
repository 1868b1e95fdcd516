"""The contract of every store. An engine's test module inherits `StoreContract` and gives it a `url`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from rag.errors import EmbedderMismatch, IndexLocked, IndexMissing, StoreError
from rag.stores import Store, Writer, open_store
from rag.text import TERMS, chunk_terms, search_terms
from rag.types import Chunk, Document, Manifest, Scored, Vectors, Where

DIM = 4
MANIFEST = Manifest("hashed", "weights-1", DIM, terms=TERMS, chunker={"kind": "tokens", "max": 200})
Open = Callable[[], Store]

GUIDE = ["A ref holds one value.", "Props pass values to a child component.", "Props props props are read-only."]
ZH = ["组件之间用 props 传递数据。", "计算属性会缓存结果。"]


def unit(*rows: Sequence[float]) -> Vectors:
    """Rows scaled to unit length."""
    vectors = np.array(rows, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def document(source: str, kind: str = "md", sha: str = "0") -> Document:
    return Document(source, f"/docs/{source}", sha * 64, 10, 1_700_000_000_000_000_001, kind)


def passages(source: str, texts: Sequence[str], pages: Sequence[int] | None = None) -> list[Chunk]:
    return [
        Chunk(source, text, 10 * i, 10 * i + len(text), i, pages[i] if pages else None, ("Top", f"Part {i}"))
        for i, text in enumerate(texts)
    ]


def fill(writer: Writer) -> None:
    """Three documents: Markdown in two languages, and a PDF of three pages."""
    writer.put(
        document("guide/props.md"),
        passages("guide/props.md", GUIDE),
        unit([1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0]),
    )
    writer.put(document("zh/组件.md"), passages("zh/组件.md", ZH), unit([1, 1, 1, 0], [0, 0, 1, 0]))
    writer.put(
        document("manual.pdf", "pdf"),
        passages("manual.pdf", ["First page.", "Second page of values.", "Third page."], [1, 2, 3]),
        unit([0, 0, 0, 1], [1, 0, 0, 1], [0, 0, 1, 1]),
    )


def texts_of(store: Store, found: Sequence[Scored]) -> list[str]:
    return [chunk.text for chunk in store.chunks([each.id for each in found])]


def okapi(texts: dict[str, list[str]], query: Sequence[str]) -> dict[str, float]:
    """BM25 by the formula, k1 1.2, b 0.75, idf as in Lucene, as a share of what the terms could reach."""
    average = sum(map(len, texts.values())) / len(texts)
    scores = {}
    for name, words in texts.items():
        score = best = 0.0
        for term in dict.fromkeys(query):
            df = sum(term in other for other in texts.values())
            tf = words.count(term)
            idf = math.log(1 + (len(texts) - df + 0.5) / (df + 0.5))
            score += idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * len(words) / average))
            best += idf * 2.2
        if score > 0:
            scores[name] = score / best
    return scores


class StoreContract:
    """What any engine must do; scores within 0.001 of the exact ones."""

    @pytest.fixture
    def url(self) -> str:
        raise NotImplementedError("an engine's test says where its index is")

    @pytest.fixture
    def opened(self, url: str) -> Iterator[Open]:
        """Opens the same index again and again."""
        stores: list[Store] = []

        def open_again() -> Store:
            stores.append(open_store(url))
            return stores[-1]

        yield open_again
        for store in stores:
            store.close()

    @pytest.fixture
    def filled(self, opened: Open) -> Store:
        store = opened()
        with store.write(MANIFEST) as writer:
            fill(writer)
            writer.commit()
        return store

    def test_is_a_store(self, opened: Open, url: str) -> None:
        store = opened()
        assert isinstance(store, Store)
        assert store.url == url

    def test_nothing_there(self, opened: Open) -> None:
        store = opened()
        assert store.manifest() is None
        assert dict(store.documents()) == {}
        for search in (lambda: store.dense(unit([1, 0, 0, 0])[0], 3), lambda: store.lexical(["a"], 3)):
            with pytest.raises(IndexMissing, match="rag ingest"):
                search()

    def test_manifest_comes_back(self, filled: Store, opened: Open) -> None:
        assert filled.manifest() == MANIFEST
        assert opened().manifest() == MANIFEST

    def test_documents_come_back_with_their_number_of_chunks(self, filled: Store) -> None:
        found = filled.documents()
        assert {source: each.chunks for source, each in found.items()} == {
            "guide/props.md": 3,
            "manual.pdf": 3,
            "zh/组件.md": 2,
        }
        assert found["manual.pdf"] == Document(
            "manual.pdf", "/docs/manual.pdf", "0" * 64, 10, 1_700_000_000_000_000_001, "pdf", 3
        )

    def test_chunks_come_back_whole_and_in_the_order_asked(self, filled: Store) -> None:
        ids = [found.id for found in filled.dense(unit([1, 2, 3, 4])[0], 8)]
        forwards = filled.chunks(ids)
        assert filled.chunks(ids[::-1]) == forwards[::-1]
        every = [
            *passages("guide/props.md", GUIDE),
            *passages("zh/组件.md", ZH),
            *passages("manual.pdf", ["First page.", "Second page of values.", "Third page."], [1, 2, 3]),
        ]
        assert sorted(forwards, key=lambda c: (c.source, c.position)) == sorted(
            every, key=lambda c: (c.source, c.position)
        )
        assert filled.chunks([]) == []

    def test_a_chunk_that_is_not_there_is_an_error(self, filled: Store) -> None:
        with pytest.raises(StoreError, match="987654"):
            filled.chunks([987654])

    def test_dense_gives_cosines_best_first(self, filled: Store) -> None:
        found = filled.dense(unit([1, 0, 0, 0])[0], 4)
        assert texts_of(filled, found) == [GUIDE[0], GUIDE[1], "Second page of values.", ZH[0]]
        assert [each.score for each in found] == pytest.approx([1, 0.5**0.5, 0.5**0.5, 3**-0.5], abs=1e-3)

    def test_dense_gives_no_more_than_there_are(self, filled: Store) -> None:
        assert len({each.id for each in filled.dense(unit([1, 0, 0, 0])[0], 100)}) == 8
        assert filled.dense(unit([1, 0, 0, 0])[0], 0) == []

    def test_dense_wants_a_vector_of_the_index_s_size(self, filled: Store) -> None:
        with pytest.raises(StoreError, match=r"4.*hashed"):
            filled.dense(unit([1, 0, 0])[0], 3)

    @pytest.mark.parametrize(
        "question", ["props", "values of props", "如何在组件之间传递数据", "ＰＲＯＰＳ", "page 传递"]
    )
    def test_lexical_is_bm25(self, filled: Store, question: str) -> None:
        every = filled.chunks([each.id for each in filled.dense(unit([1, 2, 3, 4])[0], 8)])
        expected = okapi({chunk.text: chunk_terms(chunk) for chunk in every}, search_terms(question))
        found = filled.lexical(search_terms(question), 8)
        scores = [each.score for each in found]
        assert scores == sorted(scores, reverse=True)
        assert dict(zip(texts_of(filled, found), scores, strict=True)) == pytest.approx(expected, abs=1e-3)
        assert expected

    def test_lexical_puts_the_chunk_that_says_it_most_first(self, filled: Store) -> None:
        assert texts_of(filled, filled.lexical(search_terms("props"), 2))[0] == GUIDE[2]
        assert texts_of(filled, filled.lexical(search_terms("计算属性"), 1)) == [ZH[1]]

    def test_lexical_finds_nothing_for_what_is_nowhere(self, filled: Store) -> None:
        assert filled.lexical(search_terms("nowhere"), 5) == []
        assert filled.lexical([], 5) == []
        assert filled.lexical(search_terms("props"), 0) == []

    def test_a_repeated_term_counts_once(self, filled: Store) -> None:
        assert filled.lexical(search_terms("props") * 5, 5) == filled.lexical(search_terms("props"), 5)

    def test_a_term_is_the_rarer_the_fewer_chunks_hold_it(self, filled: Store) -> None:
        every = filled.chunks([each.id for each in filled.dense(unit([1, 2, 3, 4])[0], 8)])
        held = [set(chunk_terms(chunk)) for chunk in every]
        asked = ["values", "props", "组件", "top", "nowhere", "values", "x\0y", "%"]
        counts = [sum(term in has for has in held) for term in asked]
        assert (counts[3], counts[4]) == (8, 0)
        expected = [math.log(1 + (8.5 - n) / (n + 0.5)) / math.log(18) for n in counts]
        assert filled.rarities(asked) == pytest.approx(expected)
        assert filled.rarities([]) == []

    @pytest.mark.parametrize("hostile", ['"', "'", "*", "a OR b", "NEAR(a b)", "body:x", "x\0y", "-", "%", ""])
    def test_no_term_is_a_command(self, filled: Store, hostile: str) -> None:
        assert filled.lexical([hostile], 5) == []

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            (Where(source="guide/*"), set(GUIDE)),
            (Where(source="*.md"), {*GUIDE, *ZH}),
            (Where(source="zh/组?.md"), set(ZH)),
            (Where(source="[!gz]*"), {"First page.", "Second page of values.", "Third page."}),
            (Where(source="GUIDE/*"), set()),
            (Where(type="pdf"), {"First page.", "Second page of values.", "Third page."}),
            (Where(pages=(2, 3)), {"Second page of values.", "Third page."}),
            (Where(source="*.md", pages=(1, 9)), set()),
            (Where(type="pdf", pages=(1, 1)), {"First page."}),
            (Where(exclude=frozenset({"guide/props.md", "manual.pdf"})), set(ZH)),
            (Where(exclude=frozenset({"guide/*", "manual.pdf"})), {*GUIDE, *ZH}),
            (Where(exclude=frozenset({"zh/组件.md"}), type="pdf", pages=(2, 2)), {"Second page of values."}),
            (Where(exclude=frozenset({"zh/组件.md"}), source="zh/*"), set()),
            (Where(), {*GUIDE, *ZH, "First page.", "Second page of values.", "Third page."}),
        ],
    )
    def test_where_lets_through_both_searches_what_it_says(
        self, filled: Store, where: Where, expected: set[str]
    ) -> None:
        question = [*search_terms("ref props read-only page values 组件 计算"), "top"]
        assert set(texts_of(filled, filled.dense(unit([1, 1, 1, 1])[0], 8, where))) == expected
        assert set(texts_of(filled, filled.lexical(question, 8, where))) == expected

    def test_where_is_part_of_the_search_and_not_applied_after_it(self, filled: Store) -> None:
        where = Where(type="pdf")
        found = filled.dense(unit([1, 0, 0, 0])[0], 1, where)
        assert texts_of(filled, found) == ["Second page of values."]
        assert found[0].score == pytest.approx(0.5**0.5, abs=1e-3)
        unfiltered = {each.id: each.score for each in filled.lexical(search_terms("page"), 8)}
        for each in filled.lexical(search_terms("page"), 2, where):
            assert each.score == pytest.approx(unfiltered[each.id])

    def test_put_replaces_the_document_of_that_source(self, filled: Store) -> None:
        before = {each.id for each in filled.dense(unit([1, 1, 1, 1])[0], 9)}
        with filled.write(MANIFEST) as writer:
            writer.put(
                document("guide/props.md", sha="1"),
                passages("guide/props.md", ["Emits go up."]),
                unit([-1, 0, 0, 0]),
            )
            writer.commit()
        found = filled.documents()["guide/props.md"]
        assert (found.sha256, found.chunks) == ("1" * 64, 1)
        nearest = filled.dense(unit([-1, 0, 0, 0])[0], 1)
        assert texts_of(filled, nearest) == ["Emits go up."]
        assert nearest[0].id not in before
        by_text_or_name = filled.lexical(search_terms("props"), 9)
        assert set(texts_of(filled, by_text_or_name)) == {ZH[0], "Emits go up."}
        assert filled.lexical(search_terms("read-only"), 9) == []
        assert texts_of(filled, filled.lexical(search_terms("emits"), 9)) == ["Emits go up."]
        assert len(filled.dense(unit([1, 1, 1, 1])[0], 9)) == 6

    def test_remove_takes_out_chunks_vectors_and_terms(self, filled: Store) -> None:
        with filled.write(MANIFEST) as writer:
            assert writer.remove(["guide/props.md", "guide/props.md", "not-there.md"]) == 1
            writer.commit()
        assert set(filled.documents()) == {"manual.pdf", "zh/组件.md"}
        assert texts_of(filled, filled.lexical(search_terms("props"), 9)) == [ZH[0]]
        assert texts_of(filled, filled.dense(unit([1, 0, 0, 0])[0], 1)) == ["Second page of values."]

    def test_everything_may_be_removed(self, filled: Store) -> None:
        with filled.write(MANIFEST) as writer:
            assert writer.remove(list(filled.documents())) == 3
            writer.commit()
        assert dict(filled.documents()) == {}
        assert filled.dense(unit([1, 0, 0, 0])[0], 3) == []
        assert filled.lexical(search_terms("props"), 3) == []

    def test_a_document_without_chunks_is_kept(self, filled: Store) -> None:
        with filled.write(MANIFEST) as writer:
            writer.put(document("empty.md"), [], np.empty((0, DIM), np.float32))
            writer.commit()
        assert filled.documents()["empty.md"].chunks == 0
        assert len(filled.dense(unit([1, 0, 0, 0])[0], 9)) == 8

    def test_readers_see_the_old_state_until_commit(self, filled: Store, opened: Open) -> None:
        reader = opened()
        assert texts_of(reader, reader.dense(unit([-1, 0, 0, 0])[0], 1)) != ["New."]
        with filled.write(MANIFEST) as writer:
            writer.put(document("new.md"), passages("new.md", ["New."]), unit([-1, 0, 0, 0]))
            writer.remove(["manual.pdf"])
            for store in (filled, reader):
                assert "manual.pdf" in store.documents()
                assert texts_of(store, store.lexical(search_terms("first"), 1)) == ["First page."]
                assert store.lexical(["new"], 1) == []
                assert texts_of(store, store.dense(unit([0, 0, 0, 1])[0], 1)) == ["First page."]
            writer.commit()
            for store in (filled, reader):
                assert "manual.pdf" not in store.documents()
                assert store.lexical(search_terms("first"), 1) == []
                assert texts_of(store, store.lexical(["new"], 1)) == ["New."]
                assert texts_of(store, store.dense(unit([-1, 0, 0, 0])[0], 1)) == ["New."]
                assert len(store.dense(unit([1, 0, 0, 0])[0], 9)) == 6

    def test_what_is_not_committed_is_gone(self, filled: Store, opened: Open) -> None:
        with filled.write(MANIFEST) as writer:
            writer.put(document("kept.md"), passages("kept.md", ["Kept."]), unit([-1, 0, 0, 0]))
            writer.commit()
            writer.put(document("lost.md"), passages("lost.md", ["Lost."]), unit([-1, 0, 0, 0]))
            writer.remove(["manual.pdf"])
        for store in (filled, opened()):
            assert set(store.documents()) == {"guide/props.md", "kept.md", "manual.pdf", "zh/组件.md"}
            assert store.lexical(search_terms("lost"), 1) == []
            assert texts_of(store, store.dense(unit([-1, 0, 0, 0])[0], 1)) == ["Kept."]

    def test_an_error_inside_write_undoes_what_was_not_committed(self, filled: Store) -> None:
        before = filled.documents()
        with pytest.raises(ZeroDivisionError), filled.write(MANIFEST) as writer:
            writer.remove(["manual.pdf"])
            raise ZeroDivisionError
        assert filled.documents() == before
        with filled.write(MANIFEST) as writer:
            assert writer.remove(["manual.pdf"]) == 1

    def test_a_write_without_commit_makes_no_index(self, opened: Open) -> None:
        store = opened()
        with store.write(MANIFEST) as writer:
            fill(writer)
        assert store.manifest() is None
        assert dict(store.documents()) == {}

    @pytest.mark.parametrize(
        ("other", "said"),
        [
            (Manifest("st:m3e-small", "weights-1", DIM, terms=TERMS), "hashed.*st:m3e-small.*rag ingest"),
            (Manifest("hashed", "weights-2", DIM, terms=TERMS), "weights-1.*weights-2.*rag ingest"),
            (Manifest("hashed", "weights-1", 5, terms=TERMS), "dim 4.*dim 5.*rag ingest"),
            (Manifest("hashed", "weights-1", DIM, terms=TERMS, chunker={"max": 9}), "200.*9.*rag ingest"),
        ],
    )
    def test_another_manifest_is_refused(self, filled: Store, other: Manifest, said: str) -> None:
        with pytest.raises(EmbedderMismatch, match=said), filled.write(other):
            pass
        assert filled.manifest() == MANIFEST

    def test_one_writer(self, filled: Store, opened: Open) -> None:
        with filled.write(MANIFEST):
            with pytest.raises(IndexLocked, match="written to"), opened().write(MANIFEST):
                pass
            with pytest.raises(IndexLocked), filled.write(MANIFEST):
                pass
        with opened().write(MANIFEST) as writer:
            assert writer.remove(["manual.pdf"]) == 1

    def test_what_does_not_fit_is_refused_and_changes_nothing(self, filled: Store) -> None:
        wrong = (
            np.ones((1, 5), np.float32) / 5**0.5,
            unit([1, 0, 0, 0], [0, 1, 0, 0]),
            np.full((1, DIM), np.nan, np.float32),
            2 * unit([1, 0, 0, 0]),
        )
        with filled.write(MANIFEST) as writer:
            for source, text in (("bad.md", "half \ud800"), ("bad\udcff.md", "whole"), ("bad.md", "a\0b")):
                with pytest.raises(StoreError, match=r"bad.*not Unicode"):
                    writer.put(document(source), passages(source, [text]), unit([1, 0, 0, 0]))
            assert writer.remove(["bad\udcff.md"]) == 0
            for vectors in wrong:
                with pytest.raises(StoreError, match=r"bad\.md"):
                    writer.put(document("bad.md"), passages("bad.md", ["Bad."]), vectors)
            writer.put(document("good.md"), passages("good.md", ["Good."]), unit([1, 0, 0, 0]))
            writer.commit()
        assert set(filled.documents()) == {"good.md", "guide/props.md", "manual.pdf", "zh/组件.md"}
