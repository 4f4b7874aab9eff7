"""What a run counts as, and that no text from outside makes a series."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.audit import records as audit_records
from orchestrator.cli.catalogue import MANIFEST_RULE, entries
from orchestrator.metrics import CATALOGUE, OTHER, Metrics
from orchestrator.metrics import catalogue as c
from orchestrator.metrics.catalogue import Metric
from orchestrator.metrics.rules import RULES
from orchestrator.metrics.tally import Series, Tally
from orchestrator.policy import default_policy_dir
from orchestrator.results.model import RunResult, Status, Timings, Usage
from orchestrator.validation.finding import Finding
from orchestrator.vault.changes import Change
from tests.support.exposed import RAN

CHANGE = Change("created", "a.md")
LANDED = replace(RAN, changes=(CHANGE, CHANGE), committed=True)


def told(metrics: Metrics, metric: Metric) -> Series:
    return next(each for each in metrics.series() if each.metric is metric)


def value(metrics: Metrics, metric: Metric, *labels: str) -> float:
    return told(metrics, metric).values[labels]


def count(metrics: Metrics, metric: Metric, *labels: str) -> int:
    return sum(told(metrics, metric).distributions[labels].counts)


def observed(*results: RunResult, skills: int = 0) -> Metrics:
    metrics = Metrics(skills=skills)
    for result in results:
        metrics.observe(result)
    return metrics


@pytest.mark.parametrize("status", Status)
def test_each_status_counts_once(status: Status) -> None:
    found = told(observed(replace(RAN, status=status)), c.RUNS).values
    assert found[status.value, "strict"] == 1
    assert sum(found.values()) == 1
    assert len(found) == (len(Status) + 1) * len(c.LEVELS)


def test_one_that_broke_off_counts_too() -> None:
    metrics = observed(RAN, skills=1)
    metrics.broke_off("tidy", "strict")
    metrics.broke_off("tidy", 'x"} 1\n')
    assert value(metrics, c.RUNS, "raised", "strict") == value(metrics, c.RUNS, "raised", OTHER) == 1
    assert value(metrics, c.SKILL_RUNS, "tidy", "raised") == 2
    assert c.RAISED == audit_records.RAISED, "one word for it"
    assert {count(metrics, c.STAGE_SECONDS, stage) for stage in ("validate", "lease", "run")} == {1}


def test_recorded_results_are_counted_apart() -> None:
    metrics = observed(RAN, replace(RAN, cached=True, level="relaxed"))
    assert told(metrics, c.RUNS_CACHED).values == {(level,): float(level == "relaxed") for level in c.LEVELS}
    assert sum(told(metrics, c.RUNS).values.values()) == 2


def test_a_run_without_a_sandbox_has_no_stages_but_validation() -> None:
    denied = replace(RAN, status=Status.DENIED, timings=Timings(validate=0.001, total=0.001), usage=Usage())
    metrics = observed(denied)
    counts = {stage: count(metrics, c.STAGE_SECONDS, stage) for stage in c.STAGES}
    assert counts == {"validate": 1, "lease": 0, "run": 0, "commit": 0}
    assert count(metrics, c.RUN_SECONDS, "strict", "cold") == 0
    assert count(metrics, c.MEMORY_PEAK) == 0


def test_stages_usage_and_start() -> None:
    metrics = observed(RAN, LANDED, replace(RAN, warm=False))
    counts = {stage: count(metrics, c.STAGE_SECONDS, stage) for stage in c.STAGES}
    assert counts == {"validate": 3, "lease": 3, "run": 3, "commit": 1}
    assert count(metrics, c.RUN_SECONDS, "strict", "warm") == 2
    assert count(metrics, c.RUN_SECONDS, "strict", "cold") == 1
    assert value(metrics, c.CPU_SECONDS, "user") == 1.5
    assert value(metrics, c.CPU_SECONDS, "system") == 0.75
    assert count(metrics, c.MEMORY_PEAK) == 3


@pytest.mark.parametrize(("seconds", "edge"), [(0.0, 0), (0.001, 0), (0.0011, 1), (120.0, 15), (121.0, 16)])
def test_a_value_falls_into_its_bucket(seconds: float, edge: int) -> None:
    metrics = observed(replace(RAN, timings=replace(RAN.timings, validate=seconds)))
    counts = told(metrics, c.STAGE_SECONDS).distributions["validate",].counts
    assert [place for place, found in enumerate(counts) if found] == [edge]
    assert len(counts) == len(c.SECONDS) + 1


def test_the_vault() -> None:
    conflict = replace(RAN, status=Status.CONFLICT, changes=(CHANGE,), attempts=3)
    results = (
        LANDED,
        replace(LANDED, attempts=2),  # the second attempt landed
        conflict,
        replace(conflict, attempts=1, review="r"),
        replace(RAN, status=Status.HELD, changes=(CHANGE,), review="r"),
        replace(RAN, changes=(CHANGE,)),  # a dry run
    )
    metrics = observed(*results)
    found = [value(metrics, each) for each in (c.COMMITS, c.CHANGES, c.CONFLICTS, c.HELD)]
    assert found == [2, 4, 1 + 3 + 1, 2]


def test_rules_count_once_a_run() -> None:
    violations = (Finding("ORC101", "os", "x"), Finding("ORC101", "sys", "x"), Finding("POL201", "", ""))
    metrics = observed(replace(RAN, violations=violations, warnings=violations[:1], would_deny=violations[2:]))
    found = {labels: n for labels, n in told(metrics, c.VIOLATIONS).values.items() if n}
    assert found == {("ORC101",): 1, ("POL201",): 1}
    assert told(metrics, c.WARNINGS).values == {("ORC101",): 1}
    assert told(metrics, c.WOULD_DENY).values == {("POL201",): 1}


# Nothing from outside becomes a label


def test_what_is_not_known_is_other() -> None:
    hostile = 'x"} 1\n# HELP \x1b[2J'
    results = [
        replace(
            RAN, level=f"{hostile}{n}", skill=f"{hostile}{n}@1",
            violations=(Finding(f"{hostile}{n}", "", ""),), warnings=(Finding(f"ORC{n}x", "", ""),),
        )
        for n in range(1000)
    ]  # fmt: skip
    metrics = observed(*results)
    assert value(metrics, c.RUNS, "succeeded", OTHER) == 1000
    assert value(metrics, c.VIOLATIONS, OTHER) == 1000
    assert told(metrics, c.WARNINGS).values == {(OTHER,): 1000}
    assert told(metrics, c.SKILL_RUNS).values == {}
    series = sum(len(each.values) + len(each.distributions) for each in metrics.series())
    assert series == sum(len(each.values) + len(each.distributions) for each in observed(RAN).series()) + 1


def test_skills_are_bounded_in_number() -> None:
    results = [replace(RAN, skill=f"skill-{n}@{n}.0.0") for n in (0, 1, 2, 3, 0)]
    found = told(observed(*results, skills=2), c.SKILL_RUNS).values
    assert found == {("skill-0", "succeeded"): 2, ("skill-1", "succeeded"): 1, (OTHER, "succeeded"): 2}


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, -1.0, 1e300])
def test_figures_beyond_reason_are_not_counted(wrong: float) -> None:
    """A sandbox measures its own usage."""
    usage = replace(RAN.usage, user_cpu_seconds=wrong, memory_peak_bytes=wrong)  # type: ignore[arg-type]
    metrics = observed(replace(RAN, usage=usage, timings=replace(RAN.timings, lease=wrong)), RAN)
    assert value(metrics, c.CPU_SECONDS, "user") == 0.5
    assert count(metrics, c.MEMORY_PEAK) == 1
    assert told(metrics, c.STAGE_SECONDS).distributions["lease",].sum == 0.002


def test_the_known_rules_are_those_of_the_catalogue() -> None:
    assert set(entries()) - {MANIFEST_RULE} == RULES  # a manifest's problems raise: they never are a run's findings


def test_the_known_levels_are_those_that_ship() -> None:
    assert {path.stem for path in default_policy_dir().glob("*.toml")} == set(c.LEVELS) - {OTHER}


def test_names_follow_prometheus() -> None:
    names = [metric.name for metric in (*CATALOGUE, *c.RECORDED)]
    assert len(set(names)) == len(names)
    assert all(metric.name.startswith("skill_orchestrator_") and metric.help.endswith(".") for metric in CATALOGUE)
    assert all(metric.name.endswith(("_seconds", "_bytes")) for metric in CATALOGUE if metric.kind == "histogram")
    with pytest.raises(ValueError, match="ends in _total"):
        Metric("skill_orchestrator_x", "counter", "X.")


# Threads, forks, imports


class _Guarded(Tally):
    """Says when it is touched by who does not hold the lock."""

    lock: threading.Lock

    def add(self, metric: Metric, *labels: str, amount: float = 1.0) -> None:
        assert self.lock.locked()
        super().add(metric, *labels, amount=amount)

    def put(self, metric: Metric, value: float, *labels: str) -> None:
        assert self.lock.locked()
        super().put(metric, value, *labels)

    def series(self) -> list[Series]:
        assert self.lock.locked()
        return super().series()


def test_counts_are_touched_under_the_lock_alone() -> None:
    metrics = Metrics(skills=1)
    guarded = _Guarded(CATALOGUE)
    guarded.lock, metrics._tally = metrics._lock, guarded
    metrics.observe(replace(LANDED, warnings=(Finding("ORC101", "", ""),)))
    assert value(metrics, c.COMMITS) == 1
    assert not metrics._lock.locked()


def test_sources_are_asked_without_the_lock() -> None:
    """One that waits (for a database, for the pool) must hold up no run."""
    metrics = Metrics()
    metrics.reviews(lambda: int(metrics._lock.locked()))
    assert value(metrics, c.REVIEWS) == 0


def test_a_fork_under_the_lock_can_count() -> None:
    metrics = Metrics()
    with metrics._lock:
        child = os.fork()
        if child == 0:
            signal.alarm(10)  # ends a child that waits
            metrics.observe(RAN)  # would wait for ever on the parent's lock
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def loaded(code: str) -> list[str]:
    code += (
        "; import json, sys; print(json.dumps([n for n in ('prometheus_client', 'http.server') if n in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


def test_nothing_of_prometheus_is_imported_before_somebody_asks() -> None:
    assert loaded("from orchestrator.metrics import Metrics; m = Metrics(); m.series()") == []
    assert loaded("from orchestrator.metrics import Metrics; Metrics().text()") == ["prometheus_client", "http.server"]


def test_a_result_of_any_kind_is_counted() -> None:
    odd: Any = replace(LANDED, level="", skill="", attempts=0, changes=(CHANGE,) * 5)
    assert value(observed(odd, skills=1), c.COMMITS) == 1
