"""Every metric, as data. Names follow Prometheus: base units, counters end in ``_total``."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from orchestrator.results.model import Status

Kind = Literal["counter", "gauge", "histogram"]

OTHER: Final = "other"
"""The label's value for everything that is not of its set."""

RAISED: Final = "raised"
"""Where a run has a status: it broke off, and its caller got an exception. The audit trail's word for it."""

LEVELS: Final = ("strict", "standard", "relaxed", OTHER)
STATUSES: Final = (*(status.value for status in Status), RAISED)
STARTS: Final = ("warm", "cold")
STAGES: Final = ("validate", "lease", "run", "commit")
SANDBOX_STATES: Final = ("starting", "warm", "checking", "leased", "removing")

LABELS: Final = MappingProxyType(
    {
        "status": STATUSES,
        "level": LEVELS,
        "start": STARTS,
        "stage": STAGES,
        "mode": ("user", "system"),
        "state": SANDBOX_STATES,
        "reason": ("saturated", "timeout"),
        "answer": ("kept", "judged"),
    }
)
"""Labels of closed sets. The others are ``rule`` (ids of this release) and ``skill`` (at most ``metrics_skills``)."""

SECONDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0,
)  # fmt: skip
BYTES: Final = tuple(float(mebibytes * 2**20) for mebibytes in (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096))


