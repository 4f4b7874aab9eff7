"""The states of health: what moves them, that they do not flap, that quarantine has a way out and a bound."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction
from math import floor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.registry.health import (
    COOL_DOWN_SECONDS,
    DEGRADED_AT,
    FAILING_AT,
    FAILURES_IN_A_ROW,
    HEALTHY_AT,
    LONGEST_COOL_DOWN_SECONDS,
    NOT_FAILING_AT,
    TRIAL_SECONDS,
    VIOLATIONS,
    WINDOW,
    Condition,
    Health,
    Outcome,
    after,
    cool_down_seconds,
    given_back,
    may_try,
    outcome_of,
    released,
    trying,
)
from orchestrator.results.model import Status
from tests.support.runs import result

RANK: dict[Condition, int] = {"healthy": 0, "degraded": 1, "failing": 2, "quarantined": 3}
OUTCOMES: st.SearchStrategy[Outcome] = st.sampled_from(["s", "s", "s", "f", "v", ""])


def lived(outcomes: str, health: Health | None = None) -> list[Health]:
    """How it was after each of them."""
    states = [health or Health()]
    for outcome in outcomes:
        states.append(after(states[-1], outcome, run_id="r", at=0.0))  # type: ignore[arg-type]
    return states[1:]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((status, "s") for status in (Status.SUCCEEDED, Status.HELD, Status.CONFLICT)),
        *((status, "") for status in (Status.CANCELLED, Status.SANDBOX_ERROR)),
        (Status.DENIED, "v"),
        *((s, "f") for s in ("failed", "signaled", "timed_out", "cpu_exceeded", "out_of_memory", "output_exceeded")),
    ],
)
def test_what_a_run_says_about_its_skill(status: str, expected: Outcome) -> None:
    assert outcome_of(result(Status(status))) == expected


def test_every_status_was_thought_of() -> None:
    silent = [status for status in Status if not outcome_of(result(status))]
    assert silent == [Status.CANCELLED, Status.SANDBOX_ERROR]


def test_a_denial_before_the_run_says_nothing() -> None:
    assert outcome_of(result(Status.DENIED, run=0.0)) == ""


def test_running_out_of_a_shorter_time_than_its_own_is_not_the_skills_doing() -> None:
    said = {status: outcome_of(result(status), shortened=True) for status in Status}
    assert [status for status in Status if said[status] != outcome_of(result(status))] == [
        Status.TIMED_OUT, Status.CPU_EXCEEDED,
    ]  # fmt: skip
    assert said[Status.TIMED_OUT] == said[Status.CPU_EXCEEDED] == ""


def test_the_thresholds() -> None:
    spread = "sf" * (FAILING_AT - 1)
    states = lived(spread + "sf")
    conditions = [state.condition for state in states]
    assert conditions.index("degraded") == spread.index("f") + 2 * (DEGRADED_AT - 1)
    assert conditions.index("failing") == len(conditions) - 1
    well = [state.condition for state in lived("s" * WINDOW, states[-1])]
    left_failing, healthy = well.index("degraded"), well.index("healthy")
    assert lived("s" * (left_failing + 1), states[-1])[-1].failures == NOT_FAILING_AT
    assert lived("s" * (healthy + 1), states[-1])[-1].failures == HEALTHY_AT


@given(st.fractions(0, 1, max_denominator=40))
@example(Fraction(1, 8))  # two or three failures in any twenty runs
@example(Fraction(3, 8))  # seven or eight
def test_a_steady_mix_ends_in_one_state(rate: Fraction) -> None:
    """Failures spread evenly, at whatever rate: any two windows differ by one failure at most."""
    mix = "".join("f" if floor((number + 1) * rate) > floor(number * rate) else "s" for number in range(200))
    assert len({state.condition for state in lived(mix)[2 * WINDOW :]}) == 1


@given(st.lists(OUTCOMES, max_size=200))
def test_it_never_flaps(outcomes: list[Outcome]) -> None:
    """To turn back, at least as many outcomes must pass as the limits of the two ways differ by."""
    states = [Health(), *lived("".join(each for each in outcomes if each))]
    ranks = [RANK[state.condition] for state in states]
    moves = [index for index, (a, b) in enumerate(itertools.pairwise(ranks)) if a != b]
    least = min(DEGRADED_AT - HEALTHY_AT, FAILING_AT - NOT_FAILING_AT)
    for first, second in itertools.pairwise(moves):
        up, down = ranks[first + 1] > ranks[first], ranks[second + 1] > ranks[second]
        assert up == down or second - first >= least


@given(st.lists(OUTCOMES, max_size=100))
def test_it_stays_bounded_and_is_json(outcomes: list[Outcome]) -> None:
    for state in lived("".join(outcomes)):
        assert len(state.window) <= WINDOW
        assert Health.from_json(json.loads(json.dumps(state.to_json()))) == state


def test_failures_in_a_row_lead_to_quarantine() -> None:
    states = lived("f" * FAILURES_IN_A_ROW)
    assert [state.condition for state in states[-2:]] == ["degraded", "quarantined"]
    assert f"{FAILURES_IN_A_ROW} failed runs in a row" in states[-1].why


def test_violations_lead_to_quarantine_even_between_successes() -> None:
    states = lived("vss" * VIOLATIONS)
    assert [state.condition for state in states].index("quarantined") == 3 * (VIOLATIONS - 1)
    far = "s" * WINDOW
    assert lived(("v" + far) * 6)[-1].condition == "healthy"


def test_what_says_nothing_neither_breaks_a_row_nor_lengthens_it() -> None:
    assert after(Health(window="ffff"), "", run_id="r", at=0.0) == Health(window="ffff")


def quarantined(at: float = 1000.0) -> Health:
    health = Health()
    for _ in range(FAILURES_IN_A_ROW):
        health = after(health, "f", run_id="r", at=at)
    return health


def test_the_trial_begins_after_the_cool_down_and_is_one() -> None:
    health = quarantined(1000.0)
    assert not may_try(health, 1000.0 + COOL_DOWN_SECONDS - 1)
    over = 1000.0 + COOL_DOWN_SECONDS
    assert may_try(health, over)
    taken = trying(health, "t", over)
    assert not may_try(taken, over + 1)
    assert may_try(given_back(taken), over + 1)
    assert may_try(taken, over + TRIAL_SECONDS), "a trial that is never heard of again is lost"


def test_only_the_trial_ends_a_quarantine() -> None:
    taken = trying(quarantined(), "t", 2000.0)
    for outcome in ("s", "f", "v", ""):
        assert after(taken, outcome, run_id="another", at=2001.0) == taken
    assert after(taken, "", run_id="t", at=2001.0) == given_back(taken)


def test_a_trial_that_goes_well_leads_to_degraded_and_then_to_healthy() -> None:
    health = after(trying(quarantined(), "t", 2000.0), "s", run_id="t", at=2001.0)
    assert (health.condition, health.strikes, health.trial) == ("degraded", 1, "")
    states = lived("s" * WINDOW, health)
    assert [state.condition for state in states].count("healthy") > 0
    assert states[-1].strikes == 0


def test_a_trial_that_fails_doubles_the_cool_down_up_to_a_bound() -> None:
    health, waits = quarantined(0.0), []
    at = 0.0
    for _ in range(40):
        waits.append(health.until - at)
        at = health.until
        health = after(trying(health, "t", at), "f", run_id="t", at=at)
        assert health.condition == "quarantined"
    assert waits[:3] == [COOL_DOWN_SECONDS, 2 * COOL_DOWN_SECONDS, 4 * COOL_DOWN_SECONDS]
    assert max(waits) == waits[-1] == LONGEST_COOL_DOWN_SECONDS
    assert cool_down_seconds(10**9) == LONGEST_COOL_DOWN_SECONDS


def test_a_relapse_after_a_trial_waits_longer() -> None:
    health = released(quarantined(), "s")
    for _ in range(FAILURES_IN_A_ROW):
        health = after(health, "f", run_id="r", at=0.0)
    assert (health.condition, health.until) == ("quarantined", 2 * COOL_DOWN_SECONDS)


def test_a_clock_that_was_wrong_does_not_lock_a_skill_up_for_ever() -> None:
    assert may_try(quarantined(at=1e12), 1000.0)
