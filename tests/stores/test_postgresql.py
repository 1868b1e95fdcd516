"""PostgreSQL with pgvector: the contract on a real server, and what only a server can suffer."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from contracts.engine_store import RemoteContract, one_line
from contracts.store import MANIFEST, StoreContract, fill
from helpers.servers import elasticsearch_postgresql as servers
from helpers.servers import tls_front
from helpers.servers.http import self_signed

from rag.errors import ConfigError, StoreError
from rag.stores import open_store

pytestmark = pytest.mark.stores


@pytest.fixture(scope="session")
def server() -> Iterator[servers.Server]:
    with servers.postgres() as running:
        yield running


@pytest.fixture
def url(server: servers.Server, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PGPASSWORD", servers.PASSWORD)
    return f"postgresql://postgres@127.0.0.1:{server.port}/postgres?table=t_{uuid.uuid4().hex[:12]}"


class TestPostgresStore(StoreContract, RemoteContract):
    @pytest.fixture
    def url(self, url: str) -> str:
        return url

    @pytest.fixture
    def small_exact(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in ("rag.stores.postgresql.store", "rag.stores.postgresql.writer"):
            monkeypatch.setattr(f"{module}.EXACT_IN_DATABASE", 99)


def test_a_table_of_another_program_is_left_alone(url: str) -> None:
    table = url.partition("table=")[2]
    with psycopg.connect(url.partition("?")[0], autocommit=True) as db:
        db.execute(f"CREATE TABLE {table} (id int)")
        store = open_store(url)
        for action in (store.documents, lambda: store.write(MANIFEST).__enter__()):
            with pytest.raises(StoreError) as error:
                action()
            one_line(error, table, "another name")
        store.close()
        found = db.execute(
            "SELECT count(*) FROM information_schema.tables WHERE table_name LIKE %s", (f"{table}%",)
        )
        assert found.fetchone() == (1,)


def test_a_database_that_is_not_there(url: str) -> None:
    store = open_store(url.replace("/postgres?", "/nowhere?"))
    with pytest.raises(StoreError) as error:
        store.documents()
    one_line(error, "nowhere", "127.0.0.1")
    store.close()


def test_a_user_without_rights(url: str, server: servers.Server) -> None:
    role = f"r_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(url.partition("?")[0], autocommit=True) as db:
        db.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{servers.PASSWORD}'")
    store = open_store(url.replace("postgres@", f"{role}@"))
    with pytest.raises(StoreError) as error, store.write(MANIFEST) as writer:
        fill(writer)
        writer.commit()
    one_line(error, "allow", "127.0.0.1")
    assert store.manifest() is None
    store.close()


@pytest.mark.parametrize("table", ["a-b", "x;drop", "1a", "a" * 60])
def test_a_name_that_is_none(table: str) -> None:
    with pytest.raises(ConfigError, match="no name"):
        open_store(f"postgresql://h/db?table={table}")


@pytest.mark.parametrize(
    ("limit", "least", "said"),
    [
        ("_OLDEST_SERVER", 990_000, r"is PostgreSQL 18: 99 or newer is needed"),
        ("_OLDEST_PGVECTOR", (0, 99), r"has pgvector 0\.\d+\.\d+: 0\.99 or newer is needed, so install it"),
    ],
)
def test_a_server_that_is_too_old(
    url: str, limit: str, least: object, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"rag.stores.postgresql.connection.{limit}", least)
    store = open_store(url)
    with pytest.raises(StoreError, match=rf"^the server at 127\.0\.0\.1:\d+/postgres {said}"):
        store.write(MANIFEST).__enter__()
    store.close()


@pytest.fixture
def by_tls(url: str, server: servers.Server, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The URL of an index on a server that is reached by TLS, and its certificate."""
    certificate, key = self_signed(tmp_path)
    with tls_front.by_tls(server.port, certificate, key) as port:
        yield url.replace(f":{server.port}/", f":{port}/"), certificate


def test_tls(by_tls: tuple[str, Path]) -> None:
    url, certificate = by_tls
    store = open_store(f"{url}&sslmode=verify-full&sslrootcert={certificate}")
    with store.write(MANIFEST) as writer:
        fill(writer)
        writer.commit()
    assert len(store.documents()) == 3
    store.close()


@pytest.mark.parametrize("authority", ["", "&sslrootcert=system", "&sslrootcert={other}"])
def test_a_certificate_that_nobody_vouches_for(
    by_tls: tuple[str, Path],
    authority: str,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other, _ = self_signed(folder := tmp_path_factory.mktemp("other"))
    monkeypatch.setenv("HOME", str(folder))  # whose ~/.postgresql may have one
    store = open_store(f"{by_tls[0]}&sslmode=verify-full{authority.format(other=other)}")
    with pytest.raises(StoreError) as error:
        store.documents()
    one_line(error, "the certificate of the server at 127.0.0.1", "is not trusted (", "?sslrootcert=FILE")
    store.close()


def test_no_tls_where_it_is_asked_for(url: str) -> None:
    store = open_store(f"{url}&sslmode=require")
    with pytest.raises(StoreError) as error:
        store.documents()
    one_line(error, "does not support SSL")
    store.close()


def test_a_server_that_stops_and_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", servers.PASSWORD)
    with servers.scratch() as folder:
        postgres = servers.Postgres(folder)
        running = postgres.start()
        store = open_store(f"postgresql://postgres@127.0.0.1:{postgres.port}/postgres")
        try:
            with store.write(MANIFEST) as writer:
                fill(writer)
                writer.commit()
            assert len(store.documents()) == 3
            running.stop()
            with pytest.raises(StoreError) as error:
                store.documents()
            one_line(error, str(postgres.port))
            running = postgres.start()
            assert len(store.documents()) == 3
        finally:
            store.close()
            running.stop()
