"""``Database``: the one owner of connections, transactions, the schema's version, and what errors mean.

What is stored, and how it is asked for, is up to the records (``Records`` and its like): classes over a ``Database``,
each with its tables on ``tables.METADATA``, one transaction per method.

::

    with database.reading() as connection:      # one unchanging view of everything committed
        rows = connection.execute(select(TABLE))
    with database.writing() as connection:      # the only writer, in any thread of any process, until the end
        connection.execute(TABLE.insert().values(...))

* A ``writing()`` is serial: between its beginning and its end nobody else writes, so "read, decide, write" needs no
  retries. In SQLite it takes the file's write lock at once (BEGIN IMMEDIATE), in PostgreSQL an advisory lock. Do no
  slow work in it. It ends with a commit that is on the disk, or, after any exception, with nothing stored.
* ``connection`` is SQLAlchemy's, for statements that both dialects know; for the others there is ``dialect``.
* Do not open one ``writing()`` inside another: pass the connection on. (It is a ``RuntimeError``.)
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal, Protocol, Self

from pydantic import SecretStr
from sqlalchemy import Connection, Engine, func, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from orchestrator import forks
from orchestrator.records.errors import RecordsError
from orchestrator.records.tables import META, METADATA, VERSION
from orchestrator.records.versions import make, version_in
from orchestrator.settings import Settings

BUSY_SECONDS: Final = 10.0
FILE_NAME: Final = "records.db"  # in the state directory


class Backend(Protocol):
    """What differs between the databases. Errors are the driver's, unless it is a ``RecordsError``."""

    name: str  # "the records ...", for messages
    restore_hint: str
    reader: Engine  # its transactions read

    @property
    def dialect(self) -> Literal["sqlite", "postgresql"]: ...
    @property
    def upgrades_itself(self) -> bool: ...
    def open(self) -> None: ...
    def settle(self) -> None: ...
    def check(self) -> None: ...
    def writing(self, *, synced: bool) -> AbstractContextManager[Connection]: ...
    def sync(self) -> None: ...
    def close(self) -> None: ...
    def after_fork_in_child(self) -> None: ...
    def upgrading(self) -> AbstractContextManager[Connection]: ...
    def backup(self, suffix: str) -> Path | None: ...
    def size_bytes(self) -> int: ...
    def vacuum(self) -> None: ...
    def meaning(self, error: Exception, *, committing: bool) -> RecordsError: ...


@dataclass(frozen=True, slots=True)
class Upgrade:
    """``before`` is None for a database that was empty; ``backup`` is where the old one lies, if a copy was made."""

    before: int | None
    after: int
    backup: Path | None = None


