"""Whether a skill may go on running, from how its runs ended. A pure state machine; docs/adr/0016 has the reasons.

::

    healthy <-> degraded <-> failing        by failures among the last WINDOW outcomes, with hysteresis
       any  --> quarantined                 FAILURES_IN_A_ROW, or VIOLATIONS among the last WINDOW outcomes
    quarantined --(cool-down over)--> one trial run --> degraded, or quarantined again for twice as long

Only what the skill did counts. A run that was cancelled, that we broke (``sandbox_error``), that was denied before it
began, or that ran out of a time shorter than its own says nothing about it; one that waits for a review or met a
conflict ran well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal, get_args

from orchestrator.registry.statistics import began, is_moment
from orchestrator.results.model import RunResult, Status

Condition = Literal["healthy", "degraded", "failing", "quarantined"]
Outcome = Literal["s", "f", "v", ""]  # success, failure, violation; "": says nothing about the skill

WINDOW: Final = 20
"""Outcomes that are looked at. Large enough for a rate in steps of 5 %, small enough that a repaired skill is healthy
again within 20 runs."""

DEGRADED_AT: Final = 3  # of 20: one failure happens to anybody, two may be one bad input tried twice
HEALTHY_AT: Final = 1  # two less: a steady mix of good and bad varies by one, so it cannot go to and fro
FAILING_AT: Final = 8  # of 20: whoever relies on it is let down about every second time
NOT_FAILING_AT: Final = 5

FAILURES_IN_A_ROW: Final = 5
"""Quarantine. A skill that fails half of the time by chance does so in 3 of 100 tries; one that is broken at once."""

VIOLATIONS: Final = 3
"""Quarantine. What a run was refused after the policy had let it begin (a path that was not granted, a secret in the
output) is no accident the third time."""

COOL_DOWN_SECONDS: Final = 300.0  # the first; long enough that a retrying caller gets another idea
LONGEST_COOL_DOWN_SECONDS: Final = 86_400.0  # each is twice the one before; a broken skill is tried once a day for ever
TRIAL_SECONDS: Final = 3600.0
"""After so long without a word from it, a trial is taken for lost (its process died) and another is let through. The
longest run that a shipped policy allows takes 600 s, and up to an hour may pass in the queue for a sandbox."""

UNREADABLE: Final = "a health that cannot be read any more"

_ILL: Final = {
    Status.FAILED, Status.SIGNALED, Status.TIMED_OUT, Status.CPU_EXCEEDED, Status.OUT_OF_MEMORY, Status.OUTPUT_EXCEEDED,
}  # fmt: skip
_OUT_OF_TIME: Final = {Status.TIMED_OUT, Status.CPU_EXCEEDED}
_WELL: Final = {Status.SUCCEEDED, Status.HELD, Status.CONFLICT}


@dataclass(frozen=True, slots=True)
class Health:
    """Times are Unix seconds. ``window``: the last outcomes, newest last. ``strikes``: quarantines since it was healthy
    last. ``until``: when a quarantine's cool-down is over. ``trial``: the run that was let through, until when it is
    waited for in ``trial_until``. ``why``: of the quarantine."""

    condition: Condition = "healthy"
    window: str = ""
    strikes: int = 0
    until: float = 0.0
    trial: str = ""
    trial_until: float = 0.0
    why: str = ""

    @property
    def failures(self) -> int:
        return len(self.window) - self.window.count("s")

    @property
    def in_a_row(self) -> int:
        return len(self.window) - len(self.window.rstrip("fv"))

    def to_json(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def from_json(cls, document: object) -> Health:
        """``ValueError``: it is not as ``to_json`` writes it."""
        if not isinstance(document, Mapping) or not document.keys() <= {each.name for each in fields(cls)}:
            raise ValueError("no health")
        found = cls(**document)
        moments = (found.until, found.trial_until)
        sound = (
            found.condition in get_args(Condition)
            and all(isinstance(each, str) for each in (found.condition, found.window, found.trial, found.why))
            and len(found.window) <= WINDOW
            and set(found.window) <= set("sfv")
            and type(found.strikes) is int
            and found.strikes >= 0
            and all(is_moment(each) for each in moments)
        )
        if not sound:
            raise ValueError("no health")
        return found


def outcome_of(result: RunResult, *, shortened: bool = False) -> Outcome:
    """``shortened``: a session or its caller gave it less time than its manifest asks for, so running out of it is not
    the skill's doing."""
    if result.status in _WELL:
        return "s"
    if shortened and result.status in _OUT_OF_TIME:
        return ""
    if result.status in _ILL:
        return "f"
    return "v" if result.status is Status.DENIED and began(result) else ""


