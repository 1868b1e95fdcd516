"""What an exception of a network client means: one sentence for the user, and whether a retry may help."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from rag.network.endpoint import Endpoint

Kind = Literal[
    "key", "quota", "rate", "server", "timeout", "unreachable", "certificate", "missing", "length", "request"
]
PASSING: frozenset[Kind] = frozenset({"rate", "server", "timeout", "unreachable"})
"""Kinds of failure that a retry may cure."""
_LENGTH = re.compile(
    r"(exceed|longer than|maximum|too (long|large|many)|range of input).{0,60}"
    r"(context|length|token|batch size|process)"
    r"|(context|input|token).{0,40}(exceed|too (long|large)|length should be)",
    re.IGNORECASE,
)
_QUOTA = re.compile(r"insufficient_quota|insufficient balance|arrear|billing", re.IGNORECASE)
_LONGEST = 300  # characters of what a server says that are shown


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed request. `status` is the HTTP status, `retry_after` the seconds that the server asks us to wait."""

    kind: Kind
    said: str
    status: int | None = None
    retry_after: float | None = None


def failure(exc: BaseException) -> Failure:
    """The failure behind an exception of any client, recognised by HTTP status, exception class, or message."""
    said = " ".join(str(exc).split()) or type(exc).__name__
    status = next(
        (s for e in _chain(exc) if isinstance(s := getattr(e, "status_code", None), int) and s > 0), None
    )
    kind = _by_connection(exc, said) if status is None else _by_status(status, said)
    return Failure(kind, said[:_LONGEST], status, _retry_after(exc))


def sentence(endpoint: Endpoint, found: Failure, spent: str = "") -> str:
    """One line for the user: what failed, where, and what to do next. The key is left out.

    `spent` is what of its budget a call used up (`rag.network.budget`), the true reason then.
    """
    where = f"{endpoint.name} at {endpoint.address}" if endpoint.address else endpoint.name
    check = f"check the address ({endpoint.address_from})" if endpoint.address_from else "check the address"
    if spent:
        return f"{where} {spent}: try again, or use another"
    match found.kind:
        case "key":
            keyed = "refused the key" if endpoint.key.get_secret_value() else "wants a key"
            what = f"{keyed} ({found.status}): check {endpoint.key_from or 'the key'}"
        case "quota":
            what = f"has no credit left for this key ({found.status}): top the account up, or use another"
        case "rate":
            wait = f", it asks for {found.retry_after:.0f} s" if found.retry_after else ""
            what = f"refused for now ({found.status}: rate or quota{wait}): try again later"
        case "timeout":
            what = f"did not answer within {endpoint.timeout:g} s: try again, or use another"
        case "unreachable":
            what = f"cannot be reached: {check} and that the server runs"
        case "certificate":
            what = (
                f"has a certificate that this machine does not trust: {check}, or name its issuer in SSL_CERT_FILE"
            )
        case "missing":
            what = f"knows no such model or address ({found.status}): {check} and the name; it says: {found.said}"
        case _:
            what = f"failed: {found.said}"
    return endpoint.hide(f"{where} {what}")


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """An exception and its causes, nearest first."""
    seen: set[int] = set()
    current: BaseException | None = exc
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _by_status(status: int, said: str) -> Kind:
    if status in (401, 403):
        return "key"
    if status in (402, 429) and (status == 402 or _QUOTA.search(said)):
        return "quota"
    if status == 429:
        return "rate"
    if _LENGTH.search(said):
        return "length"
    if status == 404:
        return "missing"
    return "server" if status >= 500 or status == 408 else "request"


def _by_connection(exc: BaseException, said: str) -> Kind:
    chain = list(_chain(exc))
    names = " ".join(type(e).__name__ for e in chain)
    if any(isinstance(e, ssl.SSLCertVerificationError) for e in chain) or "CERTIFICATE_VERIFY_FAILED" in said:
        return "certificate"
    if any(isinstance(e, TimeoutError) for e in chain) or "Timeout" in names:
        return "timeout"
    lost = any(isinstance(e, ConnectionError) for e in chain)
    if lost or re.search("Connect|ReadError|WriteError|RemoteProtocol", names):
        return "unreachable"
    return "length" if _LENGTH.search(said) else "request"


def _retry_after(exc: BaseException) -> float | None:
    """Seconds in the header Retry-After; None for its form with a date, which the normal back-off handles."""
    for link in _chain(exc):
        headers: Any = getattr(getattr(link, "response", None), "headers", None)
        if headers is None:
            continue
        for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
            try:
                return max(float(headers.get(name, "")) * unit, 0.0)
            except ValueError:
                continue
    return None
