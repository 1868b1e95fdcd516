"""The contract on every embedder, and what each of them promises beyond it."""

from __future__ import annotations

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from contracts.embedder import CATS, EmbedderContract, assert_unit_rows

from rag.embedders import Embedder, load_embedder
from rag.embedders.batches import batches, embed_each, even_batches, fair_budget, padded
from rag.embedders.builtin import bert, e5, minilm
from rag.embedders.builtin import runtime as engine
from rag.embedders.builtin.bilingual import LATIN_SHARE, BilingualEmbedder, blocks, is_latin
from rag.errors import ConfigError, ModelError
from rag.text.sanitise import well_formed
from rag.weights.cache import model_path

PASSAGES = [
    "A computed property is cached and evaluated again only when a value it depends on has changed.",
    "The warranty covers faults of material for two years; a receipt is needed.",
    "Holidays are asked for two weeks ahead, by the form on the intranet, and confirmed by the team lead.",
    "Short.",
    "Vectors are compared by their cosine, which for rows of unit length is a plain product. " * 12,
    "def area(radius: float) -> float: return 3.14159 * radius ** 2",
]
PAIRS = [
    (
        "计算属性只有在其依赖的值改变时才会重新计算。",
        "A computed property is evaluated again only when its dependencies change.",
    ),
    ("保修期为两年，需要出示发票。", "The warranty is two years and a receipt is needed."),
    ("年假需要提前两周申请。", "Annual leave is requested two weeks in advance."),
    ("电池充满电需要三个小时。", "It takes three hours to charge the battery fully."),
]


class TestHashed(EmbedderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def embedder(cls) -> Embedder:
        return load_embedder("hashed")

    def test_values(self, embedder: Embedder) -> None:
        vectors = embedder.embed_documents(["red green", "green red", "red", ""])
        assert vectors[0] @ vectors[1] == pytest.approx(1)
        assert vectors[0] @ vectors[2] == pytest.approx(2**-0.5)
        assert vectors[3].argmax() == embedder.dim - 1

    def test_chinese_shares_characters_and_bigrams(self, embedder: Embedder) -> None:
        vectors = embedder.embed_documents(["退税申报", "申报退税的时间", "猫睡觉"])
        assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2]