@dataclass(frozen=True, slots=True, eq=False)  # compared by identity: it is a key in the hot path
class Metric:
    """``name`` as it is scraped (a histogram's without ``_bucket``, ``_sum``, ``_count``)."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if (self.kind == "counter") != self.name.endswith("_total") or (self.kind == "histogram") != bool(self.buckets):
            raise ValueError(f"{self.name}: a counter ends in _total, and only a histogram has buckets")


def _counter(name: str, help_: str, *labels: str) -> Metric:
    return Metric(f"skill_orchestrator_{name}_total", "counter", help_, labels)


def _gauge(name: str, help_: str, *labels: str) -> Metric:
    return Metric(f"skill_orchestrator_{name}", "gauge", help_, labels)


def _histogram(name: str, help_: str, buckets: tuple[float, ...], *labels: str) -> Metric:
    return Metric(f"skill_orchestrator_{name}", "histogram", help_, labels, buckets)


RUNS: Final = _counter(
    "runs", "Runs that ended, denied ones and those that broke off (raised) included.", "status", "level"
)
RUNS_CACHED: Final = _counter(
    "runs_cached", "Those of them that were answered with the recorded result of a pure skill: nothing ran.", "level"
)
RUN_SECONDS: Final = _histogram(
    "run_seconds", "From the call to the result, of runs that got a sandbox.", SECONDS, "level", "start"
)
STAGE_SECONDS: Final = _histogram(
    "run_stage_seconds",
    "One stage of a run: validate of all, lease and run of those that got a sandbox, commit of those with changes.",
    SECONDS,
    "stage",
)
CPU_SECONDS: Final = _counter("run_cpu_seconds", "CPU time inside sandboxes.", "mode")
MEMORY_PEAK: Final = _histogram(
    "run_memory_peak_bytes", "The most memory a run's sandbox held, page cache included.", BYTES
)
VIOLATIONS: Final = _counter("violations", "Runs in which this rule denied or refused something.", "rule")
WARNINGS: Final = _counter("warnings", "Runs in which this rule warned.", "rule")
WOULD_DENY: Final = _counter("would_deny", "Runs in audit mode that this rule would have denied.", "rule")
SKILL_RUNS: Final = _counter("skill_runs", "Runs by skill; only with metrics_skills above 0.", "skill", "status")

COMMITS: Final = _counter("vault_commits", "Runs whose changes landed in the vault.")
CHANGES: Final = _counter("vault_changes", "Entries that these commits created, modified, deleted or moved.")
CONFLICTS: Final = _counter("vault_conflicts", "Attempts that met notes which somebody had changed meanwhile.")
HELD: Final = _counter("vault_held", "Runs whose changes were kept for a person.")
REVIEWS: Final = _gauge("reviews_pending", "Review items that wait for a person.")

VERDICTS: Final = _counter("validations", "Decisions on skills: kept from before, or judged anew.", "answer")
SCANS: Final = _counter("scans", "Codes that had to be scanned; of the others a scan was kept.")

POOL_SANDBOXES: Final = _gauge("pool_sandboxes", "Sandboxes at this moment.", "level", "state")
POOL_TARGET: Final = _gauge("pool_warm_target", "Idle sandboxes wanted.", "level")
POOL_WAITING: Final = _gauge("pool_waiting", "Callers without a sandbox yet.", "level")
POOL_MOST: Final = _gauge("pool_max_containers", "The budget: sandboxes at once, in all states.")
POOL_MOST_WAITING: Final = _gauge("pool_max_waiting", "Callers that may wait.")
POOL_DEGRADED: Final = _gauge(
    "pool_degraded", "1 while the engine is away, a kind cannot be created, or a removal is being repeated."
)
POOL_LEASES: Final = _counter("pool_leases", "Sandboxes handed to callers.", "start")
POOL_WAIT_SECONDS: Final = _counter("pool_wait_seconds", "Time that callers waited, over cold leases.")
POOL_REFUSED: Final = _counter("pool_refused", "Callers that got no sandbox.", "reason")
POOL_CREATED: Final = _counter("pool_created", "Containers made.")
POOL_CREATE_FAILURES: Final = _counter("pool_create_failures", "Attempts to make one that failed.")
POOL_REMOVED: Final = _counter("pool_removed", "Containers removed.")
POOL_REMOVE_FAILURES: Final = _counter("pool_remove_failures", "Attempts to remove one that failed; repeated.")
POOL_DEAD: Final = _counter("pool_dead", "Found dead or without an answer while idle, or dead when handed out.")
POOL_EXPIRED: Final = _counter("pool_expired", "Replaced because of their age.")
POOL_RETIRED: Final = _counter("pool_retired", "Idle ones given up: for room, a smaller target, a changed policy.")

CATALOGUE: Final = (
    RUNS, RUNS_CACHED, RUN_SECONDS, STAGE_SECONDS, CPU_SECONDS, MEMORY_PEAK, VIOLATIONS, WARNINGS, WOULD_DENY,
    SKILL_RUNS, COMMITS, CHANGES, CONFLICTS, HELD, REVIEWS, VERDICTS, SCANS,
    POOL_SANDBOXES, POOL_TARGET, POOL_WAITING, POOL_MOST, POOL_MOST_WAITING, POOL_DEGRADED, POOL_LEASES,
    POOL_WAIT_SECONDS, POOL_REFUSED, POOL_CREATED, POOL_CREATE_FAILURES, POOL_REMOVED, POOL_REMOVE_FAILURES,
    POOL_DEAD, POOL_EXPIRED, POOL_RETIRED,
)  # fmt: skip
"""What an orchestrator that serves metrics exposes, in this order."""

RECORDED_RUNS: Final = _gauge("recorded_runs", "Runs in the audit trail, by how they ended.", "status")
RECORDED_SETS: Final = _gauge("recorded_change_sets", "Change sets in the records, by what became of them.", "state")
RECORDED_REVIEWS: Final = _gauge("recorded_reviews", "Review items in the records.", "state")
ENGINE_UP: Final = _gauge("engine_up", "1 if the engine answered.")
ENGINE_CONTAINERS: Final = _gauge(
    "engine_containers", "Containers of this state directory, by whether their orchestrator lives.", "owner"
)
RECORDED: Final = (RECORDED_RUNS, RECORDED_SETS, RECORDED_REVIEWS, ENGINE_UP, ENGINE_CONTAINERS)
"""What ``orchestrator metrics`` prints without an orchestrator to ask."""
