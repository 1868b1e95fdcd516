"""Whether a statement agrees with its passage: how many true ones are dropped, and false ones let through.

    python -m benchmarks.pairs [--show] [--kinds] [--pairs FILE --shared FOLDER]

The pairs are split in two halves by a hash of their ids. The checks of `rag.grounding.entailment` were written
with a view of half 0; of half 1 only the counts were seen, by which checks that gain nothing were deleted. A pair
that names a section is judged against the best three sentences of that section of FOLDER.
"""

from __future__ import annotations

import argparse
import hashlib
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ingest.chunk import sections
from ingest.loaders import load
from rag.grounding.entailment import agrees, objections
from rag.text import content_terms, split_sentences

ROOT = Path(__file__).parents[1]
PAIRS = ROOT / "tests" / "grounding" / "pairs.toml"
DOCS = ROOT / "data" / "docs"
WINDOW = 3


@dataclass(frozen=True, slots=True)
class Pair:
    """A statement, the passage that must say so, and what is known besides (title, headings, question)."""

    id: str
    statement: str
    passage: str
    context: str
    true: bool
    kind: str

    @property
    def half(self) -> int:
        return int(hashlib.sha256(self.id.encode()).hexdigest(), 16) % 2

    @property
    def agrees(self) -> bool:
        return agrees(self.statement, self.passage, self.context)


@cache
def _sections(path: Path) -> list[tuple[str, str]]:
    """Heading path and text of each section of a file."""
    pages = list(load(path))
    title = next((page.title for page in pages if page.title), "")
    return [
        (" > ".join((title, *headings)), page.text[start:end])
        for page in pages
        for start, end, headings in sections(page)
    ]


def _nearest(statement: str, text: str) -> str:
    """The `WINDOW` sentences of `text` that share most terms with `statement`."""
    spans = split_sentences(text) or [(0, len(text))]
    runs = [spans[i : i + WINDOW] for i in range(max(1, len(spans) - WINDOW + 1))]
    wanted = content_terms(statement)
    return max(
        (text[run[0][0] : run[-1][1]] for run in runs), key=lambda window: len(wanted & content_terms(window))
    )


def read_pairs(path: Path = PAIRS, shared: Path | None = None) -> Iterator[Pair]:
    """The pairs of `path`; those that name a file and a heading need the folder `shared`."""
    for pair in tomllib.loads(path.read_text(encoding="utf-8"))["pair"]:
        if "passage" in pair:
            found = _sections(DOCS / pair["source"])
            heading = next((path for path, text in found if pair["passage"][:40] in text), "")
            passage = pair["passage"]
        elif shared is not None:
            heading = pair["heading"]
            bare = heading.replace("`", "")
            text = "\n".join(
                text for path, text in _sections(shared / pair["file"]) if bare in path.replace("`", "")
            )
            passage = _nearest(pair["statement"], text)
        else:
            continue
        context = f"{heading}\n{pair['question']}"
        yield Pair(pair["id"], pair["statement"], passage, context, pair["true"], pair["kind"])


def rates(pairs: Iterable[Pair]) -> tuple[float, float]:
    """The share of false statements let through, and of true ones dropped."""
    judged = Counter((pair.true, pair.agrees) for pair in pairs)
    let_through = judged[False, True] / max(1, judged[False, True] + judged[False, False])
    return let_through, judged[True, False] / max(1, judged[True, False] + judged[True, True])


def main() -> None:
    """Print the rates of each half; with --show, what half 0 gets wrong and why."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=Path, default=PAIRS)
    parser.add_argument(
        "--shared", type=Path, help="the folder that pairs with a file and a heading are read from"
    )
    parser.add_argument("--show", action="store_true", help="the mistakes on half 0, with the reason")
    parser.add_argument("--kinds", action="store_true", help="right of all, by kind")
    args = parser.parse_args()
    pairs = list(read_pairs(args.pairs, args.shared))
    for half, name in enumerate(("looked at", "not looked at")):
        chosen = [pair for pair in pairs if pair.half == half]
        let_through, dropped = rates(chosen)
        print(
            f"half {half} ({name}): {len(chosen)} pairs, "
            f"false let through {let_through:.3f}, true dropped {dropped:.3f}"
        )
        for tongue in ("en", "zh"):
            of = [pair for pair in chosen if pair.id.removeprefix("vue-").startswith(tongue)]
            if of:
                print(f"   {tongue}: {len(of)} pairs, {rates(of)[0]:.3f}, {rates(of)[1]:.3f}")
        if args.kinds:
            every = Counter((pair.true, pair.kind) for pair in chosen)
            right = Counter((pair.true, pair.kind) for pair in chosen if pair.agrees == pair.true)
            for kind in sorted(every):
                print(f"   {kind[0]!s:5} {kind[1]:22} {right[kind]}/{every[kind]}")
    start = time.perf_counter()
    for pair in pairs:
        agrees(pair.statement, pair.passage, pair.context)
    print(f"{(time.perf_counter() - start) / max(len(pairs), 1) * 1000:.2f} ms a statement and passage")
    if args.show:
        alone: Counter[tuple[str, bool]] = Counter()
        for pair in pairs:
            if pair.half == 0:
                found = [why.partition(":")[0] for why in objections(pair.statement, pair.passage, pair.context)]
                alone.update((name + (" alone" if len(found) == 1 else ""), pair.true) for name in found)
        for name in sorted({name for name, _ in alone}):
            print(f"   {name:22} false {alone[name, False]:3}  true {alone[name, True]:3}")
    for pair in pairs if args.show else ():
        if pair.half == 0 and pair.agrees != pair.true:
            why = " | ".join(objections(pair.statement, pair.passage, pair.context))
            print(f"{pair.id} {pair.true} {pair.kind}: {why}\n   {pair.statement}")


if __name__ == "__main__":
    main()