@pytest.mark.models
class TestMiniLM(EmbedderContract):
    closeness = 0.997

    @pytest.fixture(scope="class")
    @classmethod
    def embedder(cls) -> Embedder:
        return load_embedder("minilm")

    def test_it_is_the_first_block_of_the_default(self, embedder: Embedder) -> None:
        both = load_embedder("bilingual").embed_documents(PASSAGES[:3])[:, : minilm.DIM]
        cosines = (embedder.embed_documents(PASSAGES[:3]) * both).sum(axis=1) / LATIN_SHARE**0.5
        assert cosines == pytest.approx(1, abs=0.003)

    def test_many_texts_have_the_vectors_of_few(self, embedder: Embedder) -> None:
        odd = ["", "a " * 250, "." * 250, "1 " * 250, "中" * 250, "\U0001f600 " * 200, "{}[]();" * 40, "A" * 3000]
        prose = [f"{PASSAGES[i % 6]} {PASSAGES[i // 6 % 5][: 7 * i % 150]} {i}" for i in range(592)]
        texts = [*odd, *prose]
        assert sum(min(n, 256) for n in embedder.count_tokens(texts)) > bert.MANY
        many = embedder.embed_documents(texts)
        assert_unit_rows(many, len(texts), embedder.dim)
        few = np.vstack([embedder.embed_documents(texts[i : i + 60]) for i in range(0, len(texts), 60)])
        cosines = (many * few).sum(axis=1)
        assert cosines.min() > 0.98
        assert cosines[len(odd) :].min() > 0.99
        assert cosines.mean() > 0.997

    def test_without_the_fast_engine_the_other_does_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        texts = [f"{passage} {n}" for n in range(300) for passage in PASSAGES[:3]]
        many = minilm.MiniLM.load().embed(texts)
        assert sum(minilm.MiniLM.load().count_tokens(texts)) > bert.MANY
        monkeypatch.setitem(sys.modules, "openvino", None)
        engine._openvino.cache_clear()
        try:
            assert not engine.has_fast_engine()
            cosines = (minilm.MiniLM.load().embed(texts) * many).sum(axis=1)
        finally:
            engine._openvino.cache_clear()
        assert cosines.min() > 0.99

    def test_nothing_is_told_to_anybody(self) -> None:
        code = (
            "import sys; sys.addaudithook(lambda event, _: event == 'socket.connect' and sys.exit('connects')); "
            "from rag.embedders.builtin import bert, minilm; bert.MANY = 1; "
            "minilm.MiniLM.load().embed(['one', 'two words']); "
            "print('openvino' in sys.modules, [m for m in sys.modules if 'telemetry' in m])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == f"{engine.has_fast_engine()} []"


@pytest.mark.models
class TestE5(EmbedderContract):
    closeness = 0.99

    @pytest.fixture(scope="class")
    @classmethod
    def embedder(cls) -> Embedder:
        return load_embedder("e5")

    def test_shape(self, embedder: Embedder) -> None:
        assert (embedder.id, embedder.dim) == ("e5", 384)
        assert len(embedder.weights) == 64

    def test_a_passage_is_found_from_the_other_language(self, embedder: Embedder) -> None:
        for asked, held in ((0, 1), (1, 0)):
            questions = embedder.embed_queries([pair[asked] for pair in PAIRS])
            passages = embedder.embed_documents([pair[held] for pair in PAIRS])
            assert (questions @ passages.T).argmax(axis=1).tolist() == [0, 1, 2, 3]

    def test_what_has_nothing_to_do_with_each_other_is_far(self, embedder: Embedder) -> None:
        cosines = embedder.embed_queries([pair[0] for pair in PAIRS]) @ embedder.embed_documents(PASSAGES).T
        assert float(np.median(cosines)) < 0.4  # as they come out of the model, .75 and more

    def test_many_texts_have_the_vectors_of_few(self, embedder: Embedder) -> None:
        texts = [f"{PASSAGES[i % 6]} {PAIRS[i % 4][0]} {i}" for i in range(300)]
        assert sum(embedder.count_tokens(texts)) > bert.MANY
        many = embedder.embed_documents(texts)
        few = np.vstack([embedder.embed_documents(texts[i : i + 60]) for i in range(0, len(texts), 60)])
        assert (many * few).sum(axis=1).min() > 0.98

    def test_the_graph_computes_what_the_weights_say(self, embedder: Embedder) -> None:
        from benchmarks.peaks import e5_in_fp32

        torch = pytest.importorskip("torch")
        model, tokens = e5_in_fp32()
        with torch.no_grad():
            means = [model(torch.tensor([tokens(text)])).last_hidden_state[0].mean(0).numpy() for text in PASSAGES]
        exact = np.array(means) / np.linalg.norm(means, axis=1, keepdims=True)
        exact = e5.centred(exact, np.ones(len(exact), bool), asked=False)
        assert (embedder.embed_documents(PASSAGES) * exact).sum(axis=1).min() > 0.95


@pytest.mark.models
class TestBilingual(EmbedderContract):
    closeness = 0.997  # rounding decides on which side of a step in 8 bits a value falls

    @pytest.fixture(scope="class")
    @classmethod
    def embedder(cls) -> Embedder:
        return load_embedder("bilingual")

    def test_shape(self, embedder: Embedder) -> None:
        assert (embedder.id, embedder.dim, embedder.max_tokens) == ("bilingual", 896, 256)
        assert len(embedder.weights) == 64

    def test_chinese_leaves_the_first_block_empty(self, embedder: Embedder) -> None:
        chinese, english = embedder.embed_documents(["年假需要提前两周申请。", CATS])
        assert not chinese[: minilm.DIM].any()
        assert (english[: minilm.DIM] ** 2).sum() == pytest.approx(LATIN_SHARE, abs=1e-4)

    def test_a_passage_is_found_from_the_other_language(self, embedder: Embedder) -> None:
        chinese = embedder.embed_documents([pair[0] for pair in PAIRS])
        english = embedder.embed_queries([pair[1] for pair in PAIRS])
        assert (english @ chinese.T).argmax(axis=1).tolist() == [0, 1, 2, 3]
        assert (chinese @ english.T).argmax(axis=1).tolist() == [0, 1, 2, 3]

    @pytest.mark.parametrize("question", [CATS, "年假需要提前多久申请？", "", " "])
    def test_one_question_is_embedded_as_a_document_is(self, embedder: Embedder, question: str) -> None:
        assert (embedder.embed_queries([question]) == embedder.embed_documents([question])).all()

    def test_questions_from_many_threads_at_once(self, embedder: Embedder) -> None:
        questions = [[f"Where does the {n}th cat sleep?"] for n in range(40)]
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(embedder.embed_queries, questions))
        assert all((a == embedder.embed_queries(q)).all() for q, a in zip(questions, found, strict=True))
        assert embedder.embed_queries([]).shape == (0, 896)

    def test_tokens_are_those_of_the_model_that_reads_the_text(self, embedder: Embedder) -> None:
        assert embedder.count_tokens(["A computed property", "年假", ""]) == [5, 5, 2]

    def test_no_torch(self) -> None:
        code = (
            "import sys; from rag.embedders import load_embedder; "
            "load_embedder('bilingual').embed_queries(['one', '二']); "
            "print([m for m in ('torch', 'transformers', 'sentence_transformers', 'onnx') if m in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"


@pytest.mark.models
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
class TestSentenceTransformers(EmbedderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def embedder(cls) -> Embedder:
        return load_embedder("st:all-MiniLM-L6-v2")

    def test_shape(self, embedder: Embedder) -> None:
        assert (embedder.id, embedder.dim, embedder.max_tokens) == ("st:all-MiniLM-L6-v2", 384, 256)
        assert len(embedder.weights) == 64

    def test_whole_numbers_change_little(self, embedder: Embedder) -> None:
        ours = minilm.MiniLM.load().embed(PASSAGES)
        cosines = (ours * embedder.embed_documents(PASSAGES)).sum(axis=1)
        assert cosines.mean() > 0.99
        assert cosines.min() > 0.98

    def test_tokens_are_counted_alike(self, embedder: Embedder) -> None:
        assert minilm.MiniLM.load().count_tokens(PASSAGES) == embedder.count_tokens(PASSAGES)

    def test_a_folder_is_a_model_as_well(self, embedder: Embedder) -> None:
        folder = load_embedder(f"st:{model_path('all-MiniLM-L6-v2')}")
        assert folder.weights == embedder.weights
        assert folder.embed_queries([CATS]) == pytest.approx(embedder.embed_queries([CATS]), abs=1e-5)

    def test_a_folder_without_a_model(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="not a SentenceTransformers model"):
            load_embedder(f"st:{tmp_path}")


def test_unknown_model_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="no embedding model 'nobody/nothing-at-all'") as caught:
        load_embedder("st:nobody/nothing-at-all")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "word2vec", "st:", "hashed:x", "bilingual:x"])
