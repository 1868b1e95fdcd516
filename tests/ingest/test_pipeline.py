"""What becomes of every file, on the first ingest and on those after it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pypdf
import pytest
from helpers.samples import pdf, pdf_of

from ingest.estimate import estimate
from ingest.pipeline import ingest, with_index_chunk_size
from ingest.report import IngestReport, Progress, Stopped
from rag.config import Settings
from rag.embedders.hashed import HashedEmbedder
from rag.errors import ConfigError, EmbedderMismatch, IndexLocked, LoadError, StoreError
from rag.retrieval.search import Weights, search
from rag.stores import Store, open_store

Tree = Callable[..., Path]
HASHED = HashedEmbedder()


def run(store: Store, *paths: Path, **options: Any) -> IngestReport:
    """One ingest; every file that was found is in its report once."""
    settings = options.pop("settings", Settings())
    last: list[Progress] = []
    report = ingest(store, HASHED, paths, settings, progress=last.append, **options)
    seen = report.added + report.updated + report.unchanged + report.moved
    seen += len(report.skipped) + len(report.failed)
    assert seen >= last[-1].done == last[-1].files
    assert report.chunks == last[-1].chunks
    return report


def counts(report: IngestReport) -> tuple[int, int, int, int]:
    assert (report.skipped, report.failed) == ([], [])
    return report.added, report.updated, report.unchanged, report.removed


def sources(store: Store) -> list[str]:
    return list(store.documents())


def text_of(store: Store, source: str) -> str:
    """Every chunk of a source, put together again."""
    every = store.chunks([s.id for s in store.dense(HASHED.embed_queries(["x"])[0], 10_000)])
    return "".join(c.text for c in sorted(every, key=lambda c: c.position) if c.source == source)


def generation(store: Store) -> int:
    return int(store.statistics()["generation"])  # type: ignore[attr-defined]


def best(store: Store, question: str) -> str:
    return search(store, HASHED, question, 1, Weights(0.5, 0.5))[0].chunk.source


# ── one file, one end ────────────────────────────────────────────────────────────────────────────────


def test_added_unchanged_updated_removed(store: Store, tree: Tree) -> None:
    folder = tree({"a.md": "alpha", "sub/b.txt": "beta", "c.csv": "k,v\nx,gamma\n"})
    assert counts(run(store, folder)) == (3, 0, 0, 0)
    assert sources(store) == ["docs/a.md", "docs/c.csv", "docs/sub/b.txt"]
    assert counts(run(store, folder)) == (0, 0, 3, 0)
    tree({"a.md": "delta"})
    (folder / "sub" / "b.txt").unlink()
    tree({"d.md": "epsilon"})
    assert counts(run(store, folder)) == (1, 1, 1, 1)
    assert sources(store) == ["docs/a.md", "docs/c.csv", "docs/d.md"]
    assert text_of(store, "docs/a.md") == "delta"
    assert best(store, "delta") == "docs/a.md"


def test_what_the_index_knows_of_a_file(store: Store, tree: Tree) -> None:
    folder = tree({"a.md": "# One\n\ntext\n\n# Two\n\nmore text"})
    report = run(store, folder)
    (document,) = store.documents().values()
    path = folder / "a.md"
    assert (document.path, document.size, document.type) == (str(path.resolve()), path.stat().st_size, "markdown")
    assert document.modified == path.stat().st_mtime_ns
    assert (document.chunks, report.chunks) == (2, 2)
    assert report.seconds > 0


def test_a_second_run_changes_nothing(store: Store, tree: Tree) -> None:
    folder = tree({"a.md": "alpha", "b.txt": "", "c.zzz": "x", "d.pdf": "broken"})
    run(store, folder)
    before = generation(store)
    report = run(store, folder)
    assert (report.added, report.updated, report.unchanged, report.removed, report.chunks) == (0, 0, 1, 0, 0)
    assert generation(store) == before


def test_touched_is_not_changed(store: Store, tree: Tree) -> None:
    folder = tree({"a.md": "alpha"})
    run(store, folder)
    os.utime(folder / "a.md", (1, 1))
    assert counts(run(store, folder)) == (0, 0, 1, 0)


def encrypted(text: str, folder: Path) -> bytes:
    (folder / "plain.bin").write_bytes(pdf([text]))
    writer = pypdf.PdfWriter(clone_from=folder / "plain.bin")
    writer.encrypt("secret", algorithm="AES-256")
    writer.write(folder / "locked.bin")
    return (folder / "locked.bin").read_bytes()


def test_skipped_with_the_reason(store: Store, tree: Tree, tmp_path: Path) -> None:
    folder = tree(
        {
            "binary.xyz": b"\x00\x01",
            "blank.md": " \n\n",
            "empty.txt": b"",
            "large.txt": "word " * 400,
            "locked.pdf": encrypted("secret text", tmp_path),
            "picture.pdf": pdf_of([b""]),
            "right.md": "right",
        }
    )
    report = run(store, folder, settings=Settings(file_bytes=1900))
    assert report.added == 1
    reasons = {row["source"]: row["reason"] for row in report.skipped}
    assert reasons == {
        "docs/binary.xyz": "unsupported: .xyz",
        "docs/blank.md": "empty",
        "docs/empty.txt": "empty",
        "docs/large.txt": "too large: 2,000 bytes, and the most is 1,900",
        "docs/locked.pdf": "encrypted",
        "docs/picture.pdf": "no text layer",
    }
    assert report.failed == []


def test_failed_with_the_reason_and_the_rest_goes_on(store: Store, tree: Tree) -> None:
    folder = tree({"a.docx": b"no zip", "b.pdf": b"%PDF-1.4 rubbish", "c.md": "right", "d.csv": "a,b\n1,2\n"})
    report = run(store, folder, csv_text=("title",))
    assert report.added == 1
    reasons = {row["source"]: row["reason"] for row in report.failed}
    assert set(reasons) == {"docs/a.docx", "docs/b.pdf", "docs/d.csv"}
    assert reasons["docs/a.docx"].startswith("not a readable docx file")
    assert reasons["docs/b.pdf"].startswith("not a readable pdf file")
    assert reasons["docs/d.csv"].startswith("no column title")
    assert all("\n" not in reason for reason in reasons.values())


def test_pages_of_a_pdf(store: Store, tree: Tree) -> None:
    run(store, tree({"手册.pdf": pdf(["first page", "第二页说除垢", "third page"])}))
    (hit,) = search(store, HASHED, "除垢", 1, Weights(0.5, 0.5))
    assert (hit.chunk.source, hit.chunk.page, hit.chunk.text) == ("docs/手册.pdf", 2, "第二页说除垢")


def test_a_file_that_becomes_empty_leaves(store: Store, tree: Tree) -> None:
    folder = tree({"a.md": "alpha", "b.md": "beta"})
    run(store, folder)
    tree({"a.md": ""})
    report = run(store, folder)
    assert (report.unchanged, report.skipped) == (1, [{"source": "docs/a.md", "reason": "empty"}])
    assert sources(store) == ["docs/b.md"]


def test_a_file_that_becomes_broken_keeps_its_last_good_version(store: Store, tree: Tree) -> None:
    folder = tree({"a.pdf": pdf(["alpha words"]), "b.md": "beta"})
    run(store, folder)
    tree({"a.pdf": b"%PDF-1.4 rubbish"})
    for _ in range(2):
        report = run(store, folder)
        assert [row["source"] for row in report.failed] == ["docs/a.pdf"]
        assert (report.unchanged, report.removed) == (1, 0)
        assert text_of(store, "docs/a.pdf") == "alpha words"
    tree({"a.pdf": pdf(["omega words"])})
    assert counts(run(store, folder)) == (0, 1, 1, 0)
    assert text_of(store, "docs/a.pdf") == "omega words"


def test_a_file_that_is_now_ignored_leaves(store: Store, tree: Tree) -> None:
    folder = tree({"a.md": "alpha", "b.md": "beta"})
    run(store, folder)
    tree({".ragignore": "b.md\n"})
    assert counts(run(store, folder)) == (0, 0, 1, 1)


def test_a_renamed_file_is_not_embedded_again(store: Store, tree: Tree) -> None:
    folder = tree({"a.md": "# Warranty\n\nalpha", "sub/b.md": "# Payment\n\nbeta"})
    run(store, folder)
    (folder / "a.md").rename(folder / "z.md")
    (folder / "sub").rename(folder / "other")
    report = run(store, folder)
    assert (report.moved, counts(report)) == (2, (0, 0, 0, 0))
    assert sources(store) == ["docs/other/b.md", "docs/z.md"]
    assert best(store, "alpha") == "docs/z.md"


def test_a_file_that_is_called_by_its_name_is_read_again_under_another(store: Store, tree: Tree) -> None:
    folder = tree({"a.md": "alpha"})
    run(store, folder)
    (folder / "a.md").rename(folder / "乙.md")
    assert counts(run(store, folder)) == (1, 0, 0, 1)
    assert sources(store) == ["docs/乙.md"]


def test_other_columns_of_a_table_are_read_again(store: Store, tree: Tree) -> None:
    folder = tree({"a.csv": "k,v\napple,pear\n", "b.md": "text"})
    run(store, folder)
    assert text_of(store, "docs/a.csv") == "k: apple\nv: pear"
    assert counts(run(store, folder, csv_text=("v",))) == (0, 1, 1, 0)
    assert text_of(store, "docs/a.csv") == "v: pear"
    assert counts(run(store, folder, csv_text=("v",))) == (0, 0, 2, 0)


@pytest.mark.skipif(
    sys.platform == "win32" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all"
)
def test_a_folder_that_cannot_be_read_keeps_its_files(store: Store, tree: Tree) -> None:
    folder = tree({"a.md": "alpha", "sub/b.md": "beta"})
    run(store, folder)
    (folder / "sub").chmod(0)
    try:
        report = run(store, folder)
    finally:
        (folder / "sub").chmod(0o700)
    assert (report.unchanged, report.removed, [row["source"] for row in report.failed]) == (1, 0, ["docs/sub"])
    assert sources(store) == ["docs/a.md", "docs/sub/b.md"]


def test_a_folder_whose_rules_are_wrong_keeps_its_files(store: Store, tree: Tree) -> None:
    """As one that cannot be read, for those who may read everything."""
    folder = tree({"a.md": "alpha", "sub/b.md": "beta"})
    run(store, folder)
    tree({"sub/.ragignore": "!\n"})
    report = run(store, folder)
    assert (report.unchanged, report.removed, [row["source"] for row in report.failed]) == (1, 0, ["docs/sub"])
    assert sources(store) == ["docs/a.md", "docs/sub/b.md"]


def test_rules_of_the_folder_itself_that_are_wrong(store: Store, tree: Tree) -> None:
    folder = tree({"a.md": "alpha"})
    run(store, folder)
    tree({".ragignore": "!\n"})
    report = run(store, folder)
    assert (report.removed, [row["source"] for row in report.failed]) == (0, ["docs"])
    assert sources(store) == ["docs/a.md"]


# ── several folders ──────────────────────────────────────────────────────────────────────────────────


def test_folders_with_the_same_file_names(store: Store, tree: Tree) -> None:
    one, two = tree({"a.md": "alpha"}, "one"), tree({"a.md": "beta"}, "two")
    assert counts(run(store, one, two)) == (2, 0, 0, 0)
    assert sources(store) == ["one/a.md", "two/a.md"]
    (one / "a.md").unlink()
    assert counts(run(store, one)) == (0, 0, 0, 1)
    assert sources(store) == ["two/a.md"]


@pytest.mark.parametrize("together", [True, False])
def test_folders_of_the_same_name(store: Store, tree: Tree, together: bool) -> None:
    one, two = tree({"a.md": "alpha"}, "one/docs"), tree({"a.md": "beta", "b.md": "gamma"}, "two/docs")
    for paths in ([one, two],) if together else ([one], [two]):
        run(store, *paths)
    assert len(sources(store)) == 3
    assert {"docs/a.md", "two/docs/a.md"} <= set(sources(store))
    assert (text_of(store, "docs/a.md"), text_of(store, "two/docs/a.md")) == ("alpha", "beta")
    assert counts(run(store, one, two)) == (0, 0, 3, 0)
    assert counts(run(store, two, one)) == (0, 0, 3, 0)


def test_a_moved_folder(store: Store, tree: Tree, tmp_path: Path) -> None:
    folder = tree({"a.md": "alpha", "b.md": "beta"}, "old/docs")
    run(store, folder)
    (tmp_path / "new").mkdir()
    moved = Path(shutil.move(folder, tmp_path / "new" / "docs"))
    report = run(store, moved)
    assert (report.added, report.updated, report.moved, report.failed) == (0, 0, 2, [])
    assert sources(store) == ["docs/a.md", "docs/b.md"]
    assert {document.path for document in store.documents().values()} == {
        str((moved / name).resolve()) for name in ("a.md", "b.md")
    }
    assert counts(run(store, moved)) == (0, 0, 2, 0)


def test_a_single_file(store: Store, tree: Tree) -> None:
    folder = tree({"a.md": "alpha", "b.md": "beta"})
    assert counts(run(store, folder / "a.md")) == (1, 0, 0, 0)
    assert sources(store) == ["a.md"]
    tree({"a.md": "gamma"})
    assert counts(run(store, folder / "a.md")) == (0, 1, 0, 0)
    report = run(store, folder)
    assert (report.moved, counts(report)) == (1, (1, 0, 0, 0))
    assert sources(store) == ["docs/a.md", "docs/b.md"]
    assert (text_of(store, "docs/a.md"), best(store, "gamma")) == ("gamma", "docs/a.md")


def test_one_file_given_does_not_remove_its_neighbours(store: Store, tree: Tree) -> None:
    folder = tree({"a.md": "alpha", "b.md": "beta"})
    run(store, folder)
    assert counts(run(store, folder / "a.md")) == (0, 0, 1, 0)
    assert sources(store) == ["docs/a.md", "docs/b.md"]


def test_folders_that_overlap(store: Store, tree: Tree) -> None:
    folder = tree({"a.md": "alpha", "sub/b.md": "beta"})
    assert counts(run(store, folder, folder / "sub", folder, folder / "a.md")) == (2, 0, 0, 0)
    assert counts(run(store, folder / "sub")) == (0, 0, 1, 0)
    (folder / "sub" / "b.md").unlink()
    assert counts(run(store, folder / "sub", folder)) == (0, 0, 1, 1)
    assert sources(store) == ["docs/a.md"]


def test_an_inner_folder_first(store: Store, tree: Tree) -> None:
    folder = tree({"a.md": "alpha", "sub/b.md": "beta"})
    run(store, folder / "sub")
    report = run(store, folder)
    assert (report.moved, counts(report)) == (1, (1, 0, 0, 0))
    assert sources(store) == ["docs/a.md", "docs/sub/b.md"]
    assert counts(run(store, folder / "sub")) == (0, 0, 1, 0)
    assert sources(store) == ["docs/a.md", "docs/sub/b.md"]


def test_names_do_not_depend_on_the_order(url: str, tree: Tree, tmp_path: Path) -> None:
    folder = tree({"a.md": "alpha", "sub/b.md": "beta", "sub/deep/c.md": "gamma"})
    given = [folder, folder / "sub", folder / "sub" / "deep" / "c.md", folder / "sub" / "deep"]
    for n, paths in enumerate((given, given[::-1], given[2:] + given[:2])):
        at_once, one_by_one = open_store(f"{url}-{n}"), open_store(f"{url}-{n}b")
        run(at_once, *paths)
        for path in paths:
            run(one_by_one, path)
        for each in (at_once, one_by_one):
            assert sources(each) == ["docs/a.md", "docs/sub/b.md", "docs/sub/deep/c.md"], paths
            assert best(each, "gamma") == "docs/sub/deep/c.md"
            each.close()


def test_an_inner_file_that_changed_too(store: Store, tree: Tree) -> None:
    folder = tree({"a.md": "alpha", "sub/b.md": "beta"})
    run(store, folder / "sub")
    tree({"sub/b.md": "delta"})
    assert counts(run(store, folder)) == (2, 0, 0, 0)
    assert sources(store) == ["docs/a.md", "docs/sub/b.md"]
    assert text_of(store, "docs/sub/b.md") == "delta"


def test_a_folder_with_another_name(store: Store, tree: Tree, tmp_path: Path) -> None:
    folder = tree({"a.md": "alpha", "sub/b.md": "beta", "c.md": "gamma"})
    run(store, folder)
    moved = folder.rename(tmp_path / "papers")
    (moved / "c.md").write_text("changed", "utf-8")
    report = run(store, moved)
    assert (report.moved, counts(report), report.gone) == (2, (1, 0, 0, 0), ["docs/c.md"])
    assert sources(store) == ["docs/c.md", "papers/a.md", "papers/c.md", "papers/sub/b.md"]
    assert best(store, "beta") == "papers/sub/b.md"
    report = run(store, moved, prune=True)
    assert (counts(report), report.gone) == ((0, 0, 3, 1), [])
    assert sources(store) == ["papers/a.md", "papers/c.md", "papers/sub/b.md"]


def test_a_folder_that_is_gone(store: Store, tree: Tree) -> None:
    one, two = tree({"a.md": "alpha", "b.md": "beta"}, "one"), tree({"c.md": "gamma"}, "two")
    run(store, one, two)
    shutil.rmtree(one)
    report = run(store, two)
    assert (report.gone, counts(report)) == (["one/a.md", "one/b.md"], (0, 0, 1, 0))
    assert sources(store) == ["one/a.md", "one/b.md", "two/c.md"]
    assert counts(run(store, prune=True)) == (0, 0, 0, 2)
    assert sources(store) == ["two/c.md"]


def test_relative_and_linked_paths_are_the_same_folder(
    store: Store, tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tree({"a.md": "alpha"})
    run(store, folder)
    monkeypatch.chdir(tmp_path)
    assert counts(run(store, Path("docs"))) == (0, 0, 1, 0)
    assert counts(run(store, Path("docs/../docs/"))) == (0, 0, 1, 0)
    if sys.platform != "win32":
        (tmp_path / "link").symlink_to("docs")
        assert counts(run(store, Path("link"))) == (0, 0, 1, 0)


def test_the_working_folder(store: Store, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree({"a.md": "alpha"}))
    assert counts(run(store, Path())) == (1, 0, 0, 0)
    assert sources(store) == ["docs/a.md"]
    Path("a.md").unlink()
    Path("b.md").write_text("beta", encoding="utf-8")
    assert counts(run(store, Path())) == (1, 0, 0, 1)


# ── what stands in the way ───────────────────────────────────────────────────────────────────────────


def test_a_path_that_is_not_there_changes_nothing(store: Store, tree: Tree, tmp_path: Path) -> None:
    folder = tree({"a.md": "alpha"})
    with pytest.raises(LoadError, match=r"there is no file or folder .*nowhere: check the spelling"):
        ingest(store, HASHED, [folder, tmp_path / "nowhere"], Settings())
    assert store.manifest() is None


def test_an_empty_folder(store: Store, tree: Tree) -> None:
    assert counts(run(store, tree({}))) == (0, 0, 0, 0)


def test_a_folder_that_was_emptied(store: Store, tree: Tree) -> None:
    folder = tree({"a.md": "alpha", "b.md": "beta"})
    run(store, folder)
    for file in folder.iterdir():
        file.unlink()
    assert counts(run(store, folder)) == (0, 0, 0, 2)
    assert sources(store) == []
    assert search(store, HASHED, "alpha", 5, Weights(0.5, 0.5)) == []


@pytest.mark.parametrize("tokens", [1, 15, 257, 100_000])
def test_chunks_that_cannot_be(store: Store, tree: Tree, tokens: int) -> None:
    with pytest.raises(ConfigError, match=f"chunk_tokens must lie between 16 and .* 256, not {tokens}$"):
        ingest(store, HASHED, [tree({})], Settings(chunk_tokens=tokens))


def test_other_chunks_are_another_index(store: Store, tree: Tree) -> None:
    folder = tree({"a.md": "alpha"})
    run(store, folder)
    with pytest.raises(
        EmbedderMismatch, match=r'chunker .*"size": 256.*and this is hashed with chunker .*"size": 64'
    ):
        run(store, folder, settings=Settings(chunk_tokens=64))


def test_one_writer_at_a_time(store: Store, url: str, tree: Tree) -> None:
    folder = tree({"a.md": "alpha"})
    run(store, folder)
    tree({"a.md": "beta"})
    other = open_store(url)
    manifest = store.manifest()
    assert manifest is not None
    with store.write(manifest), pytest.raises(IndexLocked, match="is being written to by process"):
        run(other, folder)
    assert counts(run(other, folder)) == (0, 1, 0, 0)
    other.close()


def test_readers_see_the_old_state_until_the_new_one_is_there(store: Store, url: str, tree: Tree) -> None:
    folder = tree({"a.md": "alpha"})
    run(store, folder)
    tree({"a.md": "omega"})
    reader = open_store(url)
    seen: list[str] = []
    ingest(store, HASHED, [folder], Settings(), progress=lambda now: seen.append(text_of(reader, "docs/a.md")))
    assert seen[0] == "alpha"
    assert seen[-1] == "omega"
    reader.close()


def test_interrupted(store: Store, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C: what was committed stays, the lock goes, and the next ingest goes on from there."""
    monkeypatch.setattr("ingest.indexer.BATCH", 2)
    folder = tree({f"{n}.md": f"number {n}" for n in range(9)})

    def stop(now: Progress) -> None:
        if now.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(Stopped) as stopped:
        ingest(store, HASHED, [folder], Settings(), progress=stop)
    assert stopped.value.report.added == 4
    assert sources(store) == [f"docs/{n}.md" for n in range(4)]
    assert counts(run(store, folder)) == (5, 0, 4, 0)


