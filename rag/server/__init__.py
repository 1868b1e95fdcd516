"""In: HTTP requests. Out: the page, OpenAI's protocol and `/api` over one or several indexes.

`app.create_app` puts it together, `run.serve` runs it (`rag serve`).
"""

from rag.server.options import Options

__all__ = ["Options"]