def test_unknown_kind(name: str) -> None:
    with pytest.raises(ConfigError, match="no embedder is called"):
        load_embedder(name)


def test_licence_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    from rag.embedders.sentence_transformers import show_licence

    with caplog.at_level(logging.WARNING):
        show_licence("m3e-small")
        show_licence("all-MiniLM-L6-v2")
    assert [record.getMessage() for record in caplog.records] == [
        "m3e-small: licence research only, no commercial use"
    ]


def test_blocks() -> None:
    first, second = np.eye(1, 384, dtype=np.float32), np.eye(2, 512, dtype=np.float32)
    vectors = blocks(first, second, np.array([False, True]))
    assert_unit_rows(vectors, 2, 896)
    assert vectors[0].nonzero()[0].tolist() == [384]
    assert vectors[1].nonzero()[0].tolist() == [0, 385]
    assert vectors[1, 0] ** 2 == pytest.approx(LATIN_SHARE)


def test_is_latin() -> None:
    assert is_latin(["English", "Grüße aus Köln", "年假", "Vue 的 ref 怎么用？", "", "123"]).tolist() == [
        True,
        True,
        False,
        False,
        True,
        True,
    ]


def test_weights_say_the_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    before = BilingualEmbedder().weights
    monkeypatch.setattr("rag.embedders.builtin.bilingual.LATIN_SHARE", 0.5)
    assert BilingualEmbedder().weights != before