def test_the_bar_moves_inside_a_long_file(store: Store, tree: Tree) -> None:
    folder = tree({"long.csv": "text\n" + "".join(f"row {n} {'word ' * 100}\n" for n in range(3000))})
    told: list[Progress] = []
    ingest(store, HASHED, [folder], Settings(), progress=told.append)
    shares = [now.share for now in told]
    assert shares == sorted(shares) and shares[-1] == 1
    assert len({share for share in shares if 0 < share < 1}) >= 2


def test_the_folder_of_the_index_is_deleted_meanwhile(store: Store, url: str, tree: Tree) -> None:
    folder = tree({f"{n}.md": f"number {n}" for n in range(9)})

    def delete(now: Progress) -> None:
        shutil.rmtree(url.removeprefix("faiss:"), ignore_errors=True)

    with pytest.raises(StoreError, match="was deleted or replaced while it was written"):
        ingest(store, HASHED, [folder], Settings(), progress=delete)


def test_forgotten_sources_come_back_with_the_next_ingest(store: Store, tree: Tree) -> None:
    folder = tree({"a.md": "alpha", "b.md": "beta"})
    run(store, folder)
    manifest = store.manifest()
    assert manifest is not None
    with store.write(manifest) as writer:
        assert writer.remove(["docs/a.md"]) == 1
        writer.commit()
    assert sources(store) == ["docs/b.md"]
    assert counts(run(store, folder)) == (1, 0, 1, 0)


def test_long_rows_of_a_table_are_reported(store: Store, tree: Tree) -> None:
    long = "word " * 300
    folder = tree({"a.csv": f"name,note\nAnna,short\nBo,{long}\nCy,{long}\n", "b.md": long})
    report = ingest(store, HASHED, [folder], Settings(chunk_tokens=64))
    (cut,) = report.cut
    assert cut["source"] == "docs/a.csv"
    assert cut["reason"] == "rows longer than a chunk of 64 tokens, now in several chunks: 2 (row 2 first)"


def test_an_estimate_counts_by_the_chunk_size_of_the_index(tmp_path: Path, tree: Tree) -> None:
    folder = tree({"a.md": "One short sentence of seven words here. " * 40})
    with closing(open_store(f"faiss:{tmp_path}/index")) as store:
        run(store, folder, settings=Settings(chunk_tokens=32))
        (folder / "a.md").write_text("Another short sentence of seven words. " * 40, encoding="utf-8")
        settings = with_index_chunk_size(Settings(), store.manifest())
        told = estimate([folder], HASHED, settings, known=store.documents())
        assert told.chunks == run(store, folder).chunks > 1
