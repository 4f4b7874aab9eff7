"""A PostgreSQL database, named by a URL: connections to it, one writer at a time, and what its errors mean.

The URL may hold a password: it is in no message, no log and no ``repr``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Literal

from pydantic import SecretStr
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError

from orchestrator.records.errors import RecordsError
from orchestrator.records.tables import METADATA
from orchestrator.records.values import as_json
from orchestrator.text import one_line

_DRIVER: Final = "postgresql+psycopg"
_WRITES: Final = "records_writes"  # our execution option: this transaction changes something
_LOCK: Final = 0x736B696C6C726563  # "skillrec": the advisory lock that whoever writes holds
_IDLE_SECONDS: Final = 60
"""A transaction whose process does nothing for so long (it was stopped, its machine is gone) is ended by the server, or
its lock would stop all others. Ours take milliseconds."""

_CONNECTING: Final = {
    "connect_timeout": "10",
    "application_name": "skill-orchestrator",
    "keepalives_idle": "30",  # a server that vanished is noticed within a minute, not after two hours
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}

_FIX_URL: Final = "the setting `database` is like postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME"
_REACH: Final = "check that the server runs, and host, port, name, user and password in the setting `database`"
_ACCESS: Final = "check user and password in the setting `database`, and the server's pg_hba.conf"
_RESTORE: Final = "restore a backup"
_AGAIN: Final = "try again when it has finished"
_MEANINGS: Final = {  # by SQLSTATE, or its class (the first two characters)
    "08": ("cannot be reached: the connection failed", _REACH),
    "22": ("refuse this record: a value that PostgreSQL cannot hold", "text must not contain NUL characters"),
    "23": (
        "refuse this record: it is there already, or belongs to one that is not",
        "each run, review and snapshot is recorded once",
    ),
    "25006": ("cannot be written: the server is read-only", "name the server that takes writes, not a standby"),
    "25P03": ("ended a transaction that stood still for too long", "was the process stopped? run it again"),
    "28": ("cannot be opened: the server refuses the login", _ACCESS),
    "3D000": ("are not there: the server has no such database", "create it, or correct the setting `database`"),
    "40": ("are locked by another process", _AGAIN),
    "42501": ("may not be used: the server's role lacks a right", "grant it the tables, or use their owner"),
    "42P01": ("do not have their tables", "`orchestrator db upgrade` makes them in an empty database"),
    "42703": ("do not have the columns that were expected: damaged, or of another program", _RESTORE),
    "53100": ("cannot be written: no space is left on the server", "free space on the server's file system"),
    "53300": ("cannot be reached: the server has too many connections", "raise its max_connections"),
    "53": ("cannot be used: the server is short of memory or another resource", "look at the server's log"),
    "55P03": ("are locked by another process, which did not let go in time", _AGAIN),
    "57": ("cannot be used: the server is starting, stopping, or ended our connection", "try again when it runs"),
    "58": ("cannot be read or written: input/output error of the server", "check its disk and its log"),
    "XX": ("are damaged, or the server is", _RESTORE),
}


class PostgresServer:
    """``busy_seconds``: how long a transaction waits for another one's locks."""

    dialect: Final[Literal["postgresql"]] = "postgresql"
    upgrades_itself: Final = False  # many processes may use it, and its owner makes the backups

    def __init__(self, address: SecretStr, busy_seconds: float) -> None:
        """Does not connect. ``RecordsError``: no such URL, or the driver is not installed."""
        url = _url(address)
        self.name = f"the records at {_shown(url)}"
        self.restore_hint = _RESTORE
        self._busy_seconds = busy_seconds
        engine = self._engine(url, pool_size=2, max_overflow=-1, pool_pre_ping=True)
        self.reader: Engine = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._writer: Engine = engine.execution_options(**{_WRITES: True})

    def _engine(self, url: URL, **pool: Any) -> Engine:
        arguments = {key: value for key, value in _CONNECTING.items() if key not in url.query}
        try:
            engine = create_engine(url, connect_args=arguments, hide_parameters=True, json_serializer=as_json, **pool)
        except ImportError:
            message = "the driver for PostgreSQL is not installed"
            raise RecordsError(message, hint="pip install 'skill-orchestrator[postgres]'") from None
        event.listen(engine, "connect", self._connected)
        event.listen(engine, "begin", _begin)
        return engine

    def _connected(self, connection: Any, _: object) -> None:
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise RecordsError(f"{self.name} have the encoding {encoding}", hint="create the database with UTF8")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('lock_timeout', %s, false),"
                " set_config('idle_in_transaction_session_timeout', %s, false),"
                " set_config('synchronous_commit', CASE current_setting('synchronous_commit')"
                " WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)",  # the one that waits for more
                (f"{round(self._busy_seconds * 1000)}ms", f"{_IDLE_SECONDS}s"),
            )
        connection.commit()

    def open(self) -> None:
        """Nothing to make: the database is there, and `orchestrator db upgrade` makes its tables."""

    def settle(self) -> None:
        pass

    def check(self) -> None:
        pass

    def writing(self, *, synced: bool) -> AbstractContextManager[Connection]:
        """Every commit is synced by the server, whatever it is configured to do for others: what it lost in a crash
        would look like an older copy that was put back."""
        del synced
        return self._writer.begin()

    def sync(self) -> None:
        pass

    def close(self) -> None:
        self.reader.dispose()  # the writer shares its pool

    def after_fork_in_child(self) -> None:
        self.reader.dispose(close=False)

    @contextmanager
    def upgrading(self) -> Iterator[Connection]:
        """One transaction that changes the schema, while nobody else writes."""
        with self._writer.begin() as connection:
            yield connection

    def backup(self, suffix: str) -> None:
        """The server's owner makes them."""

    def size_bytes(self) -> int:
        """Of the whole database, what is not ours included."""
        with self.reader.begin() as connection:
            return int(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)

    def vacuum(self) -> None:
        with self._writer.execution_options(**{_WRITES: False}, isolation_level="AUTOCOMMIT").connect() as connection:
            for table in METADATA.tables:  # what else is there is not ours to vacuum
                connection.exec_driver_sql(f"VACUUM ANALYZE {connection.dialect.identifier_preparer.quote(table)}")

    def meaning(self, error: Exception, *, committing: bool) -> RecordsError:
        state = getattr(getattr(error, "orig", error), "sqlstate", None) or ""
        if not state and isinstance(error, DataError):  # refused before the server saw it
            state = "22"
        known = _MEANINGS.get(state) or _MEANINGS.get(state[:2])
        lost = isinstance(error, DBAPIError) and error.connection_invalidated
        if lost and committing:
            message = f"{self.name}: the connection was lost in the last step of a transaction"
            return RecordsError(message, hint="whether it was stored is not known: look, before it is done again")
        if known:
            return RecordsError(f"{self.name} {known[0]}", hint=known[1])
        cause = one_line(str(getattr(error, "orig", error)), 500)
        if lost or not state:
            return RecordsError(f"{self.name} cannot be reached: {cause}", hint=_REACH)
        return RecordsError(f"{self.name} cannot be used: {cause}")


def _begin(connection: Connection) -> None:
    """One writer at a time, as in SQLite: what a transaction reads stays true until it ends, without serialisation
    failures that only running it again would cure. It must be READ COMMITTED: each statement sees what was committed
    before it, so the first after this one sees all that the writer before has done."""
    if connection.get_execution_options().get(_WRITES):
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _url(address: SecretStr) -> URL:
    try:
        url = make_url(address.get_secret_value())
    except (ArgumentError, ValueError):  # a port that is no number
        raise RecordsError("the setting `database` is no URL", hint=_FIX_URL) from None
    if url.drivername not in ("postgresql", "postgres", _DRIVER):
        raise RecordsError("the setting `database` names no PostgreSQL database", hint=_FIX_URL)
    return url.set(drivername=_DRIVER)


def _shown(url: URL) -> str:
    """Where it is, without the password, and without the query, which may hold one too."""
    host = url.host or url.query.get("host") or "localhost"
    plain = URL.create("postgresql", url.username, None, str(host), url.port, url.database)
    return one_line(plain.render_as_string(), 300)
