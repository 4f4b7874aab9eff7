"""Turns the ledger into ``PoolStats``. Reads only; the caller holds the lock."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from orchestrator.pool.contract import PoolSettings
from orchestrator.pool.ledger import Ledger
from orchestrator.pool.members import SpecPool, State
from orchestrator.pool.stats import Counters, PoolStats, SpecStats

_COUNTED = tuple(state for state in State if state is not State.GONE)


def report(ledger: Ledger, settings: PoolSettings, *, repeating: bool) -> PoolStats:
    """``repeating`` says whether removals that failed are being repeated."""
    specs = tuple(_spec_stats(pool, away=bool(ledger.engine.rounds)) for pool in ledger.pools)
    totals = Counters()
    totals.add(ledger.forgotten)
    for pool in ledger.pools:
        totals.add(pool.counters)
    sums: dict[str, Any] = {
        name: sum(getattr(spec, name) for spec in specs)
        for name in ("warm_target", "waiting", *(state.name.lower() for state in _COUNTED))
    }
    return PoolStats(
        **sums,
        **asdict(totals),
        max_containers=ledger.max_containers,
        max_waiting=settings.max_waiting,
        degraded=repeating or bool(ledger.engine.rounds) or any(spec.degraded for spec in specs),
        last_error=ledger.last_error,
        closed=ledger.closed,
        specs=specs,
    )


def _spec_stats(pool: SpecPool, *, away: bool) -> SpecStats:
    counts: dict[str, Any] = {state.name.lower(): pool.count[state] for state in _COUNTED}
    return SpecStats(
        **counts,
        **asdict(pool.counters),
        warm_target=pool.warm_target,
        waiting=len(pool.waiters),
        digest=pool.digest,
        level=pool.spec.level,
        configured=pool.configured,
        degraded=away or bool(pool.backoff.rounds),
    )
