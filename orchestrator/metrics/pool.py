"""The pool's figures as series. By level for what there is; totals for all together, as specs come and go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from orchestrator.metrics import catalogue as c
from orchestrator.metrics.catalogue import Metric
from orchestrator.metrics.tally import LabelValues, Series
from orchestrator.pool.stats import PoolStats

_TOTALS: Final = (
    (c.POOL_CREATED, "created_total"),
    (c.POOL_CREATE_FAILURES, "create_failures_total"),
    (c.POOL_REMOVED, "removed_total"),
    (c.POOL_REMOVE_FAILURES, "remove_failures_total"),
    (c.POOL_DEAD, "dead_total"),
    (c.POOL_EXPIRED, "expired_total"),
    (c.POOL_RETIRED, "retired_total"),
    (c.POOL_WAIT_SECONDS, "wait_seconds_total"),
    (c.POOL_MOST, "max_containers"),
    (c.POOL_MOST_WAITING, "max_waiting"),
    (c.POOL_DEGRADED, "degraded"),
)


def level_label(level: str) -> str:
    return level if level in c.LEVELS else c.OTHER


def pool_series(stats: PoolStats) -> Iterator[Series]:
    yield _by_level(stats, c.POOL_TARGET, "warm_target")
    yield _by_level(stats, c.POOL_WAITING, "waiting")
    sandboxes = Counter[LabelValues]({(level, state): 0 for level in c.LEVELS for state in c.SANDBOX_STATES})
    for spec in stats.specs:
        for state in c.SANDBOX_STATES:
            sandboxes[level_label(spec.level), state] += getattr(spec, state)
    yield Series(c.POOL_SANDBOXES, sandboxes, {})
    for metric, field in _TOTALS:
        yield Series(metric, {(): float(getattr(stats, field))}, {})
    yield Series.of(c.POOL_LEASES, warm=stats.leases_warm_total, cold=stats.leases_cold_total)
    yield Series.of(c.POOL_REFUSED, saturated=stats.saturated_total, timeout=stats.timeouts_total)


def _by_level(stats: PoolStats, metric: Metric, field: str) -> Series:
    found = Counter[LabelValues]({(level,): 0 for level in c.LEVELS})
    for spec in stats.specs:
        found[(level_label(spec.level),)] += getattr(spec, field)
    return Series(metric, found, {})
