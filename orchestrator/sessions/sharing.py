"""What the next run of a session may have, and what a run that ended has cost. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from orchestrator.results.model import RunResult
from orchestrator.sandbox.spec import Limits
from orchestrator.sessions.model import SessionState, Spent
from orchestrator.sessions.rules import finding
from orchestrator.validation.finding import Finding

LEAST_SECONDS: Final = 0.1
"""With less wall or CPU time left no skill gets anywhere: it is as good as spent."""


@dataclass(frozen=True, slots=True)
class Share:
    """``limits``: the run's own, cut to what is left for each attempt. ``reserved``: for all its attempts together."""

    limits: Limits
    reserved: Spent
    shortened: bool = False  # it is less time than the run asked for


def share(state: SessionState, limits: Limits, attempts: int) -> Share | Finding:
    """What a run that asks for ``limits`` gets, or why it gets nothing. ``attempts``: how often it may run in one call
    (``on_conflict="retry"``). ``limits`` may ask for more than the budget: it is cut."""
    if state.condition != "open":
        return finding("SES106", state.id, state.condition)
    if (refused := _spent(state)) is not None:
        return refused
    left = state.left
    wall = limits.wall_seconds if left.wall_seconds is None else min(limits.wall_seconds, left.wall_seconds / attempts)
    cpu = limits.cpu_seconds if left.cpu_seconds is None else min(limits.cpu_seconds, left.cpu_seconds / attempts)
    cut = replace(limits, wall_seconds=wall, cpu_seconds=cpu)
    return Share(cut, Spent(wall * attempts, cpu * attempts, runs=1), shortened=cut != limits)


def _spent(state: SessionState) -> Finding | None:
    budget, used, left = state.budget, state.used, state.left
    if budget.runs is not None and used.runs >= budget.runs:
        return finding("SES101", state.id, f"{used.runs} of {budget.runs}")
    if budget.network_requests is not None and used.network_requests >= max(1, budget.network_requests):
        return finding("SES104", state.id, f"{used.network_requests} of {budget.network_requests}")
    for rule, most, taken in (
        ("SES102", budget.wall_seconds, used.wall_seconds),
        ("SES103", budget.cpu_seconds, used.cpu_seconds),
    ):
        if most is not None and most - taken < LEAST_SECONDS:
            return finding(rule, state.id, f"{taken:.1f} of {most:g} s")
    seconds = [each for each in (left.wall_seconds, left.cpu_seconds) if each is not None]
    if left.runs == 0 or any(each < LEAST_SECONDS for each in seconds):
        return finding("SES105", state.id, f"{state.reserved.runs} runs")
    return None


def cost(result: RunResult, reserved: Spent) -> Spent | None:
    """What a run took; None: nothing of it began. Of a sandbox that broke without a report: all that it had set aside.

    Of a call that ran several times only the last attempt was measured: each is counted like that one, at most what was
    set aside.
    """
    if result.timings.run <= 0:
        return None
    usage, attempts = result.usage, max(1, result.attempts)
    if not usage.wall_seconds:
        return reserved
    wall, cpu = usage.wall_seconds, usage.user_cpu_seconds + usage.system_cpu_seconds
    if attempts > 1:
        wall, cpu = min(wall * attempts, reserved.wall_seconds), min(cpu * attempts, reserved.cpu_seconds)
    return Spent(wall, cpu, 1, usage.connection_attempts * attempts)
