"""Bursts, what an idle sandbox holds, and what many runs leave behind."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from orchestrator import Orchestrator
from tests.bench.figures import Row, judged
from tests.bench.stage import Stage, at_rest, run_once

IDLE_MB: Final = 12
GROWTH_BYTES: Final = 2 * 2**20  # of RSS over the counted runs: allocators round, threads' arenas come and go
_CGROUPS: Final = Path("/sys/fs/cgroup")


def burst(orchestrator: Orchestrator, pool: int) -> Row:
    """Twice as many callers at once as there are warm sandboxes."""
    at_rest(orchestrator)
    together = threading.Barrier(2 * pool)

    def one(_number: int) -> bool:
        together.wait()
        return run_once(orchestrator).warm

    with ThreadPoolExecutor(2 * pool) as callers:
        warm = sum(callers.map(one, range(2 * pool)))
    name, good = f"burst of {2 * pool} on a pool of {pool}", judged(warm >= pool)
    return Row(name, f"{2 * pool} succeeded, {warm} warm", f"all, {pool} warm", None, good, {"warm": warm})


def idle_memory(stage: Stage, orchestrator: Orchestrator) -> Row:
    """What the kernel charges to the cgroup of a sandbox that waits; the largest of the pool's."""
    at_rest(orchestrator)
    found = [(_from_cgroup(each), "cgroup") for each in stage.containers()]
    if any(size is None for size, _ in found):
        found = [(_from_stats(stage, each), "the engine's statistics") for each in stage.containers()]
    sizes = [size for size, _ in found if size is not None]
    if not sizes:
        raise RuntimeError("no idle sandbox could be measured")
    largest, where = max(sizes) / 2**20, found[0][1]
    good = judged(largest <= IDLE_MB)
    facts = {"bytes": sizes, "from": where}
    return Row("idle warm sandbox, memory", f"{largest:.1f} MB ({where})", f"at most {IDLE_MB} MB", None, good, facts)


def _from_cgroup(container_id: str) -> int | None:
    places = [f"docker/{container_id}", f"system.slice/docker-{container_id}.scope"]
    v1 = (_CGROUPS / "memory" / place / "memory.usage_in_bytes" for place in places)
    v2 = (_CGROUPS / place / "memory.current" for place in places)
    return next((int(path.read_text()) for path in (*v1, *v2) if path.is_file()), None)


def _from_stats(stage: Stage, container_id: str) -> int | None:
    sample = next(iter(stage.engine.stats(container_id)), {})
    size = sample.get("memory_stats", {}).get("usage")
    return size if isinstance(size, int) else None


def _holdings(stage: Stage) -> dict[str, int]:
    """What there is now, as this process and its engine see it."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "containers": len(stage.containers()),
        "mounts": len(Path("/proc/self/mountinfo").read_text().splitlines()),
        "fds": len(os.listdir("/proc/self/fd")),  # noqa: PTH208
        "threads": threading.active_count(),
        "slots": sum(1 for _ in _slots(stage)),
        "rss": pages * os.sysconf("SC_PAGE_SIZE"),
    }


def _slots(stage: Stage) -> Iterable[Path]:
    return (stage.state_dir / "slots").glob("*/*")


def endurance(stage: Stage, orchestrator: Orchestrator, runs: int) -> Row:
    """Many runs in a row, after some that fill caches and arenas."""
    for _ in range(max(20, runs // 10)):
        run_once(orchestrator)
    before = _settled(stage, orchestrator)
    for _ in range(runs):
        run_once(orchestrator)
    after = _settled(stage, orchestrator)
    grown = {name: after[name] - before[name] for name in before}
    rss = grown.pop("rss")
    measured = ", ".join(f"{name} {number:+d}" for name, number in grown.items()) + f", RSS {rss / 2**20:+.1f} MB"
    good = judged(max(grown.values()) <= 0 and rss <= GROWTH_BYTES)
    return Row(f"{runs} runs in a row: growth", measured, "none", None, good, {"before": before, "after": after})


def _settled(stage: Stage, orchestrator: Orchestrator) -> dict[str, int]:
    """Once the pool is full again and everything used is gone."""
    at_rest(orchestrator)
    return _holdings(stage)
