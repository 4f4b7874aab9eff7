"""Quantiles within the promised error, merging without loss, and what counts as a run, an error, a success."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.registry.statistics import (
    FIRST_BUCKET,
    LARGEST,
    LAST_BUCKET,
    NOT_BEGUN,
    RELATIVE_ERROR,
    SMALLEST,
    Histogram,
    Statistics,
)
from orchestrator.results.model import Status
from tests.support.runs import result

WITHIN = RELATIVE_ERROR * (1 + 1e-9)
VALUES = st.lists(st.floats(SMALLEST, LARGEST), min_size=1, max_size=60)


def histogram(values: list[float]) -> Histogram:
    found = Histogram()
    for value in values:
        found = found.add(value)
    return found


@given(VALUES, st.floats(0, 1))
@example([SMALLEST], 0.5)
@example([LARGEST, LARGEST], 1.0)
def test_a_quantile_is_within_the_error(values: list[float], q: float) -> None:
    exact = sorted(values)[math.floor(q * (len(values) - 1))]
    found = histogram(values).quantile(q)
    assert found is not None
    assert abs(found - exact) <= WITHIN * exact


@given(VALUES, VALUES)
def test_merging_loses_nothing(a: list[float], b: list[float]) -> None:
    assert histogram(a).merge(histogram(b)) == histogram(a + b)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=50))
def test_whatever_is_measured_it_stays_bounded_and_is_json(values: list[float]) -> None:
    found = histogram(values)
    assert found.count == len(values)
    assert all(FIRST_BUCKET <= bucket <= LAST_BUCKET for bucket in found.buckets)
    assert Histogram.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False))) == found


def test_there_are_few_buckets_at_worst() -> None:
    assert LAST_BUCKET - FIRST_BUCKET + 2 < 1300
    worst = Histogram(1, dict.fromkeys(range(FIRST_BUCKET, LAST_BUCKET + 1), 10**6))
    assert len(json.dumps(worst.to_json())) < 25_000


def test_nothing_has_no_quantile() -> None:
    assert Histogram().quantile(0.5) is None
    assert histogram([0.0, -1.0, math.nan]).quantile(0.5) == 0.0


@pytest.mark.parametrize("status", Status)
def test_what_says_something_about_the_skill(status: Status) -> None:
    """Each status is a success, a failure, or says nothing."""
    rate = Statistics().add(result(status), 5.0).success_rate
    well = {Status.SUCCEEDED, Status.HELD, Status.CONFLICT}
    silent = {Status.CANCELLED, Status.SANDBOX_ERROR}
    assert rate == (1.0 if status in well else None if status in silent else 0.0)


def test_what_was_denied_before_it_began_is_told_apart() -> None:
    found = Statistics().add(result(Status.DENIED, wall=0.0, run=0.0), 1.0).add(result(Status.DENIED), 2.0)
    assert found.statuses == {NOT_BEGUN: 1, "denied": 1}
    assert (found.runs, found.ran, found.success_rate, found.last_at) == (1, 1, 0.0, 2.0)
    assert found.errors() == {"denied": 1}


def test_what_is_measured() -> None:
    found = Statistics().add(result(wall=2.0, memory=2**24), 7.0).add(result(Status.FAILED, wall=4.0), 9.0)
    assert found.wall_seconds.quantile(1.0) == pytest.approx(4.0, rel=WITHIN)
    assert found.cpu_seconds.quantile(0.0) == pytest.approx(1.0, rel=WITHIN)
    assert found.memory_bytes.quantile(1.0) == pytest.approx(2**24, rel=WITHIN)
    assert (found.last_at, found.success_rate, found.errors()) == (9.0, 0.5, {"failed": 1})


@given(st.lists(st.tuples(st.sampled_from(list(Status)), st.floats(0, 100)), max_size=20), st.integers(0, 20))
def test_statistics_merge_and_are_json(runs: list[tuple[Status, float]], cut: int) -> None:
    parts = [Statistics(), Statistics(), Statistics()]
    for index, (status, wall) in enumerate(runs):
        ended = result(status, wall=wall)
        parts[index >= cut] = parts[index >= cut].add(ended, float(index))
        parts[2] = parts[2].add(ended, float(index))
    assert parts[0].merge(parts[1]) == parts[2]
    assert Statistics.from_json(json.loads(json.dumps(parts[2].to_json()))) == parts[2]
