"""The SQLite file: how it is made, that it is private, and what is refused."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from orchestrator.records import Database, Records, RecordsError
from orchestrator.records.tables import VERSION
from tests.records.test_store import _created, _ids, _in_threads, _set


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with Database(path) as opened:
        yield opened


@pytest.fixture
def records(database: Database) -> Records:
    return Records(database)


def test_several_create_it_at_once(path: Path) -> None:
    """One database wins, the others use it, and nothing half made is left behind."""
    barrier = threading.Barrier(8)
    failed: list[BaseException] = []

    def create(number: int) -> None:
        barrier.wait(30)
        try:
            with Database(path) as mine:
                Records(mine).add_set(_set(f"run {number}"))
        except RecordsError as error:
            failed.append(error)

    _in_threads(*[lambda number=number: create(number) for number in range(8)])
    assert failed == []
    with Database(path) as database:
        assert sorted(_ids(Records(database).sets())) == [f"run {number}" for number in range(8)]
    assert list(path.parent.iterdir()) == [path]


def test_it_is_private_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        with Database(path) as database:
            records = Records(database)
            records.add_set(_set("run"))
            with closing(sqlite3.connect(path)) as other:  # so that the other files stay
                other.execute("SELECT * FROM meta").fetchall()
                records.add_set(_set("another"))
                files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert files == dict.fromkeys(("records.db", "records.db-wal", "records.db-shm"), 0o600)


def test_a_mode_others_could_read_is_corrected(path: Path) -> None:
    Database(path).close()
    path.chmod(0o644)
    Database(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_how_connections_are_set_up(database: Database) -> None:
    with database.reading() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}


def test_only_who_asks_for_it_commits_without_a_sync(path: Path) -> None:
    """SQLite's words for it: 2 is FULL, 1 is NORMAL."""

    def synchronous(connection: Connection) -> object:
        return connection.exec_driver_sql("PRAGMA synchronous").scalar()

    with Database(path, busy_seconds=0.05) as database:
        for asked in (False, True, True, False):
            with database.writing(synced=asked) as connection:
                assert synchronous(connection) == (2 if asked else 1)
        with pytest.raises(ZeroDivisionError), database.writing(synced=False):
            raise ZeroDivisionError
        with database.writing() as connection:
            assert synchronous(connection) == 2
            _in_threads(lambda: _is_refused(database))
        with database.writing() as connection, database.reading() as other:
            assert (synchronous(connection), synchronous(other)) == (2, 2)


def _is_refused(database: Database) -> None:
    """Another thread of this process has its turn."""
    with pytest.raises(RecordsError, match="locked"), database.writing():
        pass


def test_syncing(path: Path) -> None:
    with Database(path) as database:
        database.sync()  # there is no log yet
        with database.writing(synced=False) as connection:
            connection.exec_driver_sql("DELETE FROM meta WHERE key = 'none'")
        database.sync()
        log = path.with_name("records.db-wal")
        moved = log.rename(log.with_name("moved"))
        log.symlink_to(moved)
        with pytest.raises(RecordsError, match="cannot be opened"):
            database.sync()
        moved.replace(log)
    with pytest.raises(RecordsError, match="closed"):
        database.sync()


def test_an_odd_file_name(tmp_path: Path) -> None:
    for name in ("a?mode=memory", "b%41#c", "file:d", "é \n"):
        with Database(tmp_path / name) as database:
            Records(database).add_set(_set("run"))
        with Database(tmp_path / name) as database:
            assert _ids(Records(database).sets()) == ["run"]


def test_history_uses_the_indexes(database: Database, path: Path) -> None:
    """A vault's history grows for years."""
    with closing(sqlite3.connect(path)) as raw:
        below = "({0} = 'a' OR ({0} >= 'a/' AND {0} < 'a0'))"
        query = f"SELECT run_id FROM changes WHERE {below.format('path')} OR {below.format('moved_from')}"
        plan = str(raw.execute(f"EXPLAIN QUERY PLAN {query}").fetchall())
    assert "ix_changes_path" in plan
    assert "ix_changes_moved_from" in plan
    assert "SCAN changes" not in plan


# Refusals


