"""How many runs a second: each side at the concurrency that suits it best, then turn by turn."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from orchestrator import Orchestrator
from tests.bench.docker_run import DockerRun
from tests.bench.figures import Row, judged
from tests.bench.stage import LEVEL, at_rest, run_once

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
    row: Row


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

    def ours(pool: int, callers: int, seconds: float) -> float:
        orchestrator.resize(LEVEL, pool)
        at_rest(orchestrator)
        return rate(lambda: run_once(orchestrator), callers, windows.lead, seconds)

    def theirs(callers: int, seconds: float) -> float:
        at_rest(orchestrator)
        return rate(docker.once, callers, windows.lead, seconds)

    swept = {(pool, callers): ours(pool, callers, windows.sweep) for pool in POOLS for callers in CALLERS}
    swept_docker = {callers: theirs(callers, windows.sweep) for callers in CALLERS}
    (pool, callers), others = max(swept, key=swept.__getitem__), max(swept_docker, key=swept_docker.__getitem__)
    turns = [(ours(pool, callers, windows.final), theirs(others, windows.final)) for _ in range(windows.turns)]
    ratio = statistics.median(mine / other for mine, other in turns)
    our_rate, their_rate = (statistics.median(side) for side in zip(*turns, strict=True))
    facts = {
        "ours": our_rate, "docker": their_rate, "callers": callers, "pool": pool, "docker_callers": others,
        "swept": {f"pool {p}, {c} callers": found for (p, c), found in swept.items()}, "swept_docker": swept_docker,
    }  # fmt: skip
    text = f"{our_rate:.1f} ({callers} callers, pool {pool}) against {their_rate:.1f} runs/s ({others} callers)"
    row = Row("sustained / docker run", text, "ratio at least 2.0", ratio, judged(ratio >= 2.0), facts)
    return Sustained(our_rate, row)
