"""Databases of every earlier version become what a new one is, with all they held; what fails changes nothing."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, select

from orchestrator.records import Database, Records, RecordsError, ReviewEdit, ReviewNote
from orchestrator.records.migrations import configuration
from orchestrator.records.tables import META, METADATA, VERSION, VERSION_KEY
from orchestrator.records.versions import ALEMBIC, revision
from tests.records.conftest import Where
from tests.records.test_store import _in_threads
from tests.support.postgres import PostgresOfTests

DATA = Path(__file__).parent / "data"
OLD = (1, 2)  # versions before Alembic: SQLite files that are out there


def old_file(path: Path, version: int) -> Path:
    path.touch(mode=0o600)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA journal_mode = WAL")
        for each in range(1, version + 1):
            raw.executescript((DATA / f"version-{each}.sql").read_text())
    return path


def step_to(where: Where, version: int) -> None:
    """In an empty database."""
    with Database(where, any_version=True) as database, database._backend.upgrading() as connection:
        command.upgrade(configuration(connection), revision(version))
        connection.execute(META.insert().values(key=VERSION_KEY, value=str(version)))


@pytest.fixture(params=["sqlite", "postgresql"])
def stepwise(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[int], Where]]:
    """``stepwise(version)``: a database that the steps brought to that version, from nothing; none is like it."""
    made: list[str] = []

    def make(version: int) -> Where:
        where: Where
        if request.param == "postgresql":
            server: PostgresOfTests = request.getfixturevalue("postgres")
            made.append(server.create("template0"))
            where = server.url(made[-1])
        else:
            where = old_file(tmp_path / f"{version}.db", 0)
        step_to(where, version)
        return where

    yield make
    for name in made:
        request.getfixturevalue("postgres").drop(name)


def schema(connection: Connection) -> dict[str, Any]:
    """All that the database says about its tables."""
    found = inspect(connection)
    return {
        table: {
            "columns": [{**column, "type": repr(column["type"])} for column in found.get_columns(table)],
            "key": found.get_pk_constraint(table),
            "foreign": found.get_foreign_keys(table),
            "indexes": sorted(found.get_indexes(table), key=str),
            "unique": found.get_unique_constraints(table),
            "checks": found.get_check_constraints(table),
        }
        for table in found.get_table_names()
    }


def differences(connection: Connection) -> list[Any]:
    """What would have to be done to make the database what ``tables`` says."""
    return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), METADATA))


def test_the_steps_lead_to_this_version() -> None:
    """Each from the one before, numbered without a gap."""
    scripts = ScriptDirectory.from_config(configuration(None))  # type: ignore[arg-type]  # nothing connects
    steps = [(script.revision, script.down_revision) for script in scripts.walk_revisions()][::-1]
    numbers = [None, *(revision(version) for version in range(1, VERSION + 1))]
    assert steps == list(zip(numbers[1:], numbers, strict=False))


def test_a_new_database_is_what_the_tables_say(database: Database) -> None:
    with database.reading() as connection:
        assert differences(connection) == []
        assert connection.scalar(select(ALEMBIC.c.version_num)) == revision(VERSION)
    with database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE meta ADD COLUMN more INTEGER")
        assert differences(connection), "the comparison sees a difference where there is one"


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_the_steps_make_what_a_new_database_is(
    stepwise: Callable[[int], Where], database: Database, version: int
) -> None:
    with Database(stepwise(version), any_version=True) as older:
        assert (older.upgrade().before, older.version()) == (version, VERSION)
        with older.reading() as connection:
            assert differences(connection) == []
            steps = schema(connection)
        if older.dialect != database.dialect:
            return
    with database.reading() as connection:
        assert steps == schema(connection)


@pytest.mark.parametrize("version", OLD)
def test_an_old_file_is_upgraded_at_the_start(tmp_path: Path, version: int) -> None:
    path = old_file(tmp_path / "records.db", version)
    for _ in range(2):
        with Database(path) as database:
            _holds_what_it_held(database, edited=version > 1)
            assert database.version() == VERSION
            with database.reading() as connection:
                assert differences(connection) == []
    copies = [file for file in tmp_path.iterdir() if file != path]
    if version == VERSION:
        assert copies == []
        return
    (copy,) = copies
    assert (copy.name, stat.S_IMODE(copy.stat().st_mode)) == (f"records.db.version-{version}", 0o600)
    with closing(sqlite3.connect(copy)) as raw:
        assert _version(raw) == str(version)
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert raw.execute("SELECT path FROM changes").fetchall() == [("Inbox/a.md",)]


def _holds_what_it_held(database: Database, *, edited: bool) -> None:
    records = Records(database)
    (stored,) = records.sets()
    assert (stored.run_id, stored.state, stored.changes[0].before_mtime_ns) == ("run", "held", 1700000000123456789)
    (review,) = records.reviews()
    assert (review.id, review.reasons, review.manifest) == ("r1", ("why",), {"name": "tidy"})
    shot = records.snapshot("s1")
    assert shot is not None
    assert (shot.label, shot.entries[0].sha256) == ("before", "aa")
    assert records.edits("r1") == ([ReviewEdit("r1", 1.75, "ann", "d", "d0")] if edited else [])
    assert records.note_of("r1") == (ReviewNote("r1", "Needs_Action/r1.md", "ff") if edited else None)


def _version(raw: sqlite3.Connection) -> str:
    return str(raw.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()[0])


def test_several_start_on_an_old_file_at_once(tmp_path: Path) -> None:
    path = old_file(tmp_path / "records.db", 1)
    barrier = threading.Barrier(6)
    failed: list[BaseException] = []

    def start() -> None:
        barrier.wait(30)
        try:
            with Database(path) as database:
                _holds_what_it_held(database, edited=False)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            failed.append(error)

    _in_threads(*[start] * 6)
    assert failed == []
    with Database(path) as database, database.reading() as connection:
        assert differences(connection) == []


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = old_file(tmp_path / "records.db", 1)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE review_notes (of_another_program)")  # the second table that the step makes
    with pytest.raises(RecordsError) as caught:
        Database(path)
    assert caught.value.hint
    with closing(sqlite3.connect(path)) as raw:
        assert _version(raw) == "1"
        tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert not tables & {"review_edits", "alembic_version"}
        raw.execute("DROP TABLE review_notes")
    with Database(path) as database:
        _holds_what_it_held(database, edited=False)


def test_rows_that_belong_to_nothing_stop_an_upgrade(tmp_path: Path) -> None:
    path = old_file(tmp_path / "records.db", 1)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("DELETE FROM change_sets")
        raw.commit()
    with pytest.raises(RecordsError, match="changes has rows that belong to none of change_sets"):
        Database(path)
    with closing(sqlite3.connect(path)) as raw:
        assert _version(raw) == "1"


def test_two_marks_that_differ(tmp_path: Path) -> None:
    path = old_file(tmp_path / "records.db", 1)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        raw.execute("INSERT INTO alembic_version VALUES ('0002')")
        raw.commit()
    with pytest.raises(RecordsError, match="of version 1, and that they are of 0002"):
        Database(path)


def test_an_empty_postgresql_gets_its_tables_only_when_asked(postgres: PostgresOfTests) -> None:
    url = postgres.url(name := postgres.create("template0"))
    with pytest.raises(RecordsError, match="do not have their tables") as caught:
        Database(url)
    assert "orchestrator db upgrade" in caught.value.hint
    with Database(url, any_version=True) as database:
        assert (database.upgrade().before, database.upgrade().before) == (None, VERSION)
    Database(url).close()
    postgres.drop(name)


def test_postgresql_is_upgraded_only_when_asked(postgres: PostgresOfTests) -> None:
    url = postgres.url(name := postgres.create("template0"))
    step_to(url, 1)
    with pytest.raises(RecordsError, match="are of version 1; this release needs version") as caught:
        Database(url)
    assert "orchestrator db upgrade" in caught.value.hint
    with Database(url, any_version=True) as database:
        assert database.upgrade().before == 1
    Database(url).close()
    postgres.drop(name)


def test_a_later_release_is_left_alone(database: Database, where: Where) -> None:
    with database.writing() as connection:
        connection.execute(META.update().where(META.c.key == VERSION_KEY).values(value=str(VERSION + 1)))
    with pytest.raises(RecordsError, match="knows versions up to"):
        Database(where)
    with Database(where, any_version=True) as later, pytest.raises(RecordsError, match="knows versions up to"):
        later.upgrade()
