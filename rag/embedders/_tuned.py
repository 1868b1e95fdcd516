"""Numbers of the embedders that were chosen by measuring, each with what it was measured on.

A number that changes vectors is part of an embedder's `weights`, so that an index is not read with another one.
"""

from __future__ import annotations

# The meaning of a text.
LATIN_SHARE = 0.8
"""Of a Latin text's squared length, how much is MiniLM's block (`builtin.bilingual`). What it was chosen on is
not recorded; what another costs, ``rag eval retrieval`` says."""
E5_MAX_TOKENS = 256
"""e5 reads 512; a vector of 256 finds what is in it better. On which set is not recorded."""
CENTRE_SHARE = 0.7
"""How much of the centre of a script's vectors is taken off those of e5. Of 0, .5, .6, .7, .8, 1 the best across
English and Chinese that costs less than .005 within one of them; the sets are not recorded."""
ALPHA = 0.7
"""How much of the unevenness of activations the weights take over (`builtin.graph`): of .5, .7, .85 the best for
MiniLM. Mean cosine to float32 .9955, without it .992 (`benchmarks/NOTES.md`, Embedding)."""

# The time it takes, on 2 cores (`benchmarks/NOTES.md`, Embedding; ``python -m benchmarks.embedding``).
MANY = 16 * 1024
"""Tokens at once from which on the faster engine is worth the half second that it takes to make ready."""
BERT_BUDGET = 1024
"""Tokens of a batch; 512 to 2,048 could not be told apart."""
BERT_STEP = 16
"""Lengths of the shapes that the faster engine is given are multiples of it; 8 to 32 could not be told apart."""
BERT_ALIKE = 128
"""A text this long goes alone or with others of its length: nothing is filled up."""
USE_BUDGET = 2048
"""Tokens of a batch of the Universal Sentence Encoder."""
FEW = 16
"""Fewer texts are cut into tokens one by one: a list is given to threads, which takes 0.5 ms whatever it holds."""
