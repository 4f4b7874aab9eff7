"""``Metrics`` with everything that an orchestrator tells it, and the values behind that."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Final

from orchestrator.metrics import Metrics
from orchestrator.pool.stats import Counts, PoolStats, SpecStats
from orchestrator.results.model import RunResult, Status, Timings, Usage
from orchestrator.validation.finding import Finding

RAN: Final = RunResult(
    "r1", "tidy@1.0.0", "strict", Status.SUCCEEDED, "", warm=True,
    timings=Timings(validate=0.001, lease=0.002, run=0.1, commit=0.004, total=0.12),
    usage=Usage(user_cpu_seconds=0.5, system_cpu_seconds=0.25, memory_peak_bytes=20 * 2**20),
)  # fmt: skip


@dataclass
class Judged:
    asked: int = 5
    evaluated: int = 2
    scans: int = 1


def counts(value: int) -> dict[str, Any]:
    return {field.name: value + number for number, field in enumerate(fields(Counts))}


def pool_stats(*levels: str) -> PoolStats:
    specs = tuple(
        SpecStats(**counts(10 * n), digest="d", level=level, configured=True, degraded=False)
        for n, level in enumerate(levels, 1)
    )
    return PoolStats(
        **counts(100), max_containers=12, max_waiting=64, degraded=True, last_error="\x1b", closed=False, specs=specs
    )


def full() -> Metrics:
    """With every source, as an orchestrator has it."""
    metrics = Metrics(skills=1)
    metrics.pool(lambda: pool_stats("strict", "standard", "standard", 'x"}\n'))
    metrics.reviews(lambda: 3)
    metrics.validation(Judged())
    finding = (Finding("ORC101", "", ""),)
    metrics.observe(replace(RAN, warnings=finding, would_deny=finding))
    return metrics
