"""``orchestrator db ...`` and what a start says about a database that it cannot use, on both databases."""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from typer.testing import CliRunner, Result

from orchestrator.cli.app import app
from orchestrator.cli.desk import desk
from orchestrator.outputs.known import known_values
from orchestrator.records import Database, Records
from orchestrator.records.tables import VERSION
from orchestrator.settings import Settings
from tests.records.conftest import Where, as_argument, where  # noqa: F401 - the fixture
from tests.records.test_migrations import old_file, step_to
from tests.records.test_store import _created, _set
from tests.support.postgres import PASSWORD, PostgresOfTests

Call = Callable[..., Result]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    return directory


@pytest.fixture
def place(where: Where, state: Path) -> Where:  # noqa: F811 - the fixture
    """Where the records are: the state directory's own file, or a database of PostgreSQL."""
    return where if isinstance(where, SecretStr) else state / "records.db"


@pytest.fixture
def call(state: Path, place: Where) -> Call:
    url = as_argument(place) if isinstance(place, SecretStr) else ""

    def call(*arguments: str | Path, database: str = url) -> Result:
        env = {"ORCHESTRATOR_STATE_DIR": str(state), "ORCHESTRATOR_DATABASE": database, "COLUMNS": "200"}
        return CliRunner().invoke(app, [str(each) for each in arguments], env=env)

    return call


