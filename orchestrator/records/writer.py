"""``Writer``: the one connection by which a process writes its SQLite file, and the sync of the write-ahead log.

The connection is kept: fetching one for each transaction costs as much as a small transaction does. Who waits for it
waits for a lock of this process and is woken at once, where SQLite would look again only now and then.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine

from orchestrator.private import sync
from orchestrator.records.direct import driver_of

_sync_content: Final = getattr(os, "fdatasync", os.fsync)  # macOS has the latter alone
_PARENTS: Final[list[object]] = []  # in a forked child: connections that must not be closed here


class Busy(Exception):  # noqa: N818 - no error yet: it depends on what was asked for
    """Others write all the time."""


class Writer:
    """Thread-safe. ``engine`` begins no transaction by itself, and syncs them unless told otherwise."""

    def __init__(self, engine: Engine, path: Path, wait_seconds: float) -> None:
        self._engine, self._path, self._wait_seconds = engine, path, wait_seconds
        self._turn = threading.Lock()
        self._kept: Connection | None = None
        self._synced = True  # how the kept one commits
        self._log: tuple[int, int] | None = None  # the log whose name is on the disk
        self._closed = False

    @contextmanager
    def transaction(self, *, synced: bool) -> Iterator[Connection]:
        """Not ``synced``: the commit leaves that to ``sync``. Raises ``Busy``."""
        if not self._turn.acquire(timeout=self._wait_seconds):
            raise Busy
        try:
            connection = self._taken() or self._connected()
            try:
                driver = driver_of(connection)
                self._commit_as(driver, synced)
                # By the driver, for SQLAlchemy's own way takes three times as long. The lock is taken at once: a
                # transaction that read first could not wait for it any more.
                driver.execute("BEGIN IMMEDIATE")
                yield connection
                if connection.in_transaction():  # for SQLAlchemy it began with the first statement that was its
                    connection.commit()
                else:
                    driver.execute("COMMIT")
            except BaseException:
                _discard(connection)
                raise
            self._keep(connection)
        finally:
            self._turn.release()

    def _connected(self) -> Connection:
        self._synced = True
        return self._engine.connect()

    def _taken(self) -> Connection | None:
        kept, self._kept = self._kept, None
        return kept

    def _keep(self, connection: Connection) -> None:
        self._kept = connection
        if self._closed:
            self._drop()

    def _drop(self) -> None:
        if (kept := self._taken()) is not None:
            _discard(kept)

    def _commit_as(self, driver: sqlite3.Connection, synced: bool) -> None:
        """FULL syncs the log with each commit; NORMAL only before its content is moved into the database."""
        if synced is not self._synced:
            driver.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
            self._synced = synced

    def sync(self) -> None:
        """All that is committed. Through a descriptor of its own: SQLite has its locks on other files than the log, so
        closing this one drops none."""
        try:
            descriptor = os.open(f"{self._path}-wal", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:  # its content is in the database, and was synced there
            return
        try:
            _sync_content(descriptor)
            found = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if (found.st_dev, found.st_ino) != self._log:
            sync(self._path.parent)
            self._log = found.st_dev, found.st_ino

    def close(self) -> None:
        """A transaction under way finishes."""
        self._closed = True
        self._drop()

    def after_fork_in_child(self) -> None:
        """What is kept is left alone: closing it would have SQLite touch files that the parent uses."""
        _PARENTS.append(self._kept)
        self._kept, self._turn = None, threading.Lock()


def _discard(connection: Connection) -> None:
    """Not back to the pool: whoever gets it next would not know how it commits."""
    connection.invalidate()
    connection.close()
