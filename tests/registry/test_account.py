"""What people do to the registry and to sessions, in the audit trail: with the change or not at all. Both databases."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from orchestrator.audit.query import Reader
from orchestrator.audit.trail import AuditTrail
from orchestrator.errors import RegistryError, SessionError
from orchestrator.records import Database, RecordsError
from orchestrator.records.deeds import Deed
from orchestrator.records.tables import AUDIT_RECORDS, SKILL_EVENTS, SKILLS
from orchestrator.registry import Registry
from orchestrator.registry.health import COOL_DOWN_SECONDS, FAILURES_IN_A_ROW
from orchestrator.results.model import RunResult, Status
from orchestrator.sessions import Budget, Sessions, Spent
from tests.registry.conftest import Clock
from tests.support.runs import result, skill

TIDY = skill()
Told = tuple[str, str, str]  # action, by whom, skill or session


@pytest.fixture
def trail(database: Database, tmp_path: Path) -> Iterator[AuditTrail]:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with AuditTrail(database, home) as opened:
        yield opened


@pytest.fixture
def kept(database: Database, trail: AuditTrail, clock: Clock) -> Registry:
    return Registry(database, now=clock, keep=trail.keep)


def told(database: Database) -> list[Told]:
    found = Reader(database).tail(100)
    return [(each.status, each.principal, each.skill or each.session) for each in found if each.kind == "event"]


def facts(database: Database) -> Any:
    """Of the last record."""
    return Reader(database).tail(1)[0].body["facts"]


def damage(trail: AuditTrail) -> None:
    """The head is not what it was, so nothing can be added."""
    trail.event("test.first")
    with trail.database.writing() as connection:
        connection.exec_driver_sql("UPDATE audit_head SET seq = 7")


# --- the registry ----------------------------------------------------------------------------------------------------


def test_what_people_do_to_skills_is_in_the_trail(kept: Registry, database: Database) -> None:
    kept.register(TIDY, owner="ann", tags=["a"], by="root")
    assert facts(database) == {"digest": TIDY.digest, "code": TIDY.code_digest, "owner": "ann", "tags": ["a"]}
    kept.change("tidy@1.0.0", tags=["b"], by="bob")
    assert facts(database) == {"digest": TIDY.digest, "from": {"tags": ["a"]}, "to": {"tags": ["b"]}}
    kept.disable("tidy@1.0.0", reason="it lost notes", by="bob")
    assert facts(database) == {"digest": TIDY.digest, "reason": "it lost notes"}
    kept.enable("tidy@1.0.0", by="ann")
    assert facts(database) == {"digest": TIDY.digest, "lifted": [], "was_disabled": True}
    assert told(database) == [
        ("skill.registered", "root", "tidy@1.0.0"),
        ("skill.changed", "bob", "tidy@1.0.0"),
        ("skill.disabled", "bob", "tidy@1.0.0"),
        ("skill.enabled", "ann", "tidy@1.0.0"),
    ]


def test_what_changes_nothing_is_not_told(kept: Registry, database: Database) -> None:
    kept.register(TIDY, owner="ann")
    kept.register(TIDY, owner="bob")
    kept.change("tidy@1.0.0", owner="ann")
    for refused in (
        lambda: kept.register(skill(code="result = 2\n")),
        lambda: kept.disable("tidy@2.0.0"),
        lambda: kept.enable("other@1.0.0"),
        lambda: kept.change("tidy@2.0.0", owner="x"),
    ):
        with pytest.raises(RegistryError):
            refused()
    assert [action for action, _, _ in told(database)] == ["skill.registered"]
    assert kept.disable("tidy@1.0.0").disabled, "the trail goes on after a mistake"


def test_what_cannot_be_put_on_record_is_not_done(kept: Registry, trail: AuditTrail, database: Database) -> None:
    kept.register(TIDY, owner="ann")
    damage(trail)
    for change in (
        lambda: kept.register(skill("other")),
        lambda: kept.disable("tidy@1.0.0"),
        lambda: kept.change("tidy@1.0.0", owner="bob"),
        lambda: kept.enable("tidy@1.0.0"),
    ):
        with pytest.raises(RecordsError, match="head was changed"):
            change()
    row = kept.get("tidy")
    assert (row.owner, row.disabled) == ("ann", False)
    with database.reading() as connection:
        counts = [connection.scalar(select(func.count()).select_from(table)) for table in (SKILLS, SKILL_EVENTS)]
    assert counts == [1, 1]


def test_what_is_not_done_is_not_on_record(trail: AuditTrail, database: Database) -> None:
    def fails(connection: Connection) -> list[Deed]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        trail.keep(fails)
    trail.keep(lambda connection: [])
    with database.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(AUDIT_RECORDS)) == 0
    trail.keep(lambda connection: [Deed("test.one", ""), Deed("test.two", "")])
    assert [action for action, _, _ in told(database)] == ["test.one", "test.two"]
    lines = trail.anchors.path.read_bytes().splitlines()
    assert json.loads(lines[-1])["seq"] == 2, "it is on the disk, and noted outside the database, when the call returns"


def ending(trail: AuditTrail, registry: Registry) -> Callable[[RunResult], None]:
    """A run's end, as the books record it."""

    def end(ended: RunResult) -> None:
        standing = registry.record_of(TIDY, ended)
        trail.outcome(ended, also=lambda connection: [each.deed(TIDY.digest) for each in standing(connection)])

    return end


