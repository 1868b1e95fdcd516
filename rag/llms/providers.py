"""The providers beyond OpenAI: DeepSeek, DashScope, Ollama, and whatever LangChain's `init_chat_model` knows.

Keys come from the environment: DEEPSEEK_API_KEY, DASHSCOPE_API_KEY, ANTHROPIC_API_KEY, GOOGLE_API_KEY …
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import SecretStr

from rag.errors import ConfigError, LLMError, MissingExtra, RagError
from rag.llms.compatible import CompatibleLLM
from rag.llms.langchain import LangChainLLM
from rag.network.budget import keep_budgets
from rag.network.endpoint import Endpoint, close_with, environment, whole_number
from rag.network.failures import failure
from rag.network.ollama import details, endpoint_for
from rag.network.services import DASHSCOPE, DEEPSEEK, require_endpoint

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["dashscope", "deepseek", "known", "load", "ollama"]

CONTEXT_TOKENS = 65_536
"""The context window that every model of DeepSeek and DashScope has, at least."""
OLLAMA_CONTEXT_TOKENS = 8192
"""Requested from Ollama, whose smaller default cuts a prompt silently; RAG_OLLAMA_CONTEXT_TOKENS sets it."""
THINKS = 16_384
"""Tokens for a reasoning model's thinking, which count against its limit."""

_KEYS = {"google_genai": "GOOGLE_API_KEY", "mistralai": "MISTRAL_API_KEY", "perplexity": "PPLX_API_KEY"}
_OF_OTHERS = {"huggingface", "google_vertexai", "google_anthropic_vertex", "litellm", "langsmith", "ibm", "nvidia"}
_LATE = {"anthropic"}  # these would report a missing key only at the first question
_EXTRAS = {"anthropic": "anthropic", "google_genai": "google"}


def load(provider: str, model: str) -> LangChainLLM:
    """The `model` of `provider`; raises as the functions below do."""
    match provider:
        case "deepseek":
            return deepseek(model)
        case "dashscope":
            return dashscope(model)
        case "ollama":
            return ollama(model)
        case _:
            return known(provider, model)


def deepseek(model: str) -> CompatibleLLM:
    """DeepSeek's `model`: deepseek-chat, or deepseek-reasoner, whose thinking is kept apart."""
    name, thinks = f"deepseek:{model}", THINKS if "reasoner" in model else 0
    endpoint = require_endpoint(name, DEEPSEEK, "DEEPSEEK_API_KEY", "DEEPSEEK_BASE_URL")
    return CompatibleLLM(endpoint, model, context_tokens=CONTEXT_TOKENS, thinks=thinks)


def dashscope(model: str) -> CompatibleLLM:
    """Alibaba's `model`, such as qwen-plus, through DashScope's OpenAI-compatible endpoint."""
    endpoint = require_endpoint(f"dashscope:{model}", DASHSCOPE, "DASHSCOPE_API_KEY", "DASHSCOPE_BASE_URL")
    return CompatibleLLM(endpoint, model, context_tokens=CONTEXT_TOKENS)


def ollama(model: str) -> LangChainLLM:
    """A model served by Ollama, with the context window requested; a longer prompt is an error.

    Raises LLMError if the server or the model is not there.
    """
    endpoint = endpoint_for(f"ollama:{model}")
    window = details(endpoint, model, LLMError).window
    context = min(whole_number("RAG_OLLAMA_CONTEXT_TOKENS", OLLAMA_CONTEXT_TOKENS), window or 1 << 30)
    return LangChainLLM(endpoint, lambda: _ollama(endpoint, model, context), context_tokens=context, whole=True)


def known(provider: str, model: str) -> LangChainLLM:
    """The model that `langchain.chat_models.init_chat_model` creates for `provider` and `model`.

    Raises ConfigError for an unknown provider or a missing key, MissingExtra if LangChain's package for it is
    not installed.
    """
    variable = "" if provider in _OF_OTHERS or ("_" in provider and provider not in _KEYS) else _key(provider)
    endpoint = Endpoint(f"{provider}:{model}", "", SecretStr(environment(variable)), variable)
    made = _made(endpoint, provider, model)
    if provider in _LATE:
        endpoint.require_key()
    return LangChainLLM(endpoint, lambda: made)


def _key(provider: str) -> str:
    return _KEYS.get(provider, f"{provider.upper()}_API_KEY")


def _ollama(endpoint: Endpoint, model: str, context: int) -> BaseChatModel:
    try:
        from langchain_ollama import ChatOllama
    except ImportError as exc:
        raise MissingExtra(endpoint.name, "langchain-ollama", "ollama") from exc
    made = ChatOllama(
        model=model,
        base_url=endpoint.address,
        temperature=0,
        num_ctx=context,
        client_kwargs={"timeout": endpoint.timeout},
    )
    close_with(made, made._client)
    keep_budgets(made)
    return made


def _made(endpoint: Endpoint, provider: str, model: str) -> BaseChatModel:
    from langchain.chat_models import init_chat_model

    try:
        made: BaseChatModel = init_chat_model(
            model, model_provider=provider, temperature=0, timeout=endpoint.timeout, max_retries=0
        )
    except ImportError as exc:
        raise _missing(endpoint.name, provider, exc) from exc
    except Exception as exc:
        raise _unusable(endpoint, exc) from exc
    keep_budgets(made)
    return made


def _missing(name: str, provider: str, exc: ImportError) -> RagError:
    package = f"langchain-{provider.replace('_', '-')}"
    said = str(exc)
    if "pip install" in said:  # LangChain names the package: its name may differ from the provider's
        package = said.rsplit("pip install", 1)[1].strip(" `'\"-U\n").rstrip("`.")
    return MissingExtra(name, package, _EXTRAS.get(provider, ""))


def _unusable(endpoint: Endpoint, exc: Exception) -> RagError:
    provider = endpoint.name.partition(":")[0]
    if "Unsupported provider" in str(exc) or "Unable to infer" in str(exc):
        return ConfigError(
            f"no language model is called {endpoint.name!r}: use local, openai:MODEL, deepseek:MODEL, "
            "dashscope:MODEL, ollama:MODEL, a provider of LangChain's such as anthropic:MODEL, or none"
        )
    if endpoint.key_from and not endpoint.key.get_secret_value():
        return ConfigError(f"{endpoint.name} needs a key: set {endpoint.key_from}")
    return ConfigError(f"{provider} cannot be used for {endpoint.name}: {endpoint.hide(failure(exc).said)}")
