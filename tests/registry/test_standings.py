"""Standings that are not as they were written, and how many events are kept; on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import func, select

from orchestrator.dashboard import sources_of
from orchestrator.records import Database
from orchestrator.records.tables import SKILL_EVENTS, SKILL_STANDINGS
from orchestrator.registry import Registry
from orchestrator.registry.health import FAILURES_IN_A_ROW, UNREADABLE, Health
from orchestrator.registry.model import SkillEvent, Standing
from orchestrator.registry.standings import MOST_FOLLOWED, put_event
from orchestrator.registry.statistics import LAST_BUCKET, Histogram, Statistics
from orchestrator.results.model import Status
from tests.registry.conftest import Clock
from tests.support.runs import result, skill

TIDY = skill()
DAY = 86_400.0


def changed(value: Health | Statistics, **changes: Any) -> str:
    return json.dumps({**value.to_json(), **changes})


HEALTHS = {
    "no JSON": "{",
    "empty": "",
    "another kind": "[]",
    "deep": "[" * 200_000,
    "an unknown field": changed(Health(), more=1),
    "an unknown condition": changed(Health(), condition="odd"),
    "a list": changed(Health(), condition=[]),
    "a window of numbers": changed(Health(), window=[1]),
    "a window of other letters": changed(Health(), window="sx"),
    "a long window": changed(Health(), window="s" * 21),
    "strikes": changed(Health(), strikes="1"),
    "no time": changed(Health(), until=None),
    "no date": changed(Health(), until=1e300),
    "not a number": changed(Health(), trial_until=float("nan")),
    "why": changed(Health(), why=7),
}
COUNTED = Statistics().add(result(), 1_000_000.0)
STATISTICS = {
    "no JSON": "{",
    "another kind": "[]",
    "nothing": "{}",
    "no statuses": changed(COUNTED, statuses=None),
    "counts of text": changed(COUNTED, statuses={"succeeded": "x"}),
    "half a run": changed(COUNTED, ran=0.5),
    "less than none": changed(COUNTED, ran=-1),
    "a histogram of text": changed(COUNTED, wall_seconds={"nothing": 0, "buckets": {"1": "x"}}),
    "a histogram without buckets": changed(COUNTED, cpu_seconds={"nothing": 0}),
    "a bucket that is none": changed(COUNTED, memory_bytes={"nothing": 0, "buckets": {str(LAST_BUCKET + 1): 1}}),
    "a bucket beyond floats": changed(COUNTED, memory_bytes={"nothing": 0, "buckets": {"99999999": 1}}),
    "no date": changed(COUNTED, last_at=1e300),
    "a word": changed(COUNTED, last_at="then"),
}


def spoil(database: Database, name: str = "tidy", **columns: str) -> None:
    with database.writing() as connection:
        connection.execute(SKILL_STANDINGS.update().where(SKILL_STANDINGS.c.name == name).values(columns))


def standing(registry: Registry, name: str) -> Standing:
    [known] = registry.known(name)
    return known.standing


def test_a_health_that_cannot_be_read_begins_anew(registry: Registry, database: Database) -> None:
    for number, (what, text) in enumerate(HEALTHS.items()):
        which = skill(f"damaged-{number}")
        registry.register(which)
        registry.record(which, result())
        spoil(database, which.name, health=text)
        found = standing(registry, which.name)
        assert (found.health, found.lost) == (Health(), ("health",)), what
        assert found.statistics.runs == 1, "of the statistics nothing is lost"
        assert registry.admit(which, "next") is None
        registry.record(which, result(run_id="next"))
        found = standing(registry, which.name)
        assert (found.health.window, found.lost, found.statistics.runs) == ("s", (), 2), what
        newest, *_ = registry.history(which.name)
        assert (newest.kind, newest.detail["what"], newest.detail["run"]) == ("standing_lost", "health", "next")


def test_statistics_that_cannot_be_read_begin_anew(registry: Registry, database: Database) -> None:
    for number, (what, text) in enumerate(STATISTICS.items()):
        which = skill(f"damaged-{number}")
        registry.record(which, result(Status.FAILED))
        spoil(database, which.name, statistics=text)
        found = standing(registry, which.name)
        assert (found.statistics, found.lost) == (Statistics(), ("statistics",)), what
        assert len(sources_of(database, vault="").skills()) == number + 1
        registry.record(which, result(run_id="next"))
        found = standing(registry, which.name)
        assert found.statistics.statuses == {"succeeded": 1}, what
        assert found.health.window == "fs", "of the health nothing is lost"
        assert registry.history(which.name)[0].detail["what"] == "statistics"


def test_both_at_once(registry: Registry, database: Database) -> None:
    registry.record(TIDY, result())
    spoil(database, health="", statistics="")
    registry.record(TIDY, result())
    assert registry.history("tidy")[0].detail["what"] == "health, statistics"
    assert [each.kind for each in registry.history("tidy")] == ["standing_lost"]
    registry.record(TIDY, result())
    assert [each.kind for each in registry.history("tidy")] == ["standing_lost"], "told once"


def test_damage_ends_no_quarantine_but_for_a_trial(registry: Registry, database: Database) -> None:
    registry.register(TIDY)
    for _ in range(FAILURES_IN_A_ROW):
        registry.record(TIDY, result(Status.FAILED))
    spoil(database, health="{}x")
    [known] = registry.known()
    assert (known.standing.health.condition, known.standing.health.why) == ("quarantined", UNREADABLE)
    registry.record(TIDY, result(run_id="began before"))
    assert registry.known()[0].standing.health.condition == "quarantined"
    spoil(database, health="{}x")
    registry.give_back(TIDY, "trial")
    assert registry.admit(TIDY, "trial") is None
    refused = registry.admit(TIDY, "other")
    assert refused is not None
    assert refused.rule == "REG103"
    registry.record(TIDY, result(Status.FAILED, run_id="trial"))
    assert registry.known()[0].standing.health.strikes == 2


def test_a_person_ends_a_quarantine_that_cannot_be_read(registry: Registry, database: Database) -> None:
    registry.register(TIDY)
    for _ in range(FAILURES_IN_A_ROW):
        registry.record(TIDY, result(Status.FAILED))
    spoil(database, health="")
    registry.enable("tidy@1.0.0", by="ann")
    assert registry.known()[0].standing.health.condition == "degraded"


def test_what_was_written_can_be_read(registry: Registry, clock: Clock) -> None:
    """The control, over all that the numbers may be."""
    for at in (0.0, 1, 1e9, 2e11):
        clock.at = at
        for wall, memory in ((1e-9, 0), (1e18, 2**63), (0.0, 1)):
            registry.record(TIDY, result(wall=wall, memory=memory))
    [known] = registry.known()
    assert known.standing.lost == ()
    widest = Histogram().add(1e-9).add(1e-6).add(1e300)
    assert Histogram.from_json(json.loads(json.dumps(widest.to_json()))) == widest


# --- events ----------------------------------------------------------------------------------------------------------


def fill(database: Database, events: list[SkillEvent]) -> None:
    with database.writing() as connection:
        for each in events:
            put_event(connection, each)


def counts(database: Database) -> dict[tuple[str, str], int]:
    """How many of each skill and kind."""
    query = select(SKILL_EVENTS.c.name, SKILL_EVENTS.c.kind, func.count()).group_by(
        SKILL_EVENTS.c.name, SKILL_EVENTS.c.kind
    )
    with database.reading() as connection:
        return {(name, kind): count for name, kind, count in connection.execute(query)}


def test_what_followed_from_runs_is_forgotten_with_its_age(
    registry: Registry, database: Database, clock: Clock
) -> None:
    registry.register(TIDY)
    registry.disable("tidy@1.0.0")
    registry.enable("tidy@1.0.0")
    registry.change("tidy@1.0.0", owner="x")
    old = [
        SkillEvent("tidy", "1.0.0", clock.at, "orchestrator", kind, {})
        for kind in ("trial", "quarantined", "released", "standing_lost")
    ]
    fill(database, old)
    clock.at += 10 * DAY
    fill(database, [SkillEvent("tidy", "1.0.0", clock.at, "orchestrator", "trial", {})])
    assert registry.prune(keep_days=11) == 0
    assert registry.prune(keep_days=9) == len(old)
    kept = ("registered", "disabled", "enabled", "changed", "trial")
    assert counts(database) == {("tidy", kind): 1 for kind in kept}


def test_of_each_skill_only_so_much_is_kept(registry: Registry, database: Database, clock: Clock) -> None:
    registry.register(TIDY)
    trial = SkillEvent("tidy", "1.0.0", clock.at, "orchestrator", "trial", {})
    other = SkillEvent("tidy", "1.0.1", clock.at, "orchestrator", "trial", {})
    fill(database, [trial] * 3 + [SkillEvent("tidy", "1.0.0", clock.at, "orchestrator", "released", {})])
    fill(database, [trial] * (MOST_FOLLOWED - 1) + [other] * 5)
    assert registry.prune(keep_days=1) == 3, "the oldest"
    assert counts(database) == {
        ("tidy", "registered"): 1,
        ("tidy", "released"): 1,
        ("tidy", "trial"): MOST_FOLLOWED - 1 + 5,
    }


def test_pruning_lets_others_write_and_stops_when_asked(registry: Registry, database: Database, clock: Clock) -> None:
    fill(database, [SkillEvent("tidy", "1.0.0", clock.at, "orchestrator", "trial", {})] * 600)
    clock.at += DAY
    rested: list[float] = []

    def rest(seconds: float) -> bool:
        with database.writing():  # it can be had meanwhile
            rested.append(seconds)
        return True

    halfway: Callable[[float], bool] = rest
    assert registry.prune(keep_days=0.5, rest=halfway) == 500
    assert registry.prune(keep_days=0.5) == 100
    assert len(rested) == 1
    assert counts(database) == {}
