"""Numbers of answering that were chosen by measuring."""

from __future__ import annotations

SURE = 0.75
"""From this confidence on a document is quoted where no passage supports what the model says."""
ALIKE = 0.8
"""Two sentences with this share of their terms in common say the same."""
MOST_OF_FACT = 2
"""Sentences of a model that are kept of a question that one answers: the second may be its condition."""
MOST_BESIDES = 3
"""Sentences that are quoted beside what a model says of a question that one sentence does not answer."""
NEWS = 0.5
"""A sentence is quoted besides where this share of its terms has not been said."""
LONGEST = 400
"""Characters of the longest that is."""
LIKE_BEST, ELSEWHERE = 0.45, 0.75
"""... and that is so like the question, the likest being 1: in a document that is cited, and in another."""
MOST_NAMED, MOST_CITED = 5, 3
"""Rows that are named of those that have the greatest value; that are cited of those that were computed over."""
MOST_SHOWN = 10
"""Values that are told one by one; the others are counted."""
MOSTLY = 0.8
"""A column is one of numbers, or of dates, where this share of its cells is."""