def test_a_newer_version_is_refused(path: Path) -> None:
    Database(path).close()
    later = str(VERSION + 1)
    for version, sentence in ((later, f"are of version {later}"), ("x", "no valid schema version"), ("0", "no valid")):
        with closing(sqlite3.connect(path)) as raw:
            raw.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (version,))
            raw.commit()
        with pytest.raises(RecordsError, match=sentence) as caught:
            Database(path)
        assert caught.value.hint
        assert caught.value.exit_code == 6


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"garbage" * 1000, "are not a database"), (b"", "do not have the tables"), (b"x", "do not have the tables")],
)
def test_a_file_that_is_no_database(path: Path, content: bytes, sentence: str) -> None:
    path.write_bytes(content)
    with pytest.raises(RecordsError, match=sentence) as caught:
        Database(path)
    assert "backup" in caught.value.hint
    assert path.read_bytes() == content


def test_a_damaged_database(path: Path) -> None:
    with Database(path) as database:
        records = Records(database)
        for number in range(50):
            records.add_set(_set(f"run {number}", *_created(*(f"{name}" * 50 for name in range(20)))))
    content = path.read_bytes()
    path.write_bytes(content[:8192] + b"\xff" * (len(content) - 8192))
    with pytest.raises(RecordsError, match=r"damaged"), Database(path) as database:
        Records(database).sets()


@pytest.mark.parametrize("dangling", [False, True])
def test_a_symbolic_link_is_refused(tmp_path: Path, path: Path, dangling: bool) -> None:
    target = tmp_path / "target.db"
    if not dangling:
        Database(target).close()
    path.symlink_to(target)
    with pytest.raises(RecordsError, match="are a symbolic link"):
        Database(path)
    assert target.exists() is not dangling


def test_other_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match="no regular file"):
        Database(tmp_path)
    with pytest.raises(RecordsError, match="No such file or directory"):
        Database(tmp_path / "missing/records.db")


def test_a_locked_database(path: Path) -> None:
    with Database(path, busy_seconds=0.05) as database, closing(sqlite3.connect(path, isolation_level=None)) as other:
        records = Records(database)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(RecordsError, match="are locked by another process") as caught:
            records.add_set(_set("run"))
        assert caught.value.hint
        assert records.sets() == []  # reading needs no lock
        other.execute("ROLLBACK")
        records.add_set(_set("run"))


def test_a_full_database(database: Database, records: Records) -> None:
    """The engine's own limit on pages stands for the file system's: the error is the same."""

    def fill() -> None:
        with database.writing() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
            connection.exec_driver_sql("INSERT INTO meta VALUES ('filler', ?)", ("x" * 1_000_000,))

    with pytest.raises(RecordsError, match="no space is left"):
        fill()
    assert records.sets() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_full_file_system(tmp_path: Path) -> None:
    """Whoever opens the database then needs space for the files beside it, which SQLite calls an input/output error."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], check=True)
    try:
        path = place / "records.db"
        with Database(path) as database:
            Records(database).add_set(_set("run"))
        with contextlib.suppress(OSError), (place / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(b"x" * 4096)
        with pytest.raises(RecordsError, match="no space is left"), Database(path) as database:
            Records(database).add_set(_set("another"))
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_file_that_vanished_is_not_made_anew(records: Records, path: Path) -> None:
    path.unlink()
    with pytest.raises(RecordsError, match="cannot be opened"):
        records.sets()
    assert not path.exists()


def test_a_file_that_was_replaced_is_noticed(records: Records, path: Path, tmp_path: Path) -> None:
    Database(tmp_path / "other.db").close()
    (tmp_path / "other.db").replace(path)
    with pytest.raises(RecordsError, match="were replaced by another file"):
        records.add_set(_set("run"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written(path: Path) -> None:
    _may_not_be_written(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="as root the question is asked in a child that is not")
def test_a_directory_that_may_not_be_written_as_root(path: Path) -> None:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for above in path.parents[:3]:
                above.chmod(0o755)
            os.chown(path.parent, 65534, 65534)
            os.setgid(65534)
            os.setuid(65534)
            _may_not_be_written(path)
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


def _may_not_be_written(path: Path) -> None:
    with Database(path) as database:
        Records(database).add_set(_set("run"))
    path.parent.chmod(0o500)
    try:
        with pytest.raises(RecordsError, match="cannot be") as caught, Database(path) as database:
            Records(database).add_set(_set("another"))
        with pytest.raises(RecordsError, match="cannot be opened: Permission denied"):
            Database(path.with_name("new.db"))
    finally:
        path.parent.chmod(0o700)
    assert "mode" in caught.value.hint
    with Database(path) as database:
        assert _ids(Records(database).sets()) == ["run"]
