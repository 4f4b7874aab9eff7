"""``log_run``: what the log says about a run. Which setting shows what: ``logs.LEVELS`` and docs/operations.md.

What a skill wrote stays out of the log, save what a reason quotes: its exception's message, or the place of a finding.
"""

from __future__ import annotations

from typing import Final

from loguru import logger

from orchestrator.results.model import RunResult, Status

QUIET: Final = frozenset({Status.SUCCEEDED, Status.HELD, Status.CANCELLED})
"""How runs end that nobody has to look at at once: told as info, the others as a warning."""

_MOST_RULES: Final = 20


def log_run(result: RunResult) -> None:
    """One line, and one about its stages for who debugs."""
    start = "no sandbox" if result.timings.run <= 0 else "warm" if result.warm else "cold"
    bound = logger.bind(
        run=result.run_id,
        skill=result.skill,
        level=result.level,
        status=result.status.value,
        seconds=round(result.timings.total, 6),
    )
    if result.status in QUIET:
        bound.info(
            "run {} of {}: {} in {:.3f} s ({}, {})",
            result.run_id, result.skill, result.status, result.timings.total, result.level, start,
        )  # fmt: skip
    else:
        bound.warning(
            "run {} of {}: {} in {:.3f} s ({}, {}): {}",
            result.run_id, result.skill, result.status, result.timings.total, result.level, start, result.reason,
        )  # fmt: skip
    _log_stages(result)


def _log_stages(result: RunResult) -> None:
    timings, usage = result.timings, result.usage
    logger.debug(
        "run {}: validate {:.1f} ms, lease {:.1f} ms, run {:.1f} ms, commit {:.1f} ms; cpu {:.3f} s, "
        "memory peak {} bytes, {} changes, attempts {}; rules: {}",
        result.run_id, timings.validate * 1e3, timings.lease * 1e3, timings.run * 1e3, timings.commit * 1e3,
        usage.user_cpu_seconds + usage.system_cpu_seconds, usage.memory_peak_bytes, len(result.changes),
        result.attempts, _rules(result),
    )  # fmt: skip


def _rules(result: RunResult) -> str:
    found = sorted({finding.rule for finding in (*result.violations, *result.would_deny)})
    more = f" and {len(found) - _MOST_RULES} more" if len(found) > _MOST_RULES else ""
    return ", ".join(found[:_MOST_RULES]) + more if found else "none"
