"""Numbers of the stores that were chosen by measuring, or for want of it; each says which.

Measured by ``python benchmarks/scale.py`` (`benchmarks/SCALE.md`): 63,331 real chunks and drawn ones around them,
with the default embedder's vectors of 896 dimensions.
"""

from __future__ import annotations

# The embedded store: vectors.
CODES_FROM = 20_000
"""The number of chunks from which codes are searched. The first search is faster with codes far below it, later
ones from about 33,000."""
NEAR = 1000, 10
"""The nearest codes by Hamming distance, which `binary_codes.estimate` then ranks (at least, for each hit that is
wanted)."""
NEARER = 250, 2.5
"""The best of those, whose vectors are then compared exactly: recall@10 is .999 at 100,000 chunks, 1.000 at a
million."""
CODES_A_THREAD = 250_000
"""Codes for which an additional thread pays off."""

# The embedded store: words.
NARROWED_FROM = 2000
"""Chunks with a term: below, adding its postings is faster than looking up candidates."""
TIER, FAN = 1 << 15, 8
"""Postings of a segment of the lowest tier (each tier above has FAN times as many), and segments of one tier that
are merged."""

# Other stores.
EXACT_IN_DATABASE = 20_000
"""Chunks up to which Elasticsearch and PostgreSQL compare all vectors; above, HNSW is used. As CODES_FROM."""
EXACT_IN_ENGINE = 10_000
"""The same of Qdrant, Redis and Milvus. A choice, not measured."""
M, EF_CONSTRUCTION = 16, 128
"""Links of a point in their HNSW, and candidates while it is built. A choice, not measured."""
EF = 256
"""Candidates of a search in it, at least: recall@10 is .994 with so many on 50,000 real vectors, .970 with 64
(FAISS's HNSW, M 16)."""
EF_ELASTICSEARCH, EF_POSTGRESQL = 400, 200
"""The same of these two, whose graphs are their own. A choice, not measured."""
SPARE = 32
"""Candidates by the engine's own BM25 beyond those wanted, since exact scores change their order."""
MORE = 400
"""The same beyond `slack` times those wanted, for engines with less exact scores."""

# `rag copy`.
NEAR_SCORES = 0.002
"""Allowed difference between two scores of one chunk: a store may keep float16, in which a cosine is .0005 off."""
FOUND = 0.9
"""Mean share of the source's nearest chunks that an approximate search of the target must find."""
