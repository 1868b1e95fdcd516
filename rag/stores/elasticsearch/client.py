"""Elasticsearch: address, client, the state of an index, and errors in one line."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from rag.errors import ConfigError, IndexMissing, IndexVersion, MissingExtra, StoreError

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

VERSION = 1  # of the mappings and of the state
MOST = 10_000  # hits of one search: Elasticsearch's index.max_result_window
_OLDEST, _NEWEST = (8, 11), (9, 0)
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,180}")


@dataclass(frozen=True, slots=True)
class Address:
    """The address of an index: server, URL to show (without a password), name of the index, pipeline."""

    node: str
    server: str
    shown: str
    name: str
    user: str = ""
    password: str = ""
    pipeline: str = ""
    ca_certs: str = ""

    def __repr__(self) -> str:
        return f"Address({self.shown!r})"

    @property
    def control(self) -> str:
        """The name of the index with the state and the lock."""
        return f"{self.name}-control"


@dataclass(frozen=True, slots=True)
class State:
    """The document that records what is committed; every reader starts from it.

    `index` contains the chunks. Visible are those whose `document` number is below this one and not in `dead`.
    New documents get higher numbers; the numbers of removed ones are in `dead` from the commit on until they
    are deleted. `next` is the next chunk id, `length` the sum of the chunks' lengths in terms.
    """

    index: str
    manifest: str
    generation: int = 0
    document: int = 1
    next: int = 1
    chunks: int = 0
    length: int = 0
    dead: tuple[int, ...] = ()
    format: int = VERSION

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def visible(self, kind: str = "chunk") -> list[dict[str, Any]]:
        """The filters for the committed chunks ("chunk") or documents ("document")."""
        filters: list[dict[str, Any]] = [
            {"term": {"kind": kind}},
            {"range": {"document": {"lt": self.document}}},
        ]
        # A terms query accepts at most 65,536 values.
        gone = [{"terms": {"document": self.dead[i : i + 50_000]}} for i in range(0, len(self.dead), 50_000)]
        return [*filters, {"bool": {"must_not": gone}}] if gone else filters


def parse(url: str) -> Address:
    """The address in ``elasticsearch[+https]://[user[:password]@]host[:port]/name[?pipeline=P]``."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    name = parts.path.strip("/")
    if unknown := sorted(set(options) - {"pipeline", "ca_certs"}):
        raise ConfigError(f"an Elasticsearch index has no option {unknown[0]!r}: there are pipeline and ca_certs")
    if not _NAME.fullmatch(name) or not parts.hostname:
        raise ConfigError(
            f"{name!r} is no name for an index at {parts.hostname}: use small letters, digits, - and _, "
            "as in elasticsearch://localhost:9200/handbook"
        )
    scheme = "https" if parts.scheme.endswith("+https") else "http"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    server = f"{host}:{parts.port or 9200}"
    user = unquote(parts.username or "")
    shown = url.replace(parts.netloc, f"{parts.username}@{parts.netloc.rpartition('@')[2]}", 1) if user else url
    password = unquote(parts.password or "") or os.environ.get("ELASTICSEARCH_PASSWORD", "")
    return Address(
        f"{scheme}://{server}", server, shown, name, user, password,
        options.get("pipeline", ""), options.get("ca_certs", ""),
    )  # fmt: skip


def connect(at: Address) -> Elasticsearch:
    """A client, after a check that the server can be used. Raises StoreError, MissingExtra."""
    try:
        from elasticsearch import Elasticsearch
    except ImportError as error:
        raise MissingExtra("an index in Elasticsearch", "elasticsearch", "elasticsearch") from error
    # A server without security warns about it in every answer: its owner knows.
    warnings.filterwarnings("ignore", message="Elasticsearch built-in security features are not enabled")
    options: dict[str, Any] = {"ca_certs": at.ca_certs} if at.ca_certs else {}
    if at.user:
        options["basic_auth"] = (at.user, at.password)
    elif key := os.environ.get("ELASTICSEARCH_API_KEY"):
        options["api_key"] = key
    with translate_errors(at):
        client = Elasticsearch(at.node, request_timeout=30, max_retries=2, **options)
        try:
            number = str(client.info()["version"]["number"])
            if not _OLDEST <= tuple(map(int, number.split(".")[:2])) < _NEWEST:
                raise StoreError(f"the server at {at.server} is Elasticsearch {number}: use 8.11 or a later 8")
        except BaseException:
            client.close()
            raise
    return client


