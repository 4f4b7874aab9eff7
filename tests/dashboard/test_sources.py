"""From the registry, the reviews, the trail, the pool and the engine to rows; and what a source that fails leaves."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.alerts import Alert
from orchestrator.alerts.journal import Case, Journal
from orchestrator.alerts.model import AlertKind, Notice, document
from orchestrator.dashboard.facts import AlertRow, PoolRow, RunRow, SkillRow, TroubleRow
from orchestrator.dashboard.sources import (
    MAX_SKILLS,
    Sources,
    container_rows,
    gather,
    review_rows,
    skill_rows,
    sources_of,
    trouble,
)
from orchestrator.errors import EngineUnavailable
from orchestrator.manifest import load_manifest
from orchestrator.outputs.known import KnownValues
from orchestrator.outputs.secrets import Detector
from orchestrator.records import Database, Records, Review
from orchestrator.registry import Registry
from orchestrator.registry.health import Health
from orchestrator.registry.model import KnownSkill, RegisteredSkill, Standing
from orchestrator.registry.statistics import Statistics
from orchestrator.results.model import RunResult, Status, Timings, Usage
from orchestrator.sandbox.engine import ContainerRow
from orchestrator.sandbox.options import LABEL_INSTANCE
from orchestrator.testing import FakeEngine
from tests.records.conftest import database, where  # noqa: F401 - the fixtures: both databases

VAULT = "/v"


def known(
    name: str, *, code: str = "c", condition: Any = "healthy", last_at: float = 1.0, **statuses: int
) -> KnownSkill:
    statistics = Statistics(statuses, ran=sum(statuses.values()), last_at=last_at)
    return KnownSkill(Standing(name, "1.0.0", code, Health(condition=condition, why="it failed"), statistics), None)


def review(**given: Any) -> Review:
    facts: dict[str, Any] = {
        "id": "0123456789ab", "run_id": "f" * 16, "kind": "changes", "reasons": ("it deletes 1",), "digest": "d" * 64,
        "code_sha256": "c" * 64, "manifest_digest": "e" * 64, "manifest": {"name": "tidy", "version": "1.0.0"},
        "created_at": 1e9, "expires_at": 2e9, "vault": VAULT,
    }  # fmt: skip
    return Review(**facts | given)


def test_skills_by_what_ran_last_and_versions_with_several_codes_once() -> None:
    rows = skill_rows([
        known("old", last_at=1.0, succeeded=3, failed=1),
        known("two", code="a", last_at=2.0, succeeded=1),
        known("two", code="b", last_at=9.0, failed=2, condition="failing"),
    ])  # fmt: skip
    assert rows == [
        SkillRow("two@1.0.0", 3, 0.0, 9.0, 2, "failing"),
        SkillRow("old@1.0.0", 4, 0.75, 1.0, 1, "healthy"),
    ]


def test_a_disabled_skill_says_so() -> None:
    each = known("tidy")
    registered = RegisteredSkill("tidy", "1.0.0", "d", "c", "", (), 1.0, "", disabled=True)
    assert skill_rows([KnownSkill(each.standing, registered)])[0].state == "disabled"


def test_what_fails_again_and_again_is_in_trouble() -> None:
    found = trouble(
        [known("good"), known("bad", condition="quarantined"), known("worse", condition="failing", last_at=5)]
    )
    assert found == [
        TroubleRow("worse@1.0.0", "failing", "it failed", 5), TroubleRow("bad@1.0.0", "quarantined", "it failed", 1),
    ]  # fmt: skip


def test_a_source_that_fails_leaves_a_gap_that_says_why() -> None:
    def broken() -> list[PoolRow]:
        raise EngineUnavailable("nothing \x1b answers")

    facts = gather(Sources(skills=lambda: [SkillRow("tidy")], pool=broken), 1.0)
    assert facts.skills.rows == (SkillRow("tidy"),)
    assert "nothing \\x1b answers" in facts.pool.unknown


def test_a_defect_is_not_hidden() -> None:
    def broken() -> list[PoolRow]:
        raise KeyError("x")

    with pytest.raises(KeyError):
        gather(Sources(pool=broken), 1.0)


def test_rows_are_bounded_and_the_rest_counted() -> None:
    rows = [SkillRow(str(number)) for number in range(MAX_SKILLS + 7)]
    facts = gather(Sources(skills=lambda: rows), 1.0)
    assert (len(facts.skills.rows), facts.skills.more) == (MAX_SKILLS, 7)


def test_facts_are_equal_whenever_they_were_seen() -> None:
    assert gather(Sources(), 1.0) == gather(Sources(), 2.0)
    assert gather(Sources(), 1.0) != gather(Sources(runs=lambda: [RunRow("r", "s", "t", 1.0)]), 1.0)


def test_reviews_without_a_name_or_reason() -> None:
    row = review_rows([review(manifest={}, reasons=())])[0]
    assert (row.skill, row.reason) == ("?@?", "")


def test_from_the_records_of_both_databases(database: Database) -> None:  # noqa: F811
    skill = load_manifest({"manifest_version": 1, "name": "tidy", "version": "1.0.0", "code": "def main(): pass"})
    result = RunResult(
        "r1", "tidy@1.0.0", "standard", Status.FAILED, "x", usage=Usage(wall_seconds=1), timings=Timings(run=1)
    )
    Registry(database).record(skill, result)
    records = Records(database)
    records.add_review(review())
    records.add_review(review(id="b" * 12, expires_at=1e9 + 1))
    records.add_review(review(id="c" * 12, vault="/other"))
    facts = gather(sources_of(database, vault=VAULT, now=lambda: 1.5e9), 1.5e9)
    assert [(row.skill, row.runs, row.errors) for row in facts.skills.rows] == [("tidy@1.0.0", 1, 1)]
    assert [row.id for row in facts.reviews.rows] == ["0123456789ab"], "neither expired ones nor another vault's"
    assert facts.runs.rows == ()
    assert facts.troubled.rows == ()
    assert gather(sources_of(database, vault=""), 1.0).reviews.rows == ()


def test_the_last_alerts_with_how_many_were_kept_back(database: Database) -> None:  # noqa: F811
    journal = Journal(database, "5" * 16, interval_seconds=300, clock=lambda: 1e9)
    kinds: tuple[tuple[AlertKind, int], ...] = (("audit", 1), ("run_failed", 1), ("run_failed", 3))
    for kind, times in kinds:
        alert = Alert(kind, "it failed", skill="tidy@1.0.0", at=5e8)
        told = document(Notice(alert), Detector(KnownValues()))
        journal.rule(Case(alert, told, times=times))
    assert gather(sources_of(database, vault=""), 1.0).alerts.rows == (
        AlertRow("run_failed", "tidy@1.0.0", "it failed", 5e8, 3), AlertRow("audit", "tidy@1.0.0", "it failed", 5e8),
    )  # fmt: skip


class Listing(FakeEngine):
    def list(self, labels: Any) -> list[ContainerRow]:
        self.asked = dict(labels)
        return [
            ContainerRow("1", "a", "running", {LABEL_INSTANCE: "i1"}),
            ContainerRow("2", "b", "running", {LABEL_INSTANCE: "i1"}),
            ContainerRow("3", "c", "removing", {LABEL_INSTANCE: "i2"}),
        ]


def test_containers_by_orchestrator_and_only_of_this_state() -> None:
    engine = Listing()
    rows = container_rows(engine, "s" * 16)
    assert rows == [PoolRow("orchestrator i1", {"running": 2}), PoolRow("orchestrator i2", {"removing": 1})]
    assert "s" * 16 in engine.asked.values()
