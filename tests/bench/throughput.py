"""How many runs a second: each side at the concurrency that suits it best, then turn by turn.

``docker run`` imports ``json``: whoever gets data in and out of it has to. Our trivial skill does not, since arguments
and return values are the executor's business. A row of its own has a skill that does; at this rate no sandbox is idle
for long enough to have it preloaded.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Final

from orchestrator import Orchestrator
from tests.bench.docker_run import DockerRun
from tests.bench.figures import Row, Verdict, judged
from tests.bench.stage import JSON_SKILL, LEVEL, SKILL, at_rest, run_once

CALLERS: Final = (1, 2, 3, 4)
POOLS: Final = (2, 4)


@dataclass(frozen=True)
class Windows:
    """Seconds: before counting (uses up what was warm at the start), and of counting."""

    lead: float
    sweep: float
    final: float
    turns: int


@dataclass(frozen=True)
class Sustained:
    ours: float  # runs a second
    rows: list[Row]


@dataclass(frozen=True)
class Turn:
    """Runs a second of one turn."""

    ours: float
    docker: float
    imports: float  # ours, of the skill that imports json


def rate(action: Callable[[], object], callers: int, lead: float, counted: float) -> float:
    """Completions a second of ``callers`` threads that do nothing else, counted after ``lead`` seconds."""
    done: list[float] = []
    failures: list[BaseException] = []
    end = time.perf_counter() + lead + counted

    def call() -> None:
        try:
            while time.perf_counter() < end:
                action()
                done.append(time.perf_counter())
        except BaseException as error:  # noqa: BLE001 - carried to the caller below
            failures.append(error)

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return sum(end - counted <= moment < end for moment in done) / counted


def sustained(orchestrator: Orchestrator, docker: DockerRun, windows: Windows) -> Sustained:
    """Find the best of both, then measure them in turns."""

    def ours(pool: int, callers: int, seconds: float, skill: Mapping[str, Any] = SKILL) -> float:
        orchestrator.resize(LEVEL, pool)
        at_rest(orchestrator)
        return rate(lambda: run_once(orchestrator, skill), callers, windows.lead, seconds)

    def theirs(callers: int, seconds: float) -> float:
        at_rest(orchestrator)
        return rate(docker.once, callers, windows.lead, seconds)

    swept = {(pool, callers): ours(pool, callers, windows.sweep) for pool in POOLS for callers in CALLERS}
    swept_docker = {callers: theirs(callers, windows.sweep) for callers in CALLERS}
    (pool, callers), others = max(swept, key=swept.__getitem__), max(swept_docker, key=swept_docker.__getitem__)
    turns = [
        Turn(
            ours(pool, callers, windows.final),
            theirs(others, windows.final),
            ours(pool, callers, windows.final, JSON_SKILL),
        )
        for _ in range(windows.turns)
    ]
    facts = {
        "callers": callers, "pool": pool, "docker_callers": others,
        "swept": {f"pool {p}, {c} callers": found for (p, c), found in swept.items()}, "swept_docker": swept_docker,
        "turns": [astuple(turn) for turn in turns],
    }  # fmt: skip
    how = f"({callers} callers, pool {pool}) against", f"runs/s ({others} callers)"
    target = Row("sustained / docker run", *_compared([(t.ours, t.docker) for t in turns], how, 2.0), facts=facts)
    imports = Row("sustained, import json / docker run", *_compared([(t.imports, t.docker) for t in turns], how))
    return Sustained(statistics.median(turn.ours for turn in turns), [target, imports])


def _compared(
    turns: Sequence[tuple[float, float]], how: tuple[str, str], least: float | None = None
) -> tuple[str, str, float, Verdict]:
    """A row's text, target, ratio (the median of the turns') and verdict."""
    mine, others = (statistics.median(side) for side in zip(*turns, strict=True))
    ratio = statistics.median(mine / other for mine, other in turns)
    text = f"{mine:.1f} {how[0]} {others:.1f} {how[1]}"
    return (text, "", ratio, "") if least is None else (text, f"ratio at least {least}", ratio, judged(ratio >= least))