def answer(call: Call, *arguments: str | Path) -> dict[str, object]:
    result = call("db", *arguments, "-o", "json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert isinstance(document, dict)
    return document


def test_status(call: Call, place: Where) -> None:
    with Database(place) as database:
        Records(database).add_set(_set("run", *_created("a", "b")))
        dialect = database.dialect
    found = answer(call, "status")
    assert (found["dialect"], found["version"], found["needed_version"]) == (dialect, VERSION, VERSION)
    assert isinstance(found["rows"], dict)
    assert (found["rows"]["change_sets"], found["rows"]["changes"]) == (1, 2)
    assert "rows of changes" in call("db", "status").stdout


def test_looking_makes_nothing(state: Path) -> None:
    for verb in ("status", "vacuum", "prune"):
        env = {"ORCHESTRATOR_STATE_DIR": str(state)}
        result = CliRunner().invoke(app, ["db", verb], env=env)
        assert (result.exit_code, result.stdout) == (0, "there are no records yet\n")
    assert list(state.iterdir()) == []


def test_upgrade_and_vacuum(call: Call) -> None:
    assert answer(call, "upgrade") == {"before": VERSION, "after": VERSION, "backup": None}
    assert "already" in call("db", "upgrade").stdout
    assert set(answer(call, "vacuum")) == {"bytes_before", "bytes_after"}
    assert "bytes now" in call("db", "vacuum").stdout


def test_an_old_file_is_upgraded_with_a_copy(state: Path) -> None:
    old_file(state / "records.db", 1)
    env = {"ORCHESTRATOR_STATE_DIR": str(state), "COLUMNS": "500"}
    look = CliRunner().invoke(app, ["db", "status", "-o", "json"], env=env)
    assert json.loads(look.stdout)["version"] == 1, "looking changes nothing"
    done = CliRunner().invoke(app, ["db", "upgrade"], env=env)
    copy = state / "records.db.version-1"
    assert done.stdout == f"upgraded from version 1 to {VERSION}\nwhat it was before: {copy}\n"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_a_start_on_an_old_postgresql_says_what_to_do(postgres: PostgresOfTests, tmp_path: Path) -> None:
    name = postgres.create("template0")
    step_to(postgres.url(name), 1)
    (tmp_path / "notes").mkdir()
    env = {
        "ORCHESTRATOR_STATE_DIR": str(tmp_path / "state"),
        "ORCHESTRATOR_DATABASE": postgres.url(name, password=PASSWORD).get_secret_value(),
        "COLUMNS": "500",
    }
    refused = CliRunner().invoke(app, ["--debug", "history", "--vault", str(tmp_path / "notes")], env=env)
    assert refused.exit_code == 6
    assert f"this release needs version {VERSION}" in refused.stderr
    assert "orchestrator db upgrade" in refused.stderr
    assert PASSWORD not in refused.stderr + refused.stdout
    done = CliRunner().invoke(app, ["db", "upgrade"], env=env)
    assert done.stdout == f"upgraded from version 1 to {VERSION}\n"
    assert CliRunner().invoke(app, ["history", "--vault", str(tmp_path / "notes")], env=env).exit_code == 0
    postgres.drop(name)


def test_a_broken_database_is_told(call: Call, state: Path, place: Where) -> None:
    if isinstance(place, SecretStr):
        result = call("db", "status", database="postgresql://u:wr0ng-secret@127.0.0.1:1/x")
        assert "cannot be reached" in result.stderr
    else:
        (state / "records.db").write_bytes(b"garbage" * 1000)
        result = call("db", "status")
        assert "are not a database" in result.stderr
    assert result.exit_code == 6
    assert "what to do" in result.stderr
    assert "wr0ng-secret" not in result.stderr


# --- pruning ---------------------------------------------------------------------------------------------------------


def test_prune_forgets_what_is_old(call: Call, place: Where, tmp_path: Path) -> None:
    vault = tmp_path / "notes"
    vault.mkdir()
    with Database(place) as database:
        records = Records(database)
        records.add_set(replace(_set("old", *_created("a")), vault=str(vault)))
        records.add_set(replace(_set("waits", state="held"), vault=str(vault)))
    assert call("history", "--vault", vault).exit_code == 0  # so that this day's pruning was done
    with Database(place) as database:
        Records(database).add_set(replace(_set("old too", *_created("a")), vault=str(vault)))
    assert answer(call, "prune", "--vault", vault) == {"rows": {"change_sets": 1, "changes": 1}, "content_bytes": 0}
    with Database(place) as database:
        assert [stored.run_id for stored in Records(database).sets()] == ["waits"]
    assert "nothing was too old" in call("db", "prune", "--vault", vault).stdout


def test_without_a_vault_the_records_alone(call: Call, place: Where) -> None:
    with Database(place) as database:
        Records(database).add_set(_set("old", *_created("a")))
    assert answer(call, "prune") == {"rows": {"change_sets": 1, "changes": 1}, "content_bytes": 0}
    assert "only the records" in call("db", "prune").stderr


def test_a_start_prunes_once_a_day(place: Where, state: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    database = place if isinstance(place, SecretStr) else SecretStr("")
    settings = Settings(vault=tmp_path / "notes", state_dir=state, database=database)
    with desk(settings) as opened:
        records = opened.history.records
        records.add_set(_set("old"))
    with desk(settings) as opened:
        assert len(opened.history.records.sets()) == 1, "this day it was done already"
    with Database(place) as raw, raw.writing() as connection:
        connection.exec_driver_sql("UPDATE meta SET value = '1.5' WHERE key LIKE 'pruned/%%'")
    with desk(settings) as opened:
        assert opened.history.records.sets() == []


# --- the setting -----------------------------------------------------------------------------------------------------


def test_the_setting_is_secret(tmp_path: Path) -> None:
    settings = Settings(database=SecretStr(f"postgresql://ann:{PASSWORD}@db/notes"), state_dir=tmp_path)
    assert PASSWORD not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    known = known_values(settings)
    assert known.find(f"see {PASSWORD}".encode()), "no output may hold it"
    for wrong in ("mysql://ann:wr0ng-secret@db/x", "wr0ng-secret", "sqlite:///x.db", "postgresql://wr0ng-secret@[x"):
        with pytest.raises(ValidationError) as caught:
            Settings(database=SecretStr(wrong), state_dir=tmp_path)
        assert "wr0ng-secret" not in str(caught.value)
        assert "postgresql+psycopg" in str(caught.value)


def test_the_database_named_is_the_one_used(state: Path) -> None:
    with Database.of(Settings(state_dir=state)) as database:
        assert database.dialect == "sqlite"
    with closing(sqlite3.connect(state / "records.db")) as raw:
        assert raw.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone() == (str(VERSION),)
