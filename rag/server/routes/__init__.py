"""In: a request to an address. Out: its response; one module for each part of the API."""

__all__ = ["ask", "ingest", "openai", "page", "responses", "sources", "status"]
