"""A PostgreSQL server that refuses, dies or is not there: a clear error, nothing half stored, and no password told."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, select, text

from orchestrator.records import Database, RecordsError
from orchestrator.records.tables import META
from tests.support.postgres import PASSWORD, WANTS_PASSWORD, PostgresOfTests


@pytest.fixture
def name(postgres: PostgresOfTests) -> Iterator[str]:
    made = postgres.create()
    yield made
    postgres.drop(made)


@pytest.fixture
def database(postgres: PostgresOfTests, name: str) -> Iterator[Database]:
    with Database(postgres.url(name)) as opened:
        yield opened


def put(connection: Connection, key: str) -> None:
    connection.execute(META.insert().values(key=key, value="x"))


def put_halves(
    database: Database, between: Callable[[Connection], None], halves: tuple[str, ...] = ("half", "other half")
) -> None:
    """One transaction: the first half, then ``between``, then the rest."""
    with database.writing() as connection:
        put(connection, halves[0])
        between(connection)
        for half in halves[1:]:
            put(connection, half)


def keys(database: Database) -> set[str]:
    with database.reading() as connection:
        return set(connection.scalars(select(META.c.key)))


def refused(where: SecretStr, sentence: str) -> RecordsError:
    """Opening fails with this sentence, something to do, and without a word of the password anywhere."""
    with pytest.raises(RecordsError, match=sentence) as caught:
        Database(where)
    told = "".join(traceback.format_exception(caught.value)) + caught.value.hint + repr(caught.value)
    assert PASSWORD not in told
    assert "wr0ng-secret" not in told
    assert caught.value.hint
    return caught.value


# --- opening ---------------------------------------------------------------------------------------------------------


def test_the_password_opens_and_is_not_told(postgres: PostgresOfTests, name: str) -> None:
    with postgres.connect(name) as connection:
        connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {WANTS_PASSWORD}")
    with Database(postgres.url(name, user=WANTS_PASSWORD, password=PASSWORD)) as database:
        assert PASSWORD not in f"{database!r} {database.name} {vars(database._backend)}"
        assert f"{WANTS_PASSWORD}@" in database.name


def test_refused_logins(postgres: PostgresOfTests, name: str) -> None:
    def of(user: str, password: str) -> SecretStr:
        return postgres.url(name, user=user, password=password)

    refused(of(WANTS_PASSWORD, "wr0ng-secret"), "password authentication failed")
    refused(of(WANTS_PASSWORD, ""), "no password supplied")
    refused(of("nobody-of-ours", "wr0ng-secret"), "does not exist")
    refused(of(WANTS_PASSWORD, PASSWORD), "lacks a right")
    refused(postgres.url("no-such-database", password=PASSWORD), "does not exist")


def test_what_is_no_address() -> None:
    for url, sentence in (
        ("postgresql://u:wr0ng-secret@h:port/x", "is no URL"),
        ("wr0ng-secret", "is no URL"),
        ("mysql://u:wr0ng-secret@h/x", "names no PostgreSQL database"),
        ("postgresql://u:wr0ng-secret@127.0.0.1:1/x", "cannot be reached"),
        ("postgresql://u@127.0.0.1:1/x?password=wr0ng-secret", "cannot be reached"),
    ):
        refused(SecretStr(url), sentence)


def test_without_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [each for each in sys.modules if each.split(".")[0] == "psycopg"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    error = refused(SecretStr("postgresql://u:wr0ng-secret@h/x"), "driver for PostgreSQL is not installed")
    assert "skill-orchestrator[postgres]" in error.hint


def test_another_encoding_is_refused(postgres: PostgresOfTests) -> None:
    with postgres.connect() as connection:
        connection.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    refused(postgres.url("latin"), "have the encoding LATIN1")
    postgres.drop("latin")


# --- in use ----------------------------------------------------------------------------------------------------------


def test_a_reader_may_not_write(database: Database) -> None:
    with pytest.raises(RecordsError, match="cannot be written"), database.reading() as connection:
        put(connection, "a")


def test_text_that_it_cannot_hold(database: Database) -> None:
    with pytest.raises(RecordsError, match="a value that PostgreSQL cannot hold"), database.writing() as connection:
        put(connection, "a\0")
    with pytest.raises(UnicodeEncodeError), database.writing() as connection:
        put(connection, "a\ud800")


def test_values_are_not_told(database: Database) -> None:
    value = "-".join(("a", "note", "of", "mine"))  # a traceback shows source lines
    with pytest.raises(RecordsError) as caught, database.writing() as connection:
        connection.execute(text("INSERT INTO nowhere VALUES (:a)"), {"a": value})
    assert value not in "".join(traceback.format_exception(caught.value))


def test_a_connection_that_is_cut_in_a_transaction(postgres: PostgresOfTests, database: Database) -> None:
    def cut(connection: Connection) -> None:
        mine = connection.scalar(text("SELECT pg_backend_pid()"))
        with postgres.connect() as other:
            other.execute("SELECT pg_terminate_backend(%s)", (mine,))

    with pytest.raises(RecordsError, match="ended our connection") as caught:
        put_halves(database, cut)
    assert caught.value.hint
    assert not keys(database) & {"half", "other half"}


@pytest.fixture
def own_server(postgres: PostgresOfTests, tmp_path: Path) -> Iterator[PostgresOfTests]:
    """The server may be ended, and runs again afterwards."""
    yield postgres
    postgres.stop()
    postgres.start()


def test_a_server_that_crashes(own_server: PostgresOfTests, database: Database) -> None:
    with pytest.raises(RecordsError, match="cannot be reached"):
        put_halves(database, lambda _: own_server.stop(signal.SIGQUIT))
    with pytest.raises(RecordsError, match="cannot be reached") as caught, database.writing():
        pass
    assert "server runs" in caught.value.hint
    own_server.start()
    assert not keys(database) & {"half", "other half"}, "a database that was open goes on when the server is back"


def test_a_server_that_crashes_before_the_commit(own_server: PostgresOfTests, database: Database) -> None:
    with pytest.raises(RecordsError, match="lost in the last step") as caught:
        put_halves(database, lambda _: own_server.stop(signal.SIGQUIT), halves=("unknown",))
    assert "not known" in caught.value.hint
    own_server.start()
    assert "unknown" not in keys(database)


def test_a_process_that_stands_still_does_not_stop_the_others(postgres: PostgresOfTests, database: Database) -> None:
    """The server ends its transaction, and with it the lock. (Here after a moment, not after a minute.)"""

    def stand_still(connection: Connection) -> None:
        connection.execute(text("SELECT set_config('idle_in_transaction_session_timeout', '50ms', false)"))
        with Database(postgres.url(str(connection.engine.url.database))) as other, other.writing() as theirs:
            put(theirs, "whole")

    with pytest.raises(RecordsError, match="stood still"):
        put_halves(database, stand_still)
    assert keys(database) & {"half", "whole", "other half"} == {"whole"}


def test_a_server_that_was_started_anew_meanwhile(own_server: PostgresOfTests, database: Database) -> None:
    """Connections that were kept are dead; whoever calls next is not bothered with that."""
    own_server.stop(signal.SIGQUIT)
    own_server.start()
    assert keys(database)


def test_a_child_leaves_the_connections_of_its_parent_alone(database: Database) -> None:
    def connection() -> int:
        with database.reading() as opened:
            return int(opened.scalar(text("SELECT pg_backend_pid()")) or 0)

    before = connection()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = int(connection() == before)
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert connection() == before
