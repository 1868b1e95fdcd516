"""Does a passage say so? Support, topic, contradictions, confidence and refusal.

In: a statement or a question, and passages. Out: what supports it, what contradicts it, and how sure that is.
"""

__all__ = ["confidence", "conflicts", "entailment", "ground", "reading", "refusal", "support", "topic"]
