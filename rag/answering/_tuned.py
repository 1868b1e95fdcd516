"""Numbers of answering that were chosen by measuring."""

from __future__ import annotations

SURE = 0.75
"""From this confidence on a document is quoted where no passage supports what the model says."""
ALIKE = 0.8
"""Two sentences with this share of their terms in common say the same."""
MOST_BESIDES = 3
"""Sentences that are quoted beside what a model says of a question that one sentence does not answer."""
NEWS = 0.5
"""A sentence is quoted besides where this share of its terms has not been said."""
LONGEST = 400
"""Characters of the longest that is."""
LIKE_BEST = 0.45
"""... and that is so like the question, the likest being 1."""