def after(health: Health, outcome: Outcome, *, run_id: str, at: float, quarantine: bool = True) -> Health:
    """How it is once a run ended so. In quarantine only the trial's outcome changes anything: runs that began before
    neither lift it nor prolong it. ``quarantine`` False: it never comes to that."""
    if health.condition == "quarantined":
        return health if run_id != health.trial else _after_trial(health, outcome, at)
    if not outcome:
        return health
    window = (health.window + outcome)[-WINDOW:]
    seen = replace(health, window=window)
    if quarantine and outcome == "v" and (violations := window.count("v")) >= VIOLATIONS:
        return _quarantine(seen, f"{violations} policy violations in its last {len(window)} runs", at)
    if quarantine and outcome != "s" and seen.in_a_row >= FAILURES_IN_A_ROW:
        return _quarantine(seen, f"{seen.in_a_row} failed runs in a row", at)
    condition = _by_failures(health.condition, seen.failures)
    return replace(seen, condition=condition, strikes=0 if condition == "healthy" else health.strikes)


def _by_failures(before: Condition, failures: int) -> Condition:
    if failures >= FAILING_AT or (before == "failing" and failures > NOT_FAILING_AT):
        return "failing"
    if failures >= DEGRADED_AT or (before != "healthy" and failures > HEALTHY_AT):
        return "degraded"
    return "healthy"


def _quarantine(health: Health, why: str, at: float) -> Health:
    return replace(
        health,
        condition="quarantined",
        strikes=health.strikes + 1,
        until=at + cool_down_seconds(health.strikes + 1),
        trial="",
        trial_until=0.0,
        why=why,
    )


def cool_down_seconds(strikes: int) -> float:
    """Of the quarantine with that number (from 1)."""
    return min(LONGEST_COOL_DOWN_SECONDS, COOL_DOWN_SECONDS * 2.0 ** min(strikes - 1, 30))


def _after_trial(health: Health, outcome: Outcome, at: float) -> Health:
    if outcome == "s":
        return released(health, "s")
    if outcome:
        return _quarantine(replace(health, window=(health.window + outcome)[-WINDOW:]), "its trial run failed", at)
    return given_back(health)


def released(health: Health, last: Outcome = "") -> Health:
    """Out of quarantine, as just degraded: it is healthy once enough runs after this went well."""
    return Health("degraded", "f" * DEGRADED_AT + last, health.strikes)


def given_back(health: Health) -> Health:
    """The trial said nothing, so the next run may be the trial at once."""
    return replace(health, trial="", trial_until=0.0)


def unknown(condition: object) -> Health:
    """In place of one that cannot be read; ``condition`` is what its row says apart from it. Nothing is known, but that
    a quarantine must not be ended by damage: the next run is its trial."""
    return Health("quarantined", strikes=1, why=UNREADABLE) if condition == "quarantined" else Health()


def may_try(health: Health, at: float) -> bool:
    """Whether a run of a quarantined skill may be its trial now."""
    waited = at >= health.until or health.until - at > LONGEST_COOL_DOWN_SECONDS  # the latter: a clock was wrong
    return waited and (not health.trial or at >= health.trial_until)


def trying(health: Health, run_id: str, at: float) -> Health:
    """``run_id`` is the trial."""
    return replace(health, trial=run_id, trial_until=at + TRIAL_SECONDS)
