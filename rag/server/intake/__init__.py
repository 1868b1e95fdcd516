"""In: files that clients send, or folders that they name. Out: ingests into the index, as jobs."""

__all__ = ["jobs", "uploads"]
