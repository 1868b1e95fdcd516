"""`local:` a GGUF model run by llama.cpp on this machine, inside this process."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rag.errors import LLMError, ModelError
from rag.llms import Piece
from rag.llms.local.engine import Call, Run, start
from rag.llms.local.gguf import read_header
from rag.llms.local.template import chatml, hide_markers, is_chatml, marker_pattern, split_at_markers
from rag.llms.profile import LARGE_HERE, SMALL, Profile
from rag.text.sanitise import well_formed
from rag.types import Message, Usage
from rag.weights.repository import gguf_file, is_in_repository, known_size

DEFAULT_MODEL = "qwen2.5-coder-1.5b-instruct-q4_k_m"
CONTEXT_TOKENS = 6144
LOGPROBS = 20
LARGE_BYTES = 3_500_000_000
"""A file of about six billion parameters in four bits: from here on a model reads more, and both languages."""
_CONTEXT_STEP = 256  # llama.cpp rounds a context up to a multiple of this


def profile_by_size(size: int) -> Profile:
    """What a model whose file has `size` bytes can read."""
    return SMALL if size < LARGE_BYTES else LARGE_HERE


def _own_file(model: str | None) -> Path | None:
    """The file that `model` names, where it is one and no name of the catalogue."""
    path = Path(model).expanduser() if model else None
    if path is None or path.is_file():
        return path
    return path if path.name.endswith(".gguf") and not is_in_repository(str(model)) else None


class LocalLLM:
    """A GGUF model run by llama.cpp on this machine. `tests/contracts/llm.py` tests what it must do.

    Safe to use from several threads: requests are answered one after the other. If a prompt begins like a
    recent one, only the rest is read (`Usage.cached`). The log-probabilities are the model's own, before a
    grammar forbids tokens; "" stands for the end of the answer. Tokens that were tried ahead
    (`rag.llms.local.engine.AHEAD`) have none; the first token always has them.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str | None = None,
        context_tokens: int = CONTEXT_TOKENS,
        reuse_prefix: bool = True,
    ) -> None:
        """Load the GGUF file at `path`. Raises ModelError if it is not one or llama.cpp cannot run it.

        `reuse_prefix=False` makes an answer independent of earlier requests, to the last bit: reused and newly
        read tokens are rounded differently, which can decide between two nearly equal tokens.
        """
        header = read_header(path)
        self._id = f"local:{name or header.name}"
        self._profile = profile_by_size(path.stat().st_size)
        most = min(context_tokens, header.context_tokens or context_tokens)
        self._context = max(most // _CONTEXT_STEP, 1) * _CONTEXT_STEP
        self._chatml = is_chatml(header.template, header.markers)
        self._tokens, self._markers = header.markers, marker_pattern(header.markers)
        self._runs: set[Run] = set()
        self._turn = threading.Lock()
        self._reuse_prefix = reuse_prefix
        self._server: Any = start(path, self._context)

    @classmethod
    def load(cls, model: str | None = None) -> LocalLLM:
        """The catalogue's `model` (None: the default one), the GGUF file of that path, or of that repository."""
        if own := _own_file(model):
            return cls(own)
        if model and is_in_repository(model):
            return cls(gguf_file(model), name=model)
        from rag.weights.cache import catalogue, model_path

        name = model or DEFAULT_MODEL
        folder = model_path(name)
        files = [folder / f.path for f in catalogue()[name].files if f.path.endswith(".gguf")]
        if not files:
            raise ModelError(f"{name} is not a language model: use local:{DEFAULT_MODEL} or local:FILE.gguf")
        return cls(files[0], name=name)

    @staticmethod
    def profile_named(model: str | None) -> Profile:
        """The profile of what `load` would load, without loading it."""
        if model and is_in_repository(model):
            return profile_by_size(known_size(model))
        own = _own_file(model)
        return profile_by_size(own.stat().st_size if own and own.is_file() else 0)

    @property
    def id(self) -> str:
        return self._id

    @property
    def profile(self) -> Profile:
        """What it can read in the time that a person waits, by its size."""
        return self._profile

    @property
    def context_tokens(self) -> int:
        return self._context

    def count_tokens(self, text: str) -> int:
        """The exact number of tokens of `text` in a prompt; waits while an answer is written.

        The engine counts the tokens of a prompt before it refuses one that is longer than the context. So
        `text` is sent behind a context's length of other tokens: it is counted, and never read.
        """
        prompt = [0] * self._context + split_at_markers(well_formed(text), self._markers)
        said: list[str] = []
        self._call("handle_completions")(json.dumps({"prompt": prompt, "max_tokens": 1}), said.append)
        try:
            return int(json.loads(said[-1])["error"]["n_prompt_tokens"]) - self._context
        except (IndexError, KeyError, ValueError) as exc:
            raise LLMError(f"{self.id} could not count tokens: {said[-1:]}") from exc

    def stream(
        self, messages: Sequence[Message], *, max_tokens: int, grammar: str | None = None
    ) -> Iterator[Piece]:
        """See `LLM.stream`; closing the iterator stops the engine within a few tokens or one batch of a prompt."""
        if not messages or max_tokens < 1:
            raise LLMError(f"{self.id} needs a message and max_tokens above 0, not {max_tokens}")
        body: dict[str, Any] = {
            "max_tokens": max_tokens,
            "temperature": 0,
            "samplers": ["top_k"],
            "top_k": 1,
            "cache_prompt": self._reuse_prefix,
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_progress": True,  # an event for each batch, so that a long prompt can be cancelled
        }
        if grammar is not None:
            body["grammar"] = well_formed(grammar)
        return self._pieces(*self._request([Message(m.role, well_formed(m.content)) for m in messages], body))

    def close(self) -> None:
        """Stop the current answer and free the model's memory; a closed model gives no more answers."""
        for run in list(self._runs):
            run.stop()
        self._server = None

    def _request(self, messages: Sequence[Message], body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        if self._chatml:
            prompt = chatml(messages, self._tokens, self._markers)
            return "handle_completions", body | {"prompt": prompt, "n_probs": LOGPROBS}
        turns = [{"role": m.role, "content": hide_markers(m.content, self._markers)} for m in messages]
        return "handle_chat_completions", body | {
            "messages": turns,
            "logprobs": True,
            "top_logprobs": LOGPROBS,
        }

    def _call(self, method: str) -> Call:
        server = self._server
        if server is None:
            raise LLMError(f"{self.id} is closed: load it again")
        call: Call = getattr(server, method)
        return call

    def _pieces(self, method: str, body: Mapping[str, Any]) -> Iterator[Piece]:
        run = Run(self._call(method), json.dumps(body), self._turn)
        self._runs.add(run)
        usage = Usage()
        try:
            for event in run.events():
                self._raise_for(event)
                usage = _usage(event) or usage
                if piece := _piece(event):
                    yield piece
            yield Piece("", {}, usage)
        finally:
            run.stop()
            self._runs.discard(run)

    def _raise_for(self, event: Mapping[str, Any]) -> None:
        error = event.get("error")
        if error is None:
            return
        if error.get("type") == "exceed_context_size_error":
            raise LLMError(
                f"the prompt has {error['n_prompt_tokens']} tokens and {self.id} takes {self._context}: "
                "ask with fewer passages (--top-k) or a shorter question"
            )
        raise LLMError(f"{self.id} failed: {error.get('message', error)}")


def _piece(event: Mapping[str, Any]) -> Piece | None:
    """The piece in a streamed event of either form, None if it has none (progress, usage)."""
    choice = next(iter(event.get("choices") or ()), None)
    if choice is None:
        return None
    text = choice["text"] if "text" in choice else choice["delta"].get("content") or ""
    told = (choice.get("logprobs") or {}).get("content") or ()
    likeliest: dict[str, float] = {}
    for token in told[0]["top_logprobs"] if told else ():
        likeliest.setdefault(token["token"], token["logprob"])  # the most likely of tokens with the same text
    return Piece(text, likeliest) if text or likeliest else None


def _usage(event: Mapping[str, Any]) -> Usage | None:
    told = event.get("usage")
    if not told:
        return None
    cached = (told.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    return Usage(told["prompt_tokens"], told["completion_tokens"], cached)
