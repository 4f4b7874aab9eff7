"""What to do with a result, by its manifest's ``on_error``. Pure.

* Only failures are recovered from (``results.model.FAILURES``). What was denied is denied again, what is held waits for
  a person, a conflict has ``on_conflict``, and who cancelled does not want more of it. One exception: a skill in
  quarantine has failed already, so its fallback stands in.
* A run is tried again only because its manifest says so. It may be: the one effect that a run has outside of its
  sandbox is its changes, and those land only when it succeeds. So a run that failed repeats nothing, and one that no
  sandbox could be had for even less: the latter counts as ``sandbox_error`` here.
* A fallback comes when no attempt is left, and never inside of a fallback.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from orchestrator.manifest.model import OnError
from orchestrator.results.model import FAILURES, RunResult, Status
from orchestrator.schemas import thaw

_GATES: Final = ("REG", "SES")  # rules of the registry and of sessions
_QUARANTINED: Final = "REG103"


@dataclass(frozen=True, slots=True)
class Stands:
    """Nothing is to be done: the result is what it is."""


@dataclass(frozen=True, slots=True)
class Again:
    """Run it once more, after ``wait_seconds``."""

    wait_seconds: float


@dataclass(frozen=True, slots=True)
class OtherSkill:
    """Run ``name`` ("name@version") in its place."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """Have ``value`` at hand in place of an output."""

    value: Any


def plan(result: RunResult, on_error: OnError, attempt: int, *, within_fallback: bool = False) -> Step:
    """What comes next. ``attempt`` counts the attempts so far, from 1; ``within_fallback``: this is a fallback's."""
    if result.status not in FAILURES and not quarantined(result):
        return Stands()
    retry, fallback = on_error.retry, on_error.fallback
    if retry is not None and attempt < retry.attempts and result.status.value in retry.on:
        return Again(retry.wait_seconds)
    if fallback is None or within_fallback:
        return Stands()
    return OtherSkill(fallback.skill) if fallback.skill else Constant(thaw(fallback.value))


def not_let_in(result: RunResult) -> bool:
    """Whether the registry or a session refused it: that says nothing of how it would have gone."""
    return result.status is Status.DENIED and _first_rule(result).startswith(_GATES)


def quarantined(result: RunResult) -> bool:
    """Whether it was refused because the skill is in quarantine."""
    return result.status is Status.DENIED and _first_rule(result) == _QUARANTINED


def _first_rule(result: RunResult) -> str:
    return result.violations[0].rule if result.violations else ""


Step = Stands | Again | OtherSkill | Constant
