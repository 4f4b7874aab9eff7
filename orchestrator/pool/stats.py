"""What the pool says about itself. The names are API: stable, and printed by ``orchestrator pool stats``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields


@dataclass(slots=True)
class Counters:
    """Totals since the pool was made; they only grow (``wait_seconds_max`` too)."""

    leases_total: int = 0  # sandboxes handed to callers
    leases_warm_total: int = 0  # of these, at hand when asked for
    leases_cold_total: int = 0  # of these, waited for
    created_total: int = 0
    create_failures_total: int = 0
    removed_total: int = 0
    remove_failures_total: int = 0  # attempts that failed and were or will be repeated
    dead_total: int = 0  # found dead while idle or at hand-out
    expired_total: int = 0  # replaced because of their age
    retired_total: int = 0  # idle ones given up for room, for a smaller target, or by drain()
    saturated_total: int = 0  # callers refused with PoolSaturated
    timeouts_total: int = 0  # callers refused with PoolTimeout
    wait_seconds_total: float = 0.0  # over cold leases
    wait_seconds_max: float = 0.0

    def add(self, other: Counters) -> None:
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            setattr(self, field.name, max(mine, theirs) if field.name == "wait_seconds_max" else mine + theirs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many there are at this moment, and the totals of ``Counters``."""

    warm_target: int
    starting: int  # being created, or waiting for a creator that is free
    warm: int  # ready and idle
    checking: int  # being asked whether they are alive
    leased: int
    removing: int  # still hold room
    waiting: int  # callers without a sandbox yet
    leases_total: int
    leases_warm_total: int
    leases_cold_total: int
    created_total: int
    create_failures_total: int
    removed_total: int
    remove_failures_total: int
    dead_total: int
    expired_total: int
    retired_total: int
    saturated_total: int
    timeouts_total: int
    wait_seconds_total: float
    wait_seconds_max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecStats(Counts):
    digest: str  # SandboxSpec.digest()
    level: str
    configured: bool  # by configure(); others run cold and are forgotten once nothing of them is left
    degraded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStats(Counts):
    """All specs together. Totals include specs that were forgotten."""

    max_containers: int
    max_waiting: int
    degraded: bool  # the engine is away, a spec cannot be created, or a removal is being repeated
    last_error: str  # the last failure, even if mended since; "" if none. May quote the engine: escape before showing
    closed: bool
    specs: tuple[SpecStats, ...]

    def to_dict(self) -> dict[str, object]:
        """For JSON: the same names."""
        return asdict(self)
