"""How long one run takes: interleaved with its rivals, and at a steady rate."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, fields
from typing import Any, Final

from orchestrator import Orchestrator, RunResult
from orchestrator.audit.trail import AuditTrail
from orchestrator.audit.writing import Also
from orchestrator.results.model import Timings
from tests.bench import audit, machine
from tests.bench.docker_run import DockerRun
from tests.bench.figures import Row, judged, percentile, ratio_row, shown, spread
from tests.bench.stage import JSON_SKILL, at_rest, run_once

RATE_SHARE: Final = 0.6  # of the sustained rate: what a service would plan for
STEADY_CALLERS: Final = 16


@dataclass
class Rounds:
    """Seconds by contender, one of each a round; and the results of our own runs."""

    bare: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    cold: list[float] = field(default_factory=list)
    docker: list[float] = field(default_factory=list)
    told: list[float] = field(default_factory=list)  # warm, beside the next
    untold: list[float] = field(default_factory=list)  # warm, without the audit trail
    warm_results: list[RunResult] = field(default_factory=list)
    cold_results: list[RunResult] = field(default_factory=list)


def timed(action: Callable[[], RunResult], seconds: list[float], results: list[RunResult]) -> None:
    began = time.perf_counter()
    results.append(action())
    seconds.append(time.perf_counter() - began)


def interleaved(warm: Orchestrator, cold: Orchestrator, docker: DockerRun, python: str, rounds: int) -> Rounds:
    """One of each, again and again. The pool is full and the machine at rest before every single one."""
    found = Rounds()
    for number in range(-2, rounds):  # two rounds to warm caches
        if number == 0:
            found = Rounds()
        at_rest(warm)
        found.bare.append(machine.spawn(python))
        at_rest(warm)
        timed(lambda: run_once(warm, JSON_SKILL), found.warm, found.warm_results)
        for told in (True, False) if number % 2 else (False, True):  # whoever comes first finds other caches
            at_rest(warm)
            with nullcontext() if told else _untold(warm.audit):
                timed(lambda: run_once(warm, JSON_SKILL), found.told if told else found.untold, [])
        at_rest(warm)
        found.docker.append(docker.once())
        at_rest(warm)
        timed(lambda: run_once(cold, JSON_SKILL), found.cold, found.cold_results)
    return found


@contextmanager
def _untold(trail: AuditTrail) -> Iterator[None]:
    """Runs are not on record meanwhile: no intent, and of the outcome's transaction only what the registry adds."""

    def outcome(result: RunResult, *, also: Also | None = None) -> int:
        del result
        if also is not None:
            with trail.database.writing(synced=False) as connection:
                also(connection)
        return 0

    trail.intent, trail.outcome = lambda *args, **options: 0, outcome  # type: ignore[method-assign]
    try:
        yield
    finally:
        del trail.intent, trail.outcome  # the methods show again


def _trail_row(found: Rounds) -> Row:
    told, untold = (percentile(seconds, 0.5) * 1e3 for seconds in (found.told, found.untold))
    more = told - untold
    measured = f"{more:.2f} ms: {told:.2f} against {untold:.2f} ms"
    facts = {"more_ms": round(more, 3), "told_ms": spread(found.told), "untold_ms": spread(found.untold)}
    return Row("what the audit trail adds to a warm run", measured, f"at most {audit.MOST_MS:g} ms",
               verdict=judged(more <= audit.MOST_MS), facts=facts)  # fmt: skip


def rows(found: Rounds) -> list[Row]:
    if not all(result.warm for result in found.warm_results) or any(result.warm for result in found.cold_results):
        raise RuntimeError("a warm run was cold, or a cold one warm")
    return [
        ratio_row('warm run / python3 -c "import json"', found.warm, found.bare, 0.5),
        ratio_row("warm run / docker run", found.warm, found.docker, 1 / 30),
        ratio_row("cold run (pool of 0) / docker run", found.cold, found.docker, 0.7),
        Row("warm run: p50 / p95 / p99", shown(found.warm), facts=dict(spread(found.warm))),
        Row("cold run: p50 / p95 / p99", shown(found.cold), facts=dict(spread(found.cold))),
        _trail_row(found),
    ]


def stages(results: list[RunResult]) -> dict[str, dict[str, float]]:
    """p50, p95 and p99 of each host-side stage, and of what the supervisor measured inside."""
    found = {
        stage.name: spread([getattr(result.timings, stage.name) for result in results]) for stage in fields(Timings)
    }
    return {**found, "inside": spread([result.usage.wall_seconds for result in results])}


def stage_table(warm: list[RunResult], cold: list[RunResult]) -> str:
    lines = ["| stage | warm p50 / p95 / p99, ms | cold p50 / p95 / p99, ms |", "|---|---|---|"]
    both = stages(warm), stages(cold)
    for name in both[0]:
        warm_ms, cold_ms = (" / ".join(f"{side[name][p]:.2f}" for p in ("p50", "p95", "p99")) for side in both)
        lines.append(f"| {name} | {warm_ms} | {cold_ms} |")
    return "\n".join(lines)


def steady(orchestrator: Orchestrator, rate: float, runs: int, pool: int) -> Row:
    """Runs at fixed times, whether or not earlier ones are done; each is timed from when it was due, so that a stall
    counts for all whom it delays."""
    at_rest(orchestrator)
    seconds: list[float] = []
    results: list[RunResult] = []

    def one(due: float) -> None:
        time.sleep(max(0.0, due - time.perf_counter()))
        results.append(run_once(orchestrator))
        seconds.append(time.perf_counter() - due)

    with ThreadPoolExecutor(STEADY_CALLERS) as callers:
        start = time.perf_counter() + 0.1
        for future in [callers.submit(one, start + number / rate) for number in range(runs)]:
            future.result()
    ratio = percentile(seconds, 0.99) / percentile(seconds, 0.50)
    facts: dict[str, Any] = {**spread(seconds), "runs": runs, "rate": rate, "warm": sum(r.warm for r in results)}
    name = f"p99 / p50 at {rate:.1f} runs/s ({RATE_SHARE:.0%} of sustained), pool {pool}"
    return Row(name, f"{shown(seconds)}; {facts['warm']} of {runs} warm", "at most 5", ratio, judged(ratio <= 5), facts)
