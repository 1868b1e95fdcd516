"""What all services over a network share: addresses and keys, retries, errors in one sentence, counting of tokens.

In: requests that can fail. Out: their results, or one error that says what was wrong.
"""

__all__ = ["budget", "endpoint", "failures", "ollama", "retry", "services", "tokens"]
