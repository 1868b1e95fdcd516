"""What the check sums cost a search: processor time of a whole `rag search`, with them and without, in turn.

    python -m benchmarks.sums faiss:INDEX [--pairs 10]

Without: what a search reads is neither summed nor compared, and the segments' lists of terms are not read.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys

QUESTION = "what is the effect of vitamin D on bone density"
SEARCH = "import sys; from rag.cli import main; sys.argv = ['rag', 'search', *sys.argv[1:]]; main()"
WITHOUT = f"""
from rag.stores.faiss import postings, rows, state, store
from rag.stores.faiss.schema import DOCUMENT
def pass_all(*_): pass
def no_sum(*_): return 0
def read_rows(db, segments, term, more=""):
    among = ", ".join(map(str, segments))
    query = f"SELECT frequency, whole{{more}} FROM postings WHERE segment IN ({{among}}) AND term = ?"
    return db.execute(query, (term,)).fetchall()
rows._check_sums = rows.require = state.require = postings.require = pass_all
rows.row_sum = state.state_sum = postings.crc32 = no_sum
postings._rows = read_rows
state.segments = lambda db: dict.fromkeys(key for (key,) in db.execute("SELECT id FROM segments ORDER BY id"))
store.read_documents = lambda db, _: db.execute(f"SELECT {{DOCUMENT}} FROM documents ORDER BY first").fetchall()
{SEARCH}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("index")
    parser.add_argument("--pairs", type=int, default=10)
    options = parser.parse_args()
    times: dict[str, list[float]] = {SEARCH: [], WITHOUT: []}
    for pair in range(options.pairs + 1):  # the first fills the page cache
        for program in (SEARCH, WITHOUT)[:: 1 if pair % 2 else -1]:
            times[program].append(seconds(program, options.index))
    whole, bare = (values[1:] for values in times.values())
    share = statistics.median(a / b for a, b in zip(whole, bare, strict=True))
    print(json.dumps({"with": statistics.median(whole), "without": statistics.median(bare), "ratio": share}))


def seconds(program: str, index: str) -> float:
    """Processor seconds of one search, which must succeed."""
    command = [sys.executable, "-c", program, QUESTION, "--index", index]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the search ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