class Database:
    """Thread-safe, usable from several processes at once, and across a fork: the child makes connections of its own.

    Everything raises ``RecordsError``, with a hint, when the database is locked for longer than ``busy_seconds``,
    full, read-only, damaged, not reachable or closed; then nothing of the transaction has been stored. (If the
    connection to a server is lost while it commits, nobody can know; the message says so.) Text that is not valid as
    UTF-8 (a lone surrogate) is a ``UnicodeEncodeError``.
    """

    def __init__(
        self, where: Path | SecretStr, *, busy_seconds: float = BUSY_SECONDS, any_version: bool = False
    ) -> None:
        """A path: an SQLite file, which is created (mode 0600; its directory must exist), and upgraded after a copy
        was made of it (``NAME.version-N``). A secret: the URL of a PostgreSQL database, whose tables must be there.

        ``RecordsError``: of a later release, or an earlier one that is not upgraded by itself; broken; not ours; and
        a file that is a symbolic link. ``any_version``: take it as it is, for ``upgrade`` and ``version`` alone.
        """
        self._backend = _backend(where, busy_seconds)
        self._closed = False
        self._writes = threading.local()
        forks.watch(self)
        try:
            with self._translated():
                self._backend.open()
            if not any_version:
                self._require_version()
            with self._translated():
                self._backend.settle()
        except BaseException:
            self.close()
            raise

    @classmethod
    def of(cls, settings: Settings, *, any_version: bool = False) -> Self:
        """The one that the settings name."""
        if settings.database.get_secret_value():
            return cls(settings.database, any_version=any_version)
        return cls(settings.state_dir / FILE_NAME, any_version=any_version)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.name}>"

    @property
    def name(self) -> str:
        """ "the records ...", as messages begin: a path, or a server's address without the password."""
        return self._backend.name

    @property
    def dialect(self) -> Literal["sqlite", "postgresql"]:
        return self._backend.dialect

    def close(self) -> None:
        """Idempotent. Calls under way in other threads finish."""
        self._closed = True
        self._backend.close()

    def after_fork_in_child(self) -> None:
        """Connections are not to be used, nor closed, on the other side of a fork."""
        self._writes = threading.local()
        self._backend.after_fork_in_child()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # --- transactions ----------------------------------------------------------------------------------------------

    def reading(self) -> AbstractContextManager[Connection]:
        """A transaction that sees what was committed when it began, and may not write."""
        return self._transaction(self._backend.reader.begin)

    @contextmanager
    def writing(self, *, synced: bool = True) -> Iterator[Connection]:
        """A transaction beside which nobody else writes. Committed at the end; undone after any exception.

        ``synced`` False: what it wrote survives this process at once, and a power cut from the next ``sync`` or other
        ``writing`` on. (A server always syncs.)
        """
        if getattr(self._writes, "here", False):
            raise RuntimeError("this thread is writing already: pass its connection on")
        self._writes.here = True
        try:
            with self._transaction(partial(self._backend.writing, synced=synced)) as connection:
                yield connection
        finally:
            self._writes.here = False

    @contextmanager
    def _transaction(self, begin: Callable[[], AbstractContextManager[Connection]]) -> Iterator[Connection]:
        self._require_open()
        with self._translated() as stage:
            self._backend.check()
            with begin() as connection:
                yield connection
                stage.committing = True

    def sync(self) -> None:
        """What is committed by now is on the disk. After a ``RecordsError`` nobody knows what is: a second call that
        returns proves nothing."""
        self._require_open()
        with self._translated():
            self._backend.sync()

    @contextmanager
    def _translated(self) -> Iterator[_Stage]:
        """Every error of the database becomes a ``RecordsError``; its cause stays attached."""
        stage = _Stage()
        try:
            yield stage
        except (SQLAlchemyError, sqlite3.Error) as error:
            if isinstance(ours := getattr(error, "orig", None), RecordsError):
                raise ours from error
            raise self._backend.meaning(error, committing=stage.committing) from error
        except json.JSONDecodeError as error:
            message = f"{self.name} hold a value that is not JSON"
            raise RecordsError(message, hint=self._backend.restore_hint) from error
        except OSError as error:
            raise RecordsError(f"{self.name} cannot be opened: {error.strerror}") from error

    def _require_open(self) -> None:
        if self._closed:
            raise RecordsError(f"{self.name} are closed")

    # --- version ---------------------------------------------------------------------------------------------------

    def version(self) -> int:
        """Of the schema. ``RecordsError`` if it has none, which holds of an empty database too."""
        with self.reading() as connection:
            return self._known(version_in(connection))

    def upgrade(self) -> Upgrade:
        """Bring the schema to this release's version, in one transaction; a copy of an SQLite file is made before.

        Several callers at once: one does it. What cannot be upgraded stays as it was.
        """
        self._require_open()
        with self._translated() as stage, self._backend.upgrading() as connection:
            before = self._known(version_in(connection)) if inspect(connection).has_table(META.name) else None
            backup = None
            if before is None:
                make(connection)
            elif before < VERSION:
                from orchestrator.records import migrations  # noqa: PLC0415 - Alembic takes long to import

                backup = self._backend.backup(f"version-{before}")
                migrations.run(connection, before)
            stage.committing = True
        return Upgrade(before, VERSION, backup)

    def _require_version(self) -> None:
        found = self.version()
        if found == VERSION:
            return
        if not self._backend.upgrades_itself:
            message = f"{self.name} are of version {found}; this release needs version {VERSION}"
            raise RecordsError(message, hint="make a backup, then `orchestrator db upgrade`")
        self.upgrade()

    def _known(self, found: int | None) -> int:
        if found is None:
            raise RecordsError(f"{self.name} have no valid schema version", hint=self._backend.restore_hint)
        if found > VERSION:
            message = f"{self.name} are of version {found}; this release knows versions up to {VERSION}"
            raise RecordsError(message, hint="use the release that wrote them, or a later one")
        return found

    # --- upkeep ----------------------------------------------------------------------------------------------------

    def size_bytes(self) -> int:
        """What it takes on the disk; of a server: the whole database."""
        self._require_open()
        with self._translated():
            return self._backend.size_bytes()

    def rows(self) -> dict[str, int]:
        """How many rows each table has that is there, by its name; all counted at one moment."""
        with self.reading() as connection:
            there = set(inspect(connection).get_table_names())
            tables = [table for table in METADATA.sorted_tables if table.name in there]
            return {
                table.name: connection.scalar(select(func.count()).select_from(table)) or 0
                for table in sorted(tables, key=lambda table: table.name)
            }

    def vacuum(self) -> None:
        """Give back the space of what was deleted, and let the database measure its tables anew."""
        self._require_open()
        with self._translated():
            self._backend.vacuum()


def nothing_kept(settings: Settings) -> bool:
    """Whether there are no records yet, without making any."""
    return not settings.database.get_secret_value() and not (settings.state_dir / FILE_NAME).exists()


@dataclass(slots=True)
class _Stage:
    committing: bool = False


def _backend(where: Path | SecretStr, busy_seconds: float) -> Backend:
    if isinstance(where, SecretStr):
        from orchestrator.records.postgresql import PostgresServer  # noqa: PLC0415 - most installations have none

        return PostgresServer(where, busy_seconds)
    from orchestrator.records.sqlite import SqliteFile  # noqa: PLC0415

    return SqliteFile(where, busy_seconds)
