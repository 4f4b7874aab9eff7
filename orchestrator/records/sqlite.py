"""The embedded database: one private SQLite file in WAL mode, for several threads and processes at once.

How the file is made, so that nobody sees half of it; how connections to it are set up; what its errors mean.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine, event

from orchestrator.private import draft, sync
from orchestrator.records.direct import driver_of
from orchestrator.records.errors import RecordsError
from orchestrator.records.values import as_json
from orchestrator.records.versions import make
from orchestrator.records.writer import Busy, Writer

_BEGIN: Final = "sqlite_begin"  # our execution option: the statement that begins a transaction; "": somebody else does

_RESTORE: Final = "restore it from a backup, or move it (with its -wal and -shm files) away to start with no records"
_IN_USE: Final = ("are locked by another process, which did not let go in time", "try again when it has finished")
_BROKEN: Final = ("are not a database, or are damaged", _RESTORE)
_FOREIGN: Final = ("do not have the tables that were expected: damaged, or of another program", _RESTORE)
# By SQLite's primary result code: what holds of the records, and what to do.
_MEANINGS: Final[dict[int | None, tuple[str, str]]] = {
    sqlite3.SQLITE_ERROR: _FOREIGN,
    sqlite3.SQLITE_PERM: ("may not be opened", "check the owner and the mode of the file and its directory"),
    sqlite3.SQLITE_BUSY: _IN_USE,
    sqlite3.SQLITE_LOCKED: _IN_USE,
    sqlite3.SQLITE_READONLY: ("cannot be written", "check the owner and the mode of the file and its directory"),
    sqlite3.SQLITE_IOERR: ("cannot be read or written: input/output error", "check the disk and its file system"),
    sqlite3.SQLITE_CORRUPT: _BROKEN,
    sqlite3.SQLITE_FULL: ("cannot be written: no space is left", "free space on that file system"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "check that the file exists, and its owner and mode"),
    sqlite3.SQLITE_CONSTRAINT: (
        "refuse this record: it is there already, or belongs to one that is not",
        "each run, review and snapshot is recorded once",
    ),
    sqlite3.SQLITE_NOTADB: _BROKEN,
}


class SqliteFile:
    """``busy_seconds``: how long a transaction waits for another process's lock."""

    dialect: Final[Literal["sqlite"]] = "sqlite"
    upgrades_itself: Final = True

    def __init__(self, path: Path, busy_seconds: float) -> None:
        self.path = path.absolute()
        self.name = f"the records {self.path}"
        self._name = os.fspath(self.path)
        self.restore_hint = _RESTORE
        self._busy_seconds = busy_seconds
        self._file: tuple[int, int] | None = None  # once it is known to be ours
        self.reader: Engine = _engine(self.path, busy_seconds)
        self._writer = Writer(self.reader.execution_options(**{_BEGIN: ""}), self.path, busy_seconds)

    def open(self) -> None:
        """Create the file (mode 0600) if there is none; its directory must exist."""
        if not os.path.lexists(self.path):
            _create(self.path, self._busy_seconds)
        _require_regular(self.path)

    def settle(self) -> None:
        """It is ours: nobody else reads it, and from now on it is this very file."""
        if stat.S_IMODE(self.path.stat().st_mode) != 0o600:
            self.path.chmod(0o600)
        found = self.path.lstat()
        self._file = found.st_dev, found.st_ino

    def check(self) -> None:
        """A kept connection would go on writing to a file that was replaced."""
        now = os.lstat(self._name)
        if self._file not in (None, (now.st_dev, now.st_ino)):
            raise RecordsError(f"{self.name} were replaced by another file", hint="start again to use it")

    @contextmanager
    def writing(self, *, synced: bool) -> Iterator[Connection]:
        try:
            with self._writer.transaction(synced=synced) as connection:
                yield connection
        except Busy:
            raise self._meant(_IN_USE) from None

    def sync(self) -> None:
        self._writer.sync()

    def close(self) -> None:
        self._writer.close()
        self.reader.dispose()  # the writer shares its pool

    def after_fork_in_child(self) -> None:
        self._writer.after_fork_in_child()
        self.reader.dispose(close=False)

    @contextmanager
    def upgrading(self) -> Iterator[Connection]:
        """One transaction that changes the schema. Foreign keys are not enforced in it, for replacing a table would
        delete what refers to it; they are checked at the end."""
        engine = _engine(self.path, self._busy_seconds, "PRAGMA foreign_keys = OFF", pooled=False)
        with engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"}).begin() as connection:
            yield connection
            if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchone():
                message = f"{self.name} cannot be upgraded: {broken[0]} has rows that belong to none of {broken[2]}"
                raise RecordsError(message, hint=_RESTORE)

    def backup(self, suffix: str) -> Path:
        """A copy (0600) beside the file, in the place of an earlier one; what is committed now is in it."""
        target = self.path.with_name(f"{self.path.name}.{suffix}")
        with draft(self.path) as fresh:
            with closing(sqlite3.connect(_uri(self.path), uri=True, timeout=self._busy_seconds)) as source:
                source.execute("VACUUM INTO ?", (os.fspath(fresh),))  # takes an empty file, and keeps its mode
            sync(fresh)
            fresh.replace(target)
        sync(self.path.parent)
        return target

    def size_bytes(self) -> int:
        """Of the file and its write-ahead log."""
        sizes = 0
        for suffix in ("", "-wal"):
            with suppress(FileNotFoundError):
                sizes += Path(f"{self.path}{suffix}").stat().st_size
        return sizes

    def vacuum(self) -> None:
        """Give free pages back to the file system. Waits for other writers like a transaction does."""
        with closing(self.reader.raw_connection()) as raw:
            cursor = raw.cursor()
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def meaning(self, error: Exception, *, committing: bool) -> RecordsError:
        del committing  # a commit that fails here is none
        cause = getattr(error, "orig", error)
        code = getattr(cause, "sqlite_errorcode", None)  # absent where the module itself refuses, before SQLite does
        family = None if code is None else code & 0xFF  # an extended code's low byte
        if family == sqlite3.SQLITE_IOERR and self._no_space():  # of the files beside it, say, which it makes first
            family = sqlite3.SQLITE_FULL
        if known := _MEANINGS.get(family):
            return self._meant(known)
        return RecordsError(f"{self.name} cannot be used: {cause}")

    def _no_space(self) -> bool:
        try:
            return os.statvfs(self.path.parent).f_bavail == 0
        except OSError:
            return False

    def _meant(self, known: tuple[str, str]) -> RecordsError:
        return RecordsError(f"{self.name} {known[0]}", hint=known[1])


