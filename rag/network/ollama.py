"""What an Ollama server says about a model: its context window and its digest."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

from rag.errors import MissingExtra, RagError
from rag.network.budget import Budget, keep_budgets
from rag.network.endpoint import Endpoint, environment
from rag.network.failures import failure, sentence

__all__ = ["Details", "details", "endpoint_for"]

DEFAULT = "http://127.0.0.1:11434"
T = TypeVar("T")
_SECONDS, _BYTES = 60.0, 32_000_000  # for what a server says of its models; it sends their vocabulary too


@dataclass(frozen=True, slots=True)
class Details:
    """`window`: the tokens that the model was trained for; `digest`: of its weights. None and "" if not known."""

    window: int | None
    digest: str


def endpoint_for(name: str) -> Endpoint:
    """The address of Ollama: OLLAMA_HOST (an address, or host and port), or this machine."""
    host = environment("OLLAMA_HOST") or DEFAULT
    if "://" not in host:
        host = f"http://{host if ':' in host else f'{host}:11434'}"
    # OLLAMA_HOST may be 0.0.0.0, on which a server listens: a client cannot connect to it.
    address = host.replace("://0.0.0.0", "://127.0.0.1").rstrip("/")
    return Endpoint(name, address, address_from="OLLAMA_HOST", timeout=300)


def details(endpoint: Endpoint, model: str, error: type[RagError]) -> Details:
    """Ask the server at `endpoint`. Raises `error` if it cannot be reached or has no such model."""
    try:
        from ollama import Client
    except ImportError as exc:
        raise MissingExtra(endpoint.name, "langchain-ollama", "ollama") from exc
    with closing(Client(host=endpoint.address, timeout=endpoint.timeout)) as client:
        keep_budgets(client)
        shown = _ask(endpoint, model, error, lambda: client.show(model))
        listed = _ask(endpoint, model, error, client.list)
    windows = [value for key, value in (shown.modelinfo or {}).items() if key.endswith(".context_length")]
    names = {model, f"{model}:latest"}
    digests = [entry.digest or "" for entry in listed.models if entry.model in names]
    return Details(int(windows[0]) if windows else None, digests[0] if digests else "")


def _ask(endpoint: Endpoint, model: str, error: type[RagError], ask: Callable[[], T]) -> T:
    budget = Budget(_SECONDS, _BYTES)
    try:
        with budget.in_use():
            return ask()
    except Exception as exc:
        found = failure(exc)
        if found.status == 404:
            raise error(f"Ollama at {endpoint.address} has no model {model}: run `ollama pull {model}`") from exc
        raise error(sentence(endpoint, found, budget.spent)) from exc
