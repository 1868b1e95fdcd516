"""BERTopic over given vectors: topics_bertopic.py VECTORS.npy TEXTS.json, in an environment of its own."""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")

vectors = np.load(sys.argv[1], allow_pickle=False)
texts = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))

from bertopic import BERTopic  # noqa: E402
from umap import UMAP  # noqa: E402

# The first run compiles UMAP's functions: only the second is timed. A fixed seed, as ragstone has one.
for _ in range(2):
    began, cpu = time.perf_counter(), time.process_time()
    umap = UMAP(n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=42)
    topics, _ = BERTopic(embedding_model=None, umap_model=umap).fit_transform(texts, vectors)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
print(json.dumps({"topics": [int(t) for t in topics], "seconds": seconds, "cpu": cpu}))
