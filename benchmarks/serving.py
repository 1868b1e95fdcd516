"""How `rag serve` holds up: its start, many clients searching at once, the first word of an answer, its memory.

Usage: python benchmarks/serving.py faiss:INDEX [--clients 50] [--think 10] [--seconds 60] [--questions 2000]
    [--uploads 200]

The server runs without a language model (what is measured is the server), the clients on the same machine.
Twice: by clients that ask again at once, which is how many searches a second there are (their wait can't fall
below clients / searches a second); and by clients that read for `--think` seconds (in the mean) before they ask
again, as people do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx

from rag import RAG


@contextmanager
def server(index: str, uploads: Path) -> Iterator[tuple[str, int, float]]:
    """A server of its own: its address, its process id, and the seconds until it answered a search."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    base, began = f"http://127.0.0.1:{port}", time.perf_counter()
    line = [sys.executable, "-m", "rag", "serve", "--index", index, "--llm", "none", "--no-browser"]
    process = subprocess.Popen([*line, "--port", str(port), "--uploads", str(uploads)], stdout=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            try:
                if httpx.post(f"{base}/api/search", json={"question": "ready?"}).is_success:
                    break
            except httpx.TransportError:
                time.sleep(0.02)
        yield base, process.pid, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(20)


def questions_of(index: str) -> list[str]:
    """Headings of the index, as questions."""
    with RAG.open(index, llm="none") as rag:
        sources = [each.source for each in rag.sources()][:100]
        titles = [title for source in sources for title in rag.search(source, 3)[0].chunk.heading]
    return [f"What does it say about {title}?" for title in dict.fromkeys(titles)]


async def load(
    base: str, questions: list[str], clients: int, seconds: float, think: float = 0.0
) -> tuple[list[float], int]:
    """The seconds of each search, and how many failed, while `clients` ask, read for `think` seconds, and ask."""
    taken: list[float] = []
    failed = 0
    dice = random.Random(1)
    end = time.perf_counter() + seconds

    async def one(at: int) -> None:
        nonlocal failed
        async with httpx.AsyncClient(base_url=base, timeout=60) as client:
            await asyncio.sleep(dice.uniform(0, think))
            while time.perf_counter() < end:
                began = time.perf_counter()
                got = await client.post("/api/search", json={"question": questions[at % len(questions)]})
                taken.append(time.perf_counter() - began)
                failed += not got.is_success
                at += clients
                await asyncio.sleep(min(dice.expovariate(1 / think), end - time.perf_counter()) if think else 0)

    await asyncio.gather(*(one(at) for at in range(clients)))
    return taken, failed


def first_event(base: str, question: str) -> float:
    """Seconds until an answer's first event."""
    began = time.perf_counter()
    with httpx.stream("POST", f"{base}/api/ask", json={"question": question}, timeout=60) as got:
        lines = got.iter_lines()
        next(lines)
        seconds = time.perf_counter() - began
        list(lines)
    return seconds


def use(base: str, questions: list[str], count: int, uploads: int) -> None:
    """Ask `count` questions and send, read and forget `uploads` documents, evenly among them."""
    with httpx.Client(base_url=base, timeout=60) as client:
        for n in range(count):
            client.post("/api/ask", json={"question": questions[n % len(questions)]}).raise_for_status()
            if uploads and n % max(count // uploads, 1) == 0:
                name = f"note-{n}.md"
                client.put(f"/api/uploads/{name}", content=note(n))
                job = client.post("/api/ingest", json={"uploads": [name]}).json()
                while job["state"] in ("waiting", "running"):
                    time.sleep(0.02)
                    job = client.get(f"/api/jobs/{job['id']}").json()
                if job["state"] != "done" or job["problems"]:
                    sys.exit(f"the upload was not read: {job}")
                kept = client.get("/api/sources").json()["sources"]
                source = next(each["source"] for each in kept if each["source"].endswith(name))
                client.delete(f"/api/sources/{quote(source)}").raise_for_status()


def note(number: int) -> bytes:
    """A small document."""
    rooms = (f"Room {n} of house {number} is on floor {n // 10} and has {n % 7} windows.\n\n" for n in range(50))
    return f"# House {number}\n\n{''.join(rooms)}".encode()


def processor_seconds(pid: int) -> float:
    """What the process has computed so far: how busy the machine is otherwise does not change it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def megabytes(pid: int) -> float:
    """What the process holds in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("index")
    for name, default in (("clients", 50), ("think", 10), ("seconds", 60), ("questions", 2000), ("uploads", 200)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    questions = questions_of(given.index)
    with tempfile.TemporaryDirectory() as folder, server(given.index, Path(folder)) as (base, pid, start):
        asyncio.run(load(base, questions, 4, 3))
        computed = processor_seconds(pid)
        taken, failed = asyncio.run(load(base, questions, given.clients, given.seconds))
        computed = processor_seconds(pid) - computed
        people, failed_people = asyncio.run(load(base, questions, given.clients, given.seconds, given.think))
        first = [first_event(base, question) for question in questions[:20]]
        use(base, questions, given.questions // 4, given.uploads // 4)
        before = megabytes(pid)
        use(base, questions, given.questions - given.questions // 4, given.uploads - given.uploads // 4)
        report = {
            "start_s": round(start, 2),
            "searches": len(taken),
            "failed": failed,
            "per_second": round(len(taken) / given.seconds, 1),
            "processor_ms_per_search": round(1000 * computed / len(taken), 1),
            "p50_ms": round(1000 * statistics.median(taken), 1),
            "p95_ms": round(1000 * statistics.quantiles(taken, n=20)[-1], 1),
            "thinking_searches": len(people),
            "thinking_failed": failed_people,
            "thinking_p50_ms": round(1000 * statistics.median(people), 1),
            "thinking_p95_ms": round(1000 * statistics.quantiles(people, n=20)[-1], 1),
            "first_event_p95_s": round(statistics.quantiles(first, n=20)[-1], 3),
            "memory_mb": [round(before), round(megabytes(pid))],
        }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
