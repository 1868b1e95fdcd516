"""Conversations: a follow-up question is made to stand alone before it is searched.

In: the turns so far and the next question. Out: an `Answer` to it, and the turns with it.
"""

__all__ = ["chat", "followup"]
