"""``Records``: the database file, how it is opened, and every question asked of it, each in one transaction."""

from __future__ import annotations

import os
import secrets
import sqlite3
import stat
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    QueuePool,
    Row,
    Select,
    create_engine,
    event,
    false,
    or_,
    select,
)

from orchestrator import forks
from orchestrator.records.errors import RecordsError, translated
from orchestrator.records.model import (
    Decision,
    Review,
    ReviewState,
    SetState,
    Snapshot,
    SnapshotEntry,
    StoredChange,
    StoredSet,
)
from orchestrator.records.tables import (
    CHANGE_SETS,
    CHANGES,
    META,
    METADATA,
    REVIEWS,
    SNAPSHOT_ENTRIES,
    SNAPSHOTS,
    VERSION,
    VERSION_KEY,
)

BUSY_SECONDS: Final = 10.0
_BEGIN: Final = "sqlite_begin"  # our execution option: the statement that begins a transaction


class Records:
    """Thread-safe, usable from several processes at once, and across a fork: the child makes connections of its own.

    What a method stored is on the disk when it returns. Every method raises ``RecordsError`` if the database is
    locked for longer than ``busy_seconds``, full, unreadable or closed; text that is not valid as UTF-8 (a lone
    surrogate) is a ``UnicodeEncodeError``. Either way nothing of the call has been stored.
    """

    def __init__(self, path: Path, *, busy_seconds: float = BUSY_SECONDS) -> None:
        """Open the SQLite file, or create it (mode 0600; its directory must exist).

        ``RecordsError``: it is a symbolic link, no database of ours, broken, or of a later release.
        """
        self._path = path.absolute()
        self._closed = False
        self._file: tuple[int, int] | None = None  # once it is known to be ours
        self._engine = _engine_at(self._path, busy_seconds)
        self._writer = self._engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
        forks.watch(self)
        with translated(self._path):
            if not os.path.lexists(self._path):
                _create(self._path, busy_seconds)
            _require_regular(self._path)
            self._require_version()
            if stat.S_IMODE(self._path.stat().st_mode) != 0o600:
                self._path.chmod(0o600)
            found = self._path.lstat()
            self._file = found.st_dev, found.st_ino

    def close(self) -> None:
        """Idempotent. Calls under way in other threads finish."""
        self._closed = True
        self._engine.dispose()

    def after_fork_in_child(self) -> None:
        """SQLite's connections are not to be used, nor closed, on the other side of a fork."""
        self._engine.dispose(close=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # Change sets

    def add_set(self, stored: StoredSet) -> None:
        """``RecordsError`` if the run has one already."""
        changes = [
            {"run_id": stored.run_id, "position": position, **_values(change)}
            for position, change in enumerate(stored.changes)
        ]
        with self._writing() as connection:
            connection.execute(CHANGE_SETS.insert().values(_values(stored, without="changes")))
            if changes:
                connection.execute(CHANGES.insert(), changes)

    def set_of(self, run_id: str) -> StoredSet | None:
        with self._reading() as connection:
            found = _sets(connection, select(CHANGE_SETS.c.run_id).where(CHANGE_SETS.c.run_id == run_id))
        return found[0] if found else None

    def mark_set(self, run_id: str, state: SetState, note: str = "") -> None:
        """Set the state, and the note unless it is "". ``RecordsError`` if the run has no set."""
        values = {"state": state, "note": note} if note else {"state": state}
        with self._writing() as connection:
            done = connection.execute(CHANGE_SETS.update().where(CHANGE_SETS.c.run_id == run_id).values(values))
            if not done.rowcount:
                raise RecordsError(f"the records {self._path} have no change set of run {run_id}")

    def sets(self, *, vault: str | None = None, path: str | None = None, limit: int = 100) -> list[StoredSet]:
        """Newest first. With ``path``: those with a change at or below it, or moved from there; "." is the vault.
        ``vault``: an absolute path; None: of every vault."""
        chosen = select(CHANGE_SETS.c.run_id)
        if vault is not None:
            chosen = chosen.where(CHANGE_SETS.c.vault == vault)
        if path is not None and path != ".":
            touched = or_(_at_or_below(CHANGES.c.path, path), _at_or_below(CHANGES.c.moved_from, path))
            chosen = chosen.where(CHANGE_SETS.c.run_id.in_(select(CHANGES.c.run_id).where(touched)))
        newest = chosen.order_by(CHANGE_SETS.c.created_at.desc(), CHANGE_SETS.c.run_id.desc()).limit(limit)
        with self._reading() as connection:
            return _sets(connection, newest)

    def prunable(self, older_than: float) -> list[StoredSet]:
        """Those made before ``older_than`` (Unix seconds), oldest first; none that is held, for somebody may still
        approve it."""
        chosen = select(CHANGE_SETS.c.run_id).where(
            CHANGE_SETS.c.created_at < older_than, CHANGE_SETS.c.state != "held"
        )
        with self._reading() as connection:
            return _sets(connection, chosen)[::-1]

    def referenced(self) -> set[str]:
        """Hashes of all content a snapshot, or a change set neither rejected nor expired, still refers to."""
        dropped = select(CHANGE_SETS.c.run_id).where(CHANGE_SETS.c.state.in_(("rejected", "expired")))
        kept = CHANGES.c.run_id.not_in(dropped)
        queries = (
            select(CHANGES.c.sha256).where(kept),
            select(CHANGES.c.before_sha256).where(kept),
            select(SNAPSHOT_ENTRIES.c.sha256),
        )
        with self._reading() as connection:
            return {sha256 for query in queries for sha256 in connection.scalars(query.distinct()) if sha256}

    def forget_set(self, run_id: str) -> None:
        """With its changes; reviews stay. Idempotent."""
        with self._writing() as connection:
            connection.execute(CHANGE_SETS.delete().where(CHANGE_SETS.c.run_id == run_id))

    # Reviews

    def add_review(self, review: Review) -> None:
        """``RecordsError`` if there is one of that id, or its manifest is not made of JSON values."""
        values = _values(review) | {"reasons": list(review.reasons), "manifest": dict(review.manifest)}
        with self._writing() as connection:
            connection.execute(REVIEWS.insert().values(values))

    def review(self, id: str) -> Review | None:
        with self._reading() as connection:
            row = connection.execute(select(REVIEWS).where(REVIEWS.c.id == id)).one_or_none()
        return None if row is None else _review(row)

    def reviews(self, state: ReviewState | None = "pending", *, vault: str | None = None) -> list[Review]:
        """Oldest first; None: in any state, of every vault."""
        query = select(REVIEWS).order_by(REVIEWS.c.created_at, REVIEWS.c.id)
        if vault is not None:
            query = query.where(REVIEWS.c.vault == vault)
        if state is not None:
            query = query.where(REVIEWS.c.state == state)
        with self._reading() as connection:
            return [_review(row) for row in connection.execute(query)]

    def decide(self, id: str, state: Decision, *, by: str, comment: str = "", at: float) -> bool:
        """Whether this call decided it: only a pending review changes, so of several callers exactly one gets True.

        ``expires_at`` is not looked at. False also if there is no such review.
        """
        pending = REVIEWS.update().where(REVIEWS.c.id == id, REVIEWS.c.state == "pending")
        with self._writing() as connection:
            done = connection.execute(pending.values(state=state, decided_by=by, comment=comment, decided_at=at))
            return done.rowcount == 1

    # Snapshots

    def add_snapshot(self, snapshot: Snapshot) -> None:
        """``RecordsError`` if there is one of that id, or two entries have the same path."""
        values = _values(snapshot, without="entries") | {"roots": list(snapshot.roots)}
        entries = [{"snapshot_id": snapshot.id, **_values(entry)} for entry in snapshot.entries]
        with self._writing() as connection:
            connection.execute(SNAPSHOTS.insert().values(values))
            if entries:
                connection.execute(SNAPSHOT_ENTRIES.insert(), entries)

    def snapshots(self) -> list[Snapshot]:
        """Newest first, without their entries."""
        newest = select(SNAPSHOTS).order_by(SNAPSHOTS.c.created_at.desc(), SNAPSHOTS.c.id.desc())
        with self._reading() as connection:
            return [_snapshot(row) for row in connection.execute(newest)]

    def snapshot(self, id: str) -> Snapshot | None:
        columns = [column for column in SNAPSHOT_ENTRIES.c if column.name != "snapshot_id"]
        inside = select(*columns).where(SNAPSHOT_ENTRIES.c.snapshot_id == id).order_by(SNAPSHOT_ENTRIES.c.path)
        with self._reading() as connection:
            row = connection.execute(select(SNAPSHOTS).where(SNAPSHOTS.c.id == id)).one_or_none()
            if row is None:
                return None
            return _snapshot(row, tuple(SnapshotEntry(**entry._asdict()) for entry in connection.execute(inside)))

    def forget_snapshot(self, id: str) -> None:
        """With its entries. Idempotent."""
        with self._writing() as connection:
            connection.execute(SNAPSHOTS.delete().where(SNAPSHOTS.c.id == id))

    # Transactions

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        if self._closed:
            raise RecordsError(f"the records {self._path} are closed")
        with translated(self._path):
            now = self._path.lstat()
        if self._file not in (None, (now.st_dev, now.st_ino)):  # a kept connection would go on writing to the old one
            raise RecordsError(f"the records {self._path} were replaced by another file", hint="start again to use it")
        with translated(self._path), engine.begin() as connection:
            yield connection

    def _reading(self) -> AbstractContextManager[Connection]:
        return self._transaction(self._engine)

    def _writing(self) -> AbstractContextManager[Connection]:
        """Takes the write lock at once: a transaction that read first could not wait for it any more."""
        return self._transaction(self._writer)

    def _require_version(self) -> None:
        with self._reading() as connection:
            found = connection.scalar(select(META.c.value).where(META.c.key == VERSION_KEY))
        if found == str(VERSION):
            return
        if found is not None and found.isdecimal() and int(found) > VERSION:
            message = f"the records {self._path} are of version {found}; this release knows versions up to {VERSION}"
            raise RecordsError(message, hint="use the release that wrote them, or a later one")
        raise RecordsError(f"the records {self._path} have no valid schema version", hint="restore a backup")


def _engine_at(path: Path, busy_seconds: float) -> Engine:
    """A few connections are kept, since opening and closing one costs more than a transaction (3 ms against 1).

    Python's own handling of transactions is off (``isolation_level``); it would leave reads outside of any.
    """
    uri = f"file:{quote(os.fsencode(path))}?mode=rw"  # rw: never create, so a file that vanished is noticed

    def connected() -> sqlite3.Connection:
        connection = sqlite3.connect(
            uri, uri=True, timeout=busy_seconds, isolation_level=None, check_same_thread=False
        )  # one thread at a time: SQLAlchemy's pool sees to that
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")  # less would lose the last commits in a power cut
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    engine = create_engine("sqlite+pysqlite://", creator=connected, poolclass=QueuePool, pool_size=2, max_overflow=-1)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))


