"""What a run of a session gets and costs: never more than is left, whatever ran before and beside it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.results.model import RunResult, Status, Timings
from orchestrator.sandbox.spec import Limits
from orchestrator.sessions.model import Budget, SessionCondition, SessionState, Spent
from orchestrator.sessions.sharing import LEAST_SECONDS, Share, cost, share
from orchestrator.validation.finding import Finding
from tests.support.runs import not_begun, result

SECONDS = st.floats(0, 1000)
SPENT = st.builds(Spent, SECONDS, SECONDS, st.integers(0, 10), st.integers(0, 10))
BUDGET = st.builds(
    Budget,
    st.none() | st.floats(0.01, 1000),
    st.none() | st.floats(0.01, 1000),
    st.none() | st.integers(1, 10),
    st.none() | st.integers(0, 10),
)


def state(budget: Budget, used: Spent = Spent(), reserved: Spent = Spent()) -> SessionState:  # noqa: B008 - frozen
    return SessionState("s", 0.0, 0.0, "open", "", budget, used, reserved)


def refused(budget: Budget, used: Spent = Spent(), reserved: Spent = Spent()) -> str:  # noqa: B008 - frozen
    found = share(state(budget, used, reserved), Limits(), 1)
    return found.rule if isinstance(found, Finding) else ""


@given(BUDGET, SPENT, SPENT, st.floats(0.1, 600), st.floats(0.1, 600), st.integers(1, 3))
def test_a_run_never_gets_more_than_is_left(
    budget: Budget, used: Spent, reserved: Spent, wall: float, cpu: float, attempts: int
) -> None:
    now = state(budget, used, reserved)
    limits = Limits(wall_seconds=wall, cpu_seconds=cpu)
    found = share(now, limits, attempts)
    if isinstance(found, Finding):
        return
    taken = found.reserved
    assert (taken.wall_seconds, taken.cpu_seconds) == (
        found.limits.wall_seconds * attempts, found.limits.cpu_seconds * attempts,
    )  # fmt: skip
    for most, all_of_it in (
        (budget.wall_seconds, used.wall_seconds + reserved.wall_seconds + taken.wall_seconds),
        (budget.cpu_seconds, used.cpu_seconds + reserved.cpu_seconds + taken.cpu_seconds),
        (budget.runs, used.runs + reserved.runs + 1),
    ):
        assert most is None or all_of_it <= most + 1e-9
    assert 0 < found.limits.wall_seconds <= wall
    assert 0 < found.limits.cpu_seconds <= cpu
    assert replace(found.limits, wall_seconds=wall, cpu_seconds=cpu) == limits, "nothing else is changed"


@pytest.mark.parametrize(
    ("rule", "budget", "used", "reserved"),
    [
        ("", Budget(), Spent(1e6, 1e6, 1000, 1000), Spent(5, 5, 5)),
        ("SES101", Budget(runs=2), Spent(runs=2), Spent()),
        ("SES102", Budget(wall_seconds=10), Spent(wall_seconds=10 - LEAST_SECONDS / 2), Spent()),
        ("SES102", Budget(wall_seconds=10), Spent(wall_seconds=11), Spent(wall_seconds=1, runs=1)),
        ("SES103", Budget(cpu_seconds=10), Spent(cpu_seconds=10), Spent()),
        ("SES104", Budget(network_requests=3), Spent(network_requests=3), Spent()),
        ("", Budget(network_requests=3), Spent(network_requests=2), Spent()),
        ("", Budget(network_requests=0), Spent(), Spent()),
        ("SES104", Budget(network_requests=0), Spent(network_requests=1), Spent()),
        ("SES105", Budget(wall_seconds=10), Spent(), Spent(wall_seconds=10, runs=1)),
        ("SES105", Budget(cpu_seconds=10), Spent(cpu_seconds=5), Spent(cpu_seconds=5, runs=1)),
        ("SES105", Budget(runs=2), Spent(runs=1), Spent(runs=1)),
    ],
)
def test_why_a_run_may_not_begin(rule: str, budget: Budget, used: Spent, reserved: Spent) -> None:
    assert refused(budget, used, reserved) == rule


@pytest.mark.parametrize("condition", ["closed", "expired"])
def test_a_session_that_is_not_open(condition: SessionCondition) -> None:
    found = share(replace(state(Budget()), condition=condition), Limits(), 1)
    assert isinstance(found, Finding)
    assert found.rule == "SES106"


def test_what_a_run_cost() -> None:
    reserved = Spent(60, 30, 1)
    assert cost(result(wall=2.0, requests=3), reserved) == Spent(2.0, 1.0, 1, 3)
    assert cost(not_begun(), reserved) is None
    assert cost(not_begun(Status.CANCELLED), reserved) is None
    broken = RunResult("r", "a@1.0.0", "strict", Status.SANDBOX_ERROR, "", timings=Timings(run=0.5))
    assert cost(broken, reserved) == reserved, "nobody measured it: all that was set aside"


def test_a_run_that_was_tried_again_costs_each_attempt_and_at_most_what_was_set_aside() -> None:
    assert cost(result(wall=2.0, attempts=3), Spent(60, 30, 1)) == Spent(6.0, 3.0, 1, 0)
    assert cost(result(wall=2.0, attempts=3), Spent(5, 2, 1)) == Spent(5, 2, 1, 0)


def test_the_share_of_each_attempt() -> None:
    found = share(state(Budget(wall_seconds=30)), Limits(wall_seconds=60, cpu_seconds=5), 3)
    assert isinstance(found, Share)
    assert (found.limits.wall_seconds, found.reserved) == (10.0, Spent(30.0, 15.0, 1))
