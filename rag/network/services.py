"""Services known by name: their addresses and where their keys are found."""

from __future__ import annotations

from pydantic import SecretStr

from rag.network.endpoint import Endpoint, environment, http_address

DEEPSEEK = "https://api.deepseek.com"
DASHSCOPE = "https://dashscope.aliyuncs.com/compatible-mode/v1"


def endpoint_for(name: str) -> Endpoint:
    """DashScope's address and key, as the environment says."""
    variable = "DASHSCOPE_BASE_URL"
    address = http_address(environment(variable) or DASHSCOPE, variable)
    return Endpoint(name, address, SecretStr(environment("DASHSCOPE_API_KEY")), "DASHSCOPE_API_KEY", variable)


def require_endpoint(name: str, address: str, key_from: str, address_from: str) -> Endpoint:
    address = http_address(environment(address_from) or address, address_from)
    return Endpoint(name, address, SecretStr(environment(key_from)), key_from, address_from).require_key()