def _create(path: Path, busy_seconds: float) -> None:
    """Make the database under another name, then link it: nobody ever sees one that is half made.

    Should another process have been faster, its database stays.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    try:
        _fill(fresh, busy_seconds)
        with suppress(FileExistsError):
            path.hardlink_to(fresh)
    finally:
        fresh.unlink()
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _fill(path: Path, busy_seconds: float) -> None:
    engine = _engine_at(path, busy_seconds)
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("PRAGMA journal_mode = WAL")  # is kept in the file; not possible inside a transaction
    finally:
        raw.close()
    with engine.begin() as connection:
        METADATA.create_all(connection)
        connection.execute(META.insert().values(key=VERSION_KEY, value=str(VERSION)))
    engine.dispose()


def _require_regular(path: Path) -> None:
    """Looks without opening: closing any descriptor of the file would drop the locks SQLite has on it."""
    mode = path.lstat().st_mode
    if not stat.S_ISREG(mode):
        what = "a symbolic link" if stat.S_ISLNK(mode) else "no regular file"
        raise RecordsError(f"the records {path} are {what}", hint="put the file itself there, or name another path")


def _at_or_below(column: ColumnElement[Any], path: str) -> ColumnElement[bool]:
    """A range, not LIKE: that has wildcards, and in SQLite takes "A" for "a". "0" is the character after "/"."""
    path = path.rstrip("/")
    if not path:  # names nothing inside the vault; and "" is what ``moved_from`` is for an entry that was not moved
        return false()
    return or_(column == path, (column >= f"{path}/") & (column < f"{path}0"))


def _sets(connection: Connection, chosen: Select[Any]) -> list[StoredSet]:
    """The sets whose run ids ``chosen`` selects, newest first."""
    changes: defaultdict[str, list[StoredChange]] = defaultdict(list)
    rows = connection.execute(select(CHANGES).where(CHANGES.c.run_id.in_(chosen)).order_by(CHANGES.c.position))
    for row in rows:
        values = row._asdict()
        del values["position"]
        changes[values.pop("run_id")].append(StoredChange(**values))
    newest = (CHANGE_SETS.c.created_at.desc(), CHANGE_SETS.c.run_id.desc())
    found = connection.execute(select(CHANGE_SETS).where(CHANGE_SETS.c.run_id.in_(chosen)).order_by(*newest))
    return [StoredSet(**row._asdict(), changes=tuple(changes[row.run_id])) for row in found]


def _review(row: Row[Any]) -> Review:
    values = row._asdict()
    return Review(**values | {"reasons": tuple(values["reasons"])})


def _snapshot(row: Row[Any], entries: tuple[SnapshotEntry, ...] = ()) -> Snapshot:
    values = row._asdict()
    return Snapshot(**values | {"roots": tuple(values["roots"])}, entries=entries)


def _values(
    record: StoredSet | StoredChange | Review | Snapshot | SnapshotEntry, *, without: str = ""
) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in fields(record) if field.name != without}
