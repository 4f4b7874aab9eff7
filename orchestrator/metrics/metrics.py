"""``Metrics``: what runs come to is counted, what others know is asked for when somebody scrapes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Protocol

from loguru import logger

from orchestrator import forks
from orchestrator.errors import OrchestratorError
from orchestrator.metrics import catalogue as c
from orchestrator.metrics.catalogue import Metric
from orchestrator.metrics.pool import level_label, pool_series
from orchestrator.metrics.rules import RULES
from orchestrator.metrics.tally import Series, Tally
from orchestrator.pool.stats import PoolStats
from orchestrator.results.model import RunResult, Status
from orchestrator.validation.finding import Finding

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from orchestrator.metrics.endpoint import Endpoint

_COUNTED: Final = (
    c.RUNS, c.RUNS_CACHED, c.RUN_SECONDS, c.STAGE_SECONDS, c.CPU_SECONDS, c.MEMORY_PEAK, c.VIOLATIONS, c.WARNINGS,
    c.WOULD_DENY, c.SKILL_RUNS, c.COMMITS, c.CHANGES, c.CONFLICTS, c.HELD,
)  # fmt: skip


class Judged(Protocol):
    """``policy.Verdicts``: how many decisions were asked for, made anew, and how many codes scanned for them."""

    @property
    def asked(self) -> int: ...
    @property
    def evaluated(self) -> int: ...
    @property
    def scans(self) -> int: ...


class Metrics:
    """Thread-safe. ``skills``: how many skills get series of their own; 0 (none) keeps their names out.

    ::

        metrics = Metrics()
        metrics.observe(result)                       # after each run: some 5 microseconds
        metrics.pool(orchestrator.stats)              # asked at each scrape
        endpoint = metrics.serve("127.0.0.1", 9464)   # close() it

    A program that has an endpoint already registers ``metrics.collector()`` with its own registry instead.
    """

    def __init__(self, *, skills: int = 0) -> None:
        self._lock = threading.Lock()
        self._tally = Tally(_COUNTED)
        for rule in (*sorted(RULES), c.OTHER):  # from 0, so that the first denial by a rule is an increase
            self._tally.add(c.VIOLATIONS, rule, amount=0.0)
        self._most_skills = skills
        self._skills: set[str] = set()
        self._sources: list[Callable[[], Iterable[Series]]] = []
        self._registry: CollectorRegistry | None = None
        forks.watch(self)

    # --- counting --------------------------------------------------------------------------------------------------

    def observe(self, result: RunResult) -> None:
        """Count one run. Raises nothing for any result."""
        with self._lock:
            self._count(result.skill, result.level, result.status)
            if result.cached:
                self._tally.add(c.RUNS_CACHED, level_label(result.level))
            self._observe_times(result)
            self._observe_vault(result)
            self._observe_rules(c.VIOLATIONS, result.violations)
            self._observe_rules(c.WARNINGS, result.warnings)
            self._observe_rules(c.WOULD_DENY, result.would_deny)

    def broke_off(self, skill: str, level: str) -> None:
        """Count one run that came to no result, but to an exception. Raises nothing."""
        with self._lock:
            self._count(skill, level, c.RAISED)

    def _count(self, skill: str, level: str, status: str) -> None:
        self._tally.add(c.RUNS, status, level_label(level))
        if self._most_skills:
            self._tally.add(c.SKILL_RUNS, self._skill(skill), status)

    def _observe_times(self, result: RunResult) -> None:
        tally, timings = self._tally, result.timings
        tally.put(c.STAGE_SECONDS, timings.validate, "validate")
        if timings.run <= 0:  # it never got a sandbox
            return
        tally.put(c.STAGE_SECONDS, timings.lease, "lease")
        tally.put(c.STAGE_SECONDS, timings.run, "run")
        if result.changes:
            tally.put(c.STAGE_SECONDS, timings.commit, "commit")
        tally.put(c.RUN_SECONDS, timings.total, level_label(result.level), "warm" if result.warm else "cold")
        usage = result.usage
        tally.add(c.CPU_SECONDS, "user", amount=usage.user_cpu_seconds)
        tally.add(c.CPU_SECONDS, "system", amount=usage.system_cpu_seconds)
        if usage.memory_peak_bytes:
            tally.put(c.MEMORY_PEAK, usage.memory_peak_bytes)

    def _observe_vault(self, result: RunResult) -> None:
        conflict = result.status is Status.CONFLICT
        if result.committed:
            self._tally.add(c.COMMITS)
            self._tally.add(c.CHANGES, amount=len(result.changes))
        if conflicts := result.attempts - 1 + conflict:
            self._tally.add(c.CONFLICTS, amount=conflicts)
        if result.status is Status.HELD or (conflict and result.review):
            self._tally.add(c.HELD)

    def _observe_rules(self, metric: Metric, findings: tuple[Finding, ...]) -> None:
        for rule in {finding.rule if finding.rule in RULES else c.OTHER for finding in findings}:
            self._tally.add(metric, rule)

    def _skill(self, named: str) -> str:
        """The name without its version. The first ones keep theirs until the end."""
        name = named.partition("@")[0]
        if name not in self._skills:
            if len(self._skills) >= self._most_skills:
                return c.OTHER
            self._skills.add(name)
        return name

    # --- asking ----------------------------------------------------------------------------------------------------

    def pool(self, stats: Callable[[], PoolStats]) -> None:
        self._sources.append(lambda: pool_series(stats()))

    def reviews(self, pending: Callable[[], int]) -> None:
        self._sources.append(lambda: [Series(c.REVIEWS, {(): pending()}, {})])

    def validation(self, judged: Judged) -> None:
        def series() -> list[Series]:
            evaluated = judged.evaluated  # before what was asked, which is counted first: never below zero
            kept = max(0, judged.asked - evaluated)
            return [Series.of(c.VERDICTS, kept=kept, judged=evaluated), Series(c.SCANS, {(): judged.scans}, {})]

        self._sources.append(series)

    # --- telling ---------------------------------------------------------------------------------------------------

    def series(self) -> list[Series]:
        """Everything known now, in the catalogue's order. A source that fails is left out, and logged."""
        with self._lock:
            found = self._tally.series()
        for source in self._sources:
            try:
                found.extend(source())
            except OrchestratorError as error:
                logger.warning("metrics: some figures cannot be told: {}", error)
        return sorted(found, key=lambda each: c.CATALOGUE.index(each.metric))

    def collector(self) -> object:
        """For another registry of prometheus-client: ``registry.register(metrics.collector())``."""
        from orchestrator.metrics.families import Families  # noqa: PLC0415 - prometheus-client takes long to import

        return Families(self.series)

    def registry(self) -> CollectorRegistry:
        """Our own, never the global one."""
        from orchestrator.metrics.families import registry_of  # noqa: PLC0415

        if self._registry is None:
            self._registry = registry_of(self.series)
        return self._registry

    def text(self) -> str:
        """In Prometheus's text format."""
        from orchestrator.metrics.families import as_text  # noqa: PLC0415

        return as_text(self.series)

    def serve(self, host: str, port: int) -> Endpoint:
        """Serve ``/metrics`` until it is closed. ``port`` 0: any that is free. Raises SettingsError."""
        from orchestrator.metrics.endpoint import Endpoint  # noqa: PLC0415 - and so does an HTTP server
        from orchestrator.metrics.families import answer  # noqa: PLC0415

        registry = self.registry()
        return Endpoint(host, port, lambda accept: answer(registry, accept))

    def after_fork_in_child(self) -> None:
        """A thread that does not exist here may hold the lock."""
        self._lock = threading.Lock()
