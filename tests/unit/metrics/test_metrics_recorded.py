"""What is told without an orchestrator: the records and the engine, counted as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.metrics import OTHER
from orchestrator.metrics import catalogue as c
from orchestrator.metrics.catalogue import Metric
from orchestrator.metrics.recorded import engine_series, pending_reviews, recorded_series
from orchestrator.metrics.tally import Series
from orchestrator.records import Database, Records, Review, SetState, StoredSet
from orchestrator.records.tables import AUDIT_RECORDS
from orchestrator.results.model import Status
from orchestrator.sandbox.options import LABEL, LABEL_INSTANCE, LABEL_STATE
from orchestrator.sandbox.ownership import Instance
from orchestrator.testing import FakeEngine

STATES: tuple[SetState, ...] = ("committed", "committed", "held")


def value(series: list[Series], metric: Metric, *labels: str) -> float:
    return next(each for each in series if each.metric is metric).values[labels]


def audited(number: int, kind: str, status: str) -> dict[str, object]:
    row: dict[str, object] = {column.name: "" for column in AUDIT_RECORDS.c}
    return row | {"seq": number, "number": number, "at_us": 0, "kind": kind, "run_id": str(number), "status": status}


def review(id: str, run_id: str, *, expires_at: float = 9e9) -> Review:
    return Review(id, run_id, "changes", (), "", "", "", {}, created_at=1.0, expires_at=expires_at)


def test_the_records_are_counted(tmp_path: Path) -> None:
    with Database(tmp_path / "records.db") as database:
        records = Records(database)
        for number, state in enumerate(STATES):
            records.add_set(StoredSet(str(number), "a@1", "", "", "strict", "/v", state, "", 1.0))
        for number in range(3):
            records.add_review(review(f"r{number}", str(number)))
        assert records.decide("r0", "rejected", by="x", at=1.0)
        outcomes = [audited(1, "intent", ""), audited(2, "outcome", "failed"), audited(3, "outcome", 'x"}\n')]
        outcomes.append(audited(5, "outcome", "raised"))
        with database.writing() as connection:
            connection.execute(AUDIT_RECORDS.insert(), [*outcomes, audited(4, "event", "failed")])
        found = recorded_series(database)
        assert pending_reviews(database) == 2
    assert value(found, c.RECORDED_SETS, "committed") == 2
    assert value(found, c.RECORDED_SETS, "held") == 1
    assert value(found, c.RECORDED_SETS, "rolled_back") == 0
    assert value(found, c.RECORDED_REVIEWS, "pending") == 2
    assert value(found, c.RECORDED_REVIEWS, "rejected") == 1
    assert value(found, c.RECORDED_RUNS, "failed") == 1
    assert value(found, c.RECORDED_RUNS, "raised") == 1
    assert value(found, c.RECORDED_RUNS, OTHER) == 1


def test_an_item_that_is_too_old_waits_for_nobody_though_nobody_marked_it(tmp_path: Path) -> None:
    with Database(tmp_path / "records.db") as database:
        for number, expires_at in enumerate((1.0, 2.0, 9e9)):
            Records(database).add_review(review(f"r{number}", str(number), expires_at=expires_at))
        assert pending_reviews(database) == 1
        found = recorded_series(database)
    assert value(found, c.RECORDED_REVIEWS, "pending") == 1
    assert value(found, c.RECORDED_REVIEWS, "expired") == 2


def test_without_records_everything_is_zero() -> None:
    found = recorded_series(None)
    assert {each.metric for each in found} == {c.RECORDED_RUNS, c.RECORDED_SETS, c.RECORDED_REVIEWS}
    assert not any(count for each in found for count in each.values.values())
    runs = next(each for each in found if each.metric is c.RECORDED_RUNS)
    assert set(runs.values) == {(status,) for status in (*Status, c.RAISED)}


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance(tmp_path)


def test_containers_are_told_by_whether_their_owner_lives(instance: Instance) -> None:
    engine = FakeEngine()
    owners = {"a": instance.id, "b": "0" * 16, "c": "1" * 16}
    for name, owner in owners.items():
        engine.create(name, {"Labels": {LABEL: "1", LABEL_STATE: instance.state_id, LABEL_INSTANCE: owner}})
    engine.create("foreign", {"Labels": {LABEL: "1", LABEL_STATE: "f" * 16, LABEL_INSTANCE: instance.id}})
    found = engine_series(engine, instance)
    instance.release()
    assert value(found, c.ENGINE_UP) == 1
    assert value(found, c.ENGINE_CONTAINERS, "alive") == 1
    assert value(found, c.ENGINE_CONTAINERS, "dead") == 2


def test_an_engine_that_does_not_answer_is_not_up(instance: Instance) -> None:
    gone = FakeEngine()
    gone.down = True
    for engine in (None, gone):
        (only,) = engine_series(engine, instance)
        assert (only.metric, only.values) == (c.ENGINE_UP, {(): 0})
    instance.release()