def test_batches_hold_the_budget_and_every_text_once() -> None:
    lengths = [5, 300, 2, 256, 7, 256, 256, 40, 2000]
    made = list(batches(lengths, 520))
    assert sorted(i for batch in made for i in batch) == list(range(len(lengths)))
    assert made[-1] == [8]
    assert all(len(b) * max(lengths[i] for i in b) <= 520 for b in made[:-1])


def test_a_few_texts_keep_every_processor_busy() -> None:
    lengths = [30, 40, 35, 20, 25, 30]
    assert len(list(batches(lengths, fair_budget(lengths, 1024, 2)))) >= 2
    assert fair_budget([200] * 50, 1024, 2) == 1024
    assert fair_budget([], 1024, 2) == 1


def test_long_texts_share_a_batch_only_with_their_like() -> None:
    made = list(batches([200, 10, 200, 201, 12], 1000, alike=128))
    assert made == [[1, 4], [0, 2], [3]]


@pytest.mark.parametrize("lengths", [[], [3], [16, 17], list(range(1, 257)) * 2, [256] * 9 + [0]])
def test_even_batches_have_few_shapes_and_leave_nothing_out(lengths: list[int]) -> None:
    made = even_batches(lengths, 1024, 16)
    assert sorted(i for batch, _ in made for i in batch) == list(range(len(lengths)))
    assert all(len(batch) <= rows and rows * tokens <= 1024 for batch, (rows, tokens) in made)
    assert all(lengths[i] <= tokens for batch, (_, tokens) in made for i in batch)
    assert len({shape for _, shape in made}) <= 16
    assert [tokens for _, (_, tokens) in made] == sorted(tokens for _, (_, tokens) in made)


def test_padded_to_a_shape() -> None:
    ids, lengths = padded([[1, 2], [3]], (3, 4))
    assert ids.tolist() == [[1, 2, 0, 0], [3, 0, 0, 0], [0, 0, 0, 0]]
    assert lengths.tolist() == [2, 1, 1]


def test_padded() -> None:
    ids, lengths = padded([[1, 2], [3], [4, 5, 6]])
    assert ids.tolist() == [[1, 2, 0], [3, 0, 0], [4, 5, 6]]
    assert lengths.tolist() == [2, 1, 3]


def test_clean_takes_lone_surrogates_only() -> None:
    assert well_formed("a\ud83db\U0001f600c") == "a\ufffdb\U0001f600c"


def test_each_text_is_embedded_once() -> None:
    seen: list[str] = []

    def embed(texts: list[str]) -> np.ndarray:
        seen.extend(texts)
        return np.array([[len(text)] for text in texts], np.float32)

    assert embed_each(["aa", "b", "aa"], 1, embed).tolist() == [[2], [1], [2]]
    assert seen == ["aa", "b"]


@pytest.mark.skipif(not engine.has_fast_engine(), reason="OpenVINO is not here")
def test_threads_that_embed_for_the_first_time_do_not_wait_for_each_other_for_ever() -> None:
    code = (
        "import sys; sys.setswitchinterval(1e-6)\n"  # before the first was kept apart, ten of twelve runs hung
        "from rag.embedders.builtin.minilm import MiniLM\n"
        "print(MiniLM.load().embed([f'{i} word' * 40 for i in range(400)]).shape)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "(400, 384)"
