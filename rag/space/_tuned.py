"""Numbers that were chosen by measuring (`benchmarks/space.py`)."""

from __future__ import annotations

EXACT = 20_000
"""Up to so many vectors all pairs are compared."""
CELLS, PROBES = 4, 24
"""Beyond: cells for each root of the number of vectors, and how many of them are searched for a vector."""
NEIGHBOURS = 15
"""Neighbours that a point is linked to: with 10 or 25 the topics agree with labels about as well."""
WEAK = 0.4
"""A point with a smaller share of its links inside its topic belongs to none."""
LEAST_TOPIC = 0.002
"""Of all points: a smaller community is no topic."""
DEEPER = 120
"""Points from which on a topic is looked at for topics inside it."""
REGULAR = 30.0
"""C of the logistic regression: vectors of unit length want more than scikit-learn's 1."""
SHARPNESS = 20.0
"""What a difference of cosines counts when labels are told by their names alone."""
PERPLEXITY = 30.0
"""Of t-SNE: about how many neighbours a point is held by."""
LARGE = 10_000
"""Points from which on openTSNE draws the map, whose time grows with n alone. There both take as long
(51.5 and 58.3 seconds of the processor) and are as true (.966 and .970)."""
SPECIFIC = 1.5
"""Of names: with 1 the words of mixed topics are general ones; with 2, rare ones. Mean coherence (NPMI) of the
names' words over the reviews, Vue's documentation and the sample folder: .354, .359, .334."""
