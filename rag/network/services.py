"""The services known by name: their addresses, and the variables with their keys."""

from __future__ import annotations

from pydantic import SecretStr

from rag.network.endpoint import Endpoint, environment, http_address

DEEPSEEK = "https://api.deepseek.com"
DASHSCOPE = "https://dashscope.aliyuncs.com/compatible-mode/v1"


def endpoint_for(name: str) -> Endpoint:
    """The address and key of DashScope, from the environment."""
    variable = "DASHSCOPE_BASE_URL"
    address = http_address(environment(variable) or DASHSCOPE, variable)
    return Endpoint(name, address, SecretStr(environment("DASHSCOPE_API_KEY")), "DASHSCOPE_API_KEY", variable)


def require_endpoint(name: str, address: str, key_from: str, address_from: str) -> Endpoint:
    address = http_address(environment(address_from) or address, address_from)
    return Endpoint(name, address, SecretStr(environment(key_from)), key_from, address_from).require_key()