@contextmanager
def translate_errors(at: Address) -> Iterator[None]:
    """Raise what the client raises as a StoreError of one line, without a password."""
    from elasticsearch import ApiError, TransportError
    from elasticsearch.helpers import BulkIndexError

    try:
        yield
    except (ApiError, TransportError) as error:
        raise StoreError(_words(at, error)) from error
    except BulkIndexError as error:
        item = next(iter(error.errors[0].values())) if error.errors else {}
        said = _short(_reason(item.get("error", "")) or error)
        raise StoreError(f"the server at {at.server} refused a chunk ({said}): run the command again") from error
    except (OSError, ValueError) as error:  # ca_certs that are not there, an invalid address
        raise StoreError(f"the server at {at.server} cannot be used ({_short(error)})") from error


def _words(at: Address, error: Exception) -> str:
    import elasticsearch as es

    said, server = _short(_reason(getattr(error, "body", "")) or error), f"the server at {at.server}"
    words: list[tuple[type[Exception], str]] = [
        (es.UnsupportedProductError, f"{server} is not Elasticsearch: give the address of one, version 8"),
        (
            es.AuthenticationException,
            f"{server} refuses the user or the password: name the user in the URL and set "
            "ELASTICSEARCH_PASSWORD, or set ELASTICSEARCH_API_KEY",
        ),
        (
            es.AuthorizationException,
            f"{server} does not allow this user to do that ({said}): ask for the right to",
        ),
        (
            es.SSLError,
            f"the certificate of {server} is not trusted ({said}): name its authority's with ?ca_certs=FILE",
        ),
        (
            es.TransportError,
            f"{server} cannot be reached ({said}): see that it runs, then run the command again; "
            "what was committed is safe",
        ),
        (es.ApiError, f"the index {at.shown} failed ({said}): run the command again"),
    ]
    return next(text for kind, text in words if isinstance(error, kind))


def _reason(body: object) -> str:
    """The innermost reason in an error message of the server."""
    found = body
    while isinstance(found, Mapping):
        root = found.get("root_cause")
        inner = found.get("error") or found.get("caused_by") or (root[0] if root and root[0] != found else None)
        if not isinstance(inner, Mapping | str):
            return str(found.get("reason", ""))
        found = inner
    return str(found or "")


def _short(said: object) -> str:
    line = " ".join(str(said).split())
    return line if len(line) <= 200 else f"{line[:197]}..."


def foreign(at: Address, index: str) -> StoreError:
    """The error for an index that another program made."""
    return StoreError(f"the index {index} at {at.server} is not ragstone's: choose another name in the URL")


def read_state(client: Elasticsearch, at: Address) -> tuple[State, dict[str, int]] | None:
    """The committed state, with its version for a conditional write; None if there is none.

    It is read by id, for which Elasticsearch returns the last version written, even before a refresh.
    Raises StoreError for a foreign index, IndexVersion.
    """
    answer = client.options(ignore_status=404).get(index=at.control, id="state")
    if not answer.get("found"):
        if client.indices.exists(index=at.name):
            raise foreign(at, at.name)
        return None
    held = answer["_source"]
    if not {"format", "generation"} <= set(held):
        raise foreign(at, at.control)
    if held["format"] != VERSION:
        raise IndexVersion(
            f"the index {at.shown} has format {held['format']} and this ragstone reads format {VERSION}: "
            "ingest the documents again into a new index"
        )
    version = {"if_seq_no": answer["_seq_no"], "if_primary_term": answer["_primary_term"]}
    return State(**{**held, "dead": tuple(held["dead"])}), version


def committed(client: Elasticsearch, at: Address) -> State:
    """The committed state. Raises IndexMissing, StoreError."""
    found = read_state(client, at)
    if found is None:
        raise IndexMissing(at.shown)
    return found[0]
