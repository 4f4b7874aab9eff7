"""Outcomes that could not be stored when they came."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, text

from orchestrator.audit.query import Reader
from orchestrator.audit.trail import AuditTrail
from orchestrator.records import Database, RecordsError
from tests.audit.conftest import DETECTOR, Archive, allowed, result_of, skill_of

Also = Callable[[Connection], None]


@pytest.fixture
def faults() -> list[str]:
    return []


@pytest.fixture
def trail(archive: Archive, faults: list[str]) -> Iterator[AuditTrail]:
    """One that does not wait long for the database."""
    with (
        Database(archive.where, busy_seconds=0.05) as impatient,
        AuditTrail(impatient, archive.home, detector=DETECTOR, on_fault=faults.append) as opened,
    ):
        yield opened


def intend(trail: AuditTrail, run_id: str) -> None:
    trail.intent(run_id, skill_of(), {}, allowed(), principal="anna", image_id="sha256:1")


def counting(archive: Archive, run_id: str) -> Also:
    archive.sql("CREATE TABLE IF NOT EXISTS tally (run_id TEXT)")
    return lambda connection: _tallied(connection, run_id)


def _tallied(connection: Connection, run_id: str) -> None:
    connection.execute(text("INSERT INTO tally VALUES (:id)"), {"id": run_id})


def lose(archive: Archive, trail: AuditTrail, run_id: str, also: Also | None = None) -> None:
    """Its outcome, for somebody else writes."""
    with archive.database.writing(), pytest.raises(RecordsError, match="locked"):
        trail.outcome(result_of(run_id), also=also)


def records(archive: Archive) -> list[tuple[str, str]]:
    return [(each.run_id, each.kind) for each in archive.rows("SELECT run_id, kind FROM audit_records ORDER BY seq")]


def test_they_are_written_with_what_comes_next(archive: Archive, trail: AuditTrail) -> None:
    intend(trail, "r1")
    intend(trail, "r2")
    also = counting(archive, "r1")
    lose(archive, trail, "r1", also)
    lose(archive, trail, "r2")
    assert archive.rows("SELECT * FROM tally") == []
    intend(trail, "r3")
    assert records(archive) == [
        ("r1", "intent"), ("r2", "intent"), ("r3", "intent"), ("r1", "outcome"), ("r2", "outcome"),
    ]  # fmt: skip
    intend(trail, "r4")
    assert len(archive.rows("SELECT * FROM tally")) == 1
    assert len(records(archive)) == 6
    run = Reader(archive.database).show("r1")
    assert run is not None
    assert run.state == "succeeded"


def test_or_at_the_end(archive: Archive, trail: AuditTrail) -> None:
    intend(trail, "r1")
    lose(archive, trail, "r1")
    trail.close()
    assert records(archive) == [("r1", "intent"), ("r1", "outcome")]
    assert archive.verify().ok


def test_one_that_is_there_after_all_is_not_written_twice(archive: Archive, trail: AuditTrail) -> None:
    also = counting(archive, "r1")
    intend(trail, "r1")
    lose(archive, trail, "r1", also)
    with archive.trail() as other:
        other.outcome(result_of("r1"))
    intend(trail, "r2")
    assert records(archive) == [("r1", "intent"), ("r1", "outcome"), ("r2", "intent")]
    assert archive.rows("SELECT * FROM tally") == []


def test_what_can_never_be_stored_is_told_and_holds_nothing_up(
    archive: Archive, trail: AuditTrail, faults: list[str]
) -> None:
    def refuse(_: Connection) -> None:
        raise RecordsError("on purpose")

    for run_id in ("bad", "good"):
        intend(trail, run_id)
    with pytest.raises(RecordsError, match="on purpose"):
        trail.outcome(result_of("bad"), also=refuse)
    lose(archive, trail, "good")
    for number in range(4):
        intend(trail, f"r{number}")
    assert [each for each in records(archive) if each[1] == "outcome"] == [("good", "outcome")]
    assert len(faults) == 1
    assert "run bad cannot be stored: on purpose" in faults[0]