def test_quarantine_and_release_are_in_the_trail_with_the_runs_that_caused_them(
    kept: Registry, trail: AuditTrail, database: Database, clock: Clock
) -> None:
    end = ending(trail, kept)
    kept.register(TIDY)
    for number in range(FAILURES_IN_A_ROW):
        end(result(Status.FAILED, run_id=f"f{number}"))
    last = Reader(database).tail(2)
    assert [(each.kind, each.status, each.run_id) for each in last] == [
        ("outcome", "failed", "f4"),
        ("event", "skill.quarantined", "f4"),
    ]
    assert last[1].body["facts"]["why"] == "5 failed runs in a row"
    assert last[1].body["facts"]["digest"] == TIDY.digest
    clock.at += COOL_DOWN_SECONDS
    assert kept.admit(TIDY, "trial") is None
    end(result(run_id="trial"))
    end(result(run_id="after"))
    assert [action for action, _, _ in told(database)] == ["skill.registered", "skill.quarantined", "skill.released"]
    assert Reader(database).tail(1)[0].run_id == "after", "a run from which nothing follows has no event"


# --- sessions --------------------------------------------------------------------------------------------------------


def test_sessions_are_opened_and_closed_in_the_trail(trail: AuditTrail, database: Database, clock: Clock) -> None:
    sessions = Sessions(database, now=clock, keep=trail.keep)
    id = sessions.open(Budget(wall_seconds=9.5, runs=3), "nightly", by="ann").id
    assert facts(database) == {"budget": {"wall_seconds": "9.5", "runs": 3}, "label": "nightly"}
    sessions.resume(id)
    for _ in range(2):
        assert sessions.close(id, by="bob").condition == "closed"
    assert facts(database)["used"]["runs"] == Spent().runs
    assert told(database) == [("session.opened", "ann", id), ("session.closed", "bob", id)]
    with pytest.raises(SessionError):
        sessions.close("unknown")
    with pytest.raises(SessionError):
        sessions.open(Budget(runs=0))
    assert len(told(database)) == 2


def test_a_session_that_cannot_be_put_on_record_is_neither_opened_nor_closed(
    trail: AuditTrail, database: Database, clock: Clock
) -> None:
    sessions = Sessions(database, now=clock, keep=trail.keep)
    id = sessions.open(Budget(runs=3)).id
    damage(trail)
    with pytest.raises(RecordsError):
        sessions.open(Budget(runs=3))
    with pytest.raises(RecordsError):
        sessions.close(id)
    assert [(each.id, each.condition) for each in sessions.list(every=True)] == [(id, "open")]
