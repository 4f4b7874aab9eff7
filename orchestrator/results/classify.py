"""From an ``Outcome`` to exactly one ``Status`` and a sentence. Pure; the table of who was at fault.

Order of belief: what the supervisor measured, then how the executor ended, then what the skill handed in. The skill's
own words never move a status upwards: success needs exit code 0, one well-formed result and a fitting output.
"""

from __future__ import annotations

import signal as signals
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.errors import Problem
from orchestrator.results.model import SkillError, Status
from orchestrator.sandbox.outcome import FinalReport, Outcome
from orchestrator.sandbox.spec import Limits
from orchestrator.text import one_line

EXIT_NOT_STARTED: Final = 70
_SHOWN_PROBLEMS: Final = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    status: Status
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """What the executor handed in, parsed: ``problems`` when that, or the output, is not as it must be."""

    ok: bool = False
    value: Any = None
    error: SkillError | None = None
    problems: tuple[Problem, ...] = ()


def _limit_verdict(final: FinalReport, limits: Limits) -> Verdict | None:
    cpu = f"used more than limits.cpu_seconds = {limits.cpu_seconds:g} s of CPU"
    output = f"put out more than limits.output_kb = {limits.output_kb} KB on one stream or as its result"
    write = f"wrote more than limits.write_mb = {limits.write_mb} MB to files"
    table = {
        "wall": (Status.TIMED_OUT, f"ran longer than limits.wall_seconds = {limits.wall_seconds:g} s"),
        "cpu": (Status.CPU_EXCEEDED, cpu),
        "memory": (Status.OUT_OF_MEMORY, f"needed more than limits.memory_mb = {limits.memory_mb} MB"),
        "output": (Status.OUTPUT_EXCEEDED, output),
        "write": (Status.OUTPUT_EXCEEDED, write),
        "cancelled": (Status.CANCELLED, "the caller cancelled the run"),
    }
    found = table.get(final.cause)
    return None if found is None else Verdict(*found)


def _signal_verdict(number: int, final: FinalReport, limits: Limits) -> Verdict:
    if final.user_cpu_seconds + final.system_cpu_seconds > limits.cpu_seconds:  # by RLIMIT_CPU, our backstop, say
        return Verdict(Status.CPU_EXCEEDED, f"used more than limits.cpu_seconds = {limits.cpu_seconds:g} s of CPU")
    try:
        name = signals.Signals(number).name
    except ValueError:
        name = str(number)
    return Verdict(Status.SIGNALED, f"the skill's process died of signal {name}")


def _no_final(outcome: Outcome) -> Verdict:
    if outcome.cancelled:
        return Verdict(Status.CANCELLED, "the caller cancelled the run; the sandbox was killed")
    return Verdict(Status.SANDBOX_ERROR, outcome.failure or "the sandbox ended without a final report")


def classify(outcome: Outcome, report: Report, limits: Limits) -> Verdict:
    """The one status of this run and why."""
    final = outcome.final
    if final is None:
        return _no_final(outcome)
    limited = _limit_verdict(final, limits)
    if limited is not None:
        return limited
    if not final.started:
        detail = one_line(final.setup_error, 500) or "the executor ended before it started the skill"
        return Verdict(Status.SANDBOX_ERROR, f"the skill was not started: {detail}")
    if final.signal is not None:
        return _signal_verdict(final.signal, final, limits)
    return _ending(outcome, report, final.exit_code)


def _ending(outcome: Outcome, report: Report, exit_code: int | None) -> Verdict:
    if report.error is not None:
        error = f"{report.error.type}: {report.error.message}" if report.error.message else report.error.type
        return Verdict(Status.FAILED, one_line(error, 500))
    if outcome.result is None:
        return Verdict(Status.FAILED, f"the skill's process ended with exit code {exit_code} and handed in no result")
    if report.problems:
        shown = "; ".join(one_line(str(problem), 300) for problem in report.problems[:_SHOWN_PROBLEMS])
        return Verdict(Status.FAILED, f"the output is not acceptable: {shown}")
    if not report.ok or exit_code != 0:
        return Verdict(Status.FAILED, f"the skill's process ended with exit code {exit_code}")
    return Verdict(Status.SUCCEEDED, "ran to its end")
