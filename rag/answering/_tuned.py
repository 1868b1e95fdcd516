"""Numbers of answering that were chosen by measuring."""

from __future__ import annotations

SURE = 0.75
"""From this confidence on a document is quoted where no passage supports what the model says."""
FORCED = 0.05
"""Words to which a model gives less than this probability are none of its own, but what a grammar left it."""