def _engine(path: Path, busy_seconds: float, *pragmas: str, pooled: bool = True) -> Engine:
    """A few connections are kept, since opening and closing one costs more than a transaction (3 ms against 1).

    Python's own handling of transactions is off (``isolation_level``); it would leave reads outside of any.
    """

    def connected() -> sqlite3.Connection:
        connection = sqlite3.connect(
            _uri(path), uri=True, timeout=busy_seconds, isolation_level=None, check_same_thread=False
        )  # one thread at a time: SQLAlchemy's pool sees to that
        try:
            connection.execute("PRAGMA synchronous = FULL")  # less would lose the last commits in a power cut
            for pragma in ("PRAGMA foreign_keys = ON", *pragmas):
                connection.execute(pragma)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    kept: dict[str, Any] = {"poolclass": NullPool}
    if pooled:
        kept = {"poolclass": QueuePool, "pool_size": 2, "max_overflow": -1}
    engine = create_engine(
        "sqlite+pysqlite://", creator=connected, hide_parameters=True, json_serializer=as_json, **kept
    )
    event.listen(engine, "begin", _begin)
    return engine


def _uri(path: Path) -> str:
    return f"file:{quote(os.fsencode(path))}?mode=rw"  # rw: never create, so a file that vanished is noticed


def _begin(connection: Connection) -> None:
    if statement := connection.get_execution_options().get(_BEGIN, "BEGIN"):
        driver_of(connection).execute(statement)


def _create(path: Path, busy_seconds: float) -> None:
    """Make the database under another name, then link it: nobody ever sees one that is half made.

    Should another process have been faster, its database stays.
    """
    with draft(path) as fresh:
        engine = _engine(fresh, busy_seconds, "PRAGMA journal_mode = WAL", pooled=False)  # is kept in the file
        with engine.begin() as connection:
            make(connection)
        with suppress(FileExistsError):
            path.hardlink_to(fresh)
    sync(path.parent)


def _require_regular(path: Path) -> None:
    """Looks without opening: closing any descriptor of the file would drop the locks SQLite has on it."""
    mode = path.lstat().st_mode
    if not stat.S_ISREG(mode):
        what = "a symbolic link" if stat.S_ISLNK(mode) else "no regular file"
        raise RecordsError(f"the records {path} are {what}", hint="put the file itself there, or name another path")
