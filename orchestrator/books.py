"""``Books``: what is kept about runs - who asked, what came of it, how each skill does, what is left to spend.

    place (session) -> admitted (registry) -> begun (audit) -> the run -> ended (audit, registry and session at once)

Nothing starts that is not on record, and what ended is recorded before its result is returned. Metrics, alerts and the
dashboard hear of it afterwards and can fail nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, Final

from loguru import logger
from sqlalchemy import Connection

from orchestrator.alerts import Alert, Alerts
from orchestrator.audit.prune import prune
from orchestrator.audit.trail import AuditTrail
from orchestrator.dashboard import Dashboard, DashboardNote, Keeper, sources_of
from orchestrator.dashboard.sources import pool_rows
from orchestrator.errors import OrchestratorError
from orchestrator.installation import Installation
from orchestrator.manifest import SkillManifest
from orchestrator.memo import Memo
from orchestrator.metrics import Metrics
from orchestrator.metrics.recorded import pending_reviews
from orchestrator.policy import Decision
from orchestrator.pool import PoolStats
from orchestrator.records import Records
from orchestrator.registry import Registry
from orchestrator.results.model import RunResult
from orchestrator.sessions import Owner, Place, Session, Sessions
from orchestrator.settings import Settings
from orchestrator.text import one_line
from orchestrator.vault.history import Deed

_DAY_SECONDS: Final = 86400.0


class Books:
    """Of one orchestrator. Thread-safe. Close it before the installation that it was opened on."""

    def __init__(self, settings: Settings, installation: Installation, pool: Callable[[], PoolStats]) -> None:
        database, instance, history = installation.database, installation.instance, installation.history
        self._image_id = installation.host.image_id
        self._exit = ExitStack()
        with ExitStack() as undo:
            undo.push(self._exit.__exit__)
            self.audit = AuditTrail.of(database, settings, instance=instance.id)
            self._exit.callback(self.audit.close)
            if history is not None:
                history.tell = self._done
            self.registry = Registry(database)
            self.sessions = Sessions(database, Owner(instance.state_id, instance.id, instance.alive))
            self.memo = Memo.of(settings, installation.vault)
            self.alerts = Alerts.of(settings, history, installation.known)
            self._exit.callback(self.alerts.close)
            self.metrics = _metrics(settings, installation, pool)
            if settings.metrics_port is not None:
                endpoint = self.metrics.serve(settings.metrics_host, settings.metrics_port)
                self._exit.callback(endpoint.close)
            self._keeper = _keeper(settings, installation, pool)
            if self._keeper is not None:
                self._exit.callback(self._keeper.close)
            _prune_daily(self.audit, Records(database), settings)
            undo.pop_all()

    # --- around a run ----------------------------------------------------------------------------------------------

    @contextmanager
    def place(self, session: Session | None, run_id: str, decision: Decision, attempts: int) -> Iterator[Place | None]:
        """The part of an allowed run in its session, settled at the end; None without one. ``attempts``: how often it
        may run."""
        if session is None or not decision.allowed or decision.limits is None:
            yield None
            return
        with session.place(run_id, decision.limits, attempts) as place:
            yield place

    def admitted(self, skill: SkillManifest, run_id: str, decision: Decision, place: Place | None) -> Decision:
        """``decision``, its limits cut to what the session has left; or a denial, where that is spent or the registry
        does not let the skill run. Asked last: a run that is denied anyway takes nobody's trial."""
        if not decision.allowed:
            return decision
        refusal = (None if place is None else place.refusal) or self.registry.admit(skill, run_id)
        if refusal is not None:
            return replace(decision, allowed=False, violations=(refusal,))
        return decision if place is None else replace(decision, limits=place.limits)

    @contextmanager
    def on_record(
        self,
        run_id: str,
        skill: SkillManifest,
        inputs: Mapping[str, Any],
        decision: Decision,
        *,
        principal: str,
        session: str,
    ) -> Iterator[None]:
        """Around the run itself. Raises RecordsError when the intent cannot be recorded: then nothing may start."""
        image_id = self._image_id
        self.audit.intent(run_id, skill, inputs, decision, principal=principal, session=session, image_id=image_id)
        try:
            yield
        except BaseException as error:
            self._broke(run_id, skill, error)
            raise

    def ended(self, skill: SkillManifest, result: RunResult, place: Place | None, *, shortened: bool) -> None:
        """Record what a run came to. ``shortened``: its caller gave it less time than its manifest asks for. Raises
        RecordsError; the result stands then, and what it changed has landed."""
        quarantined = ""
        standing = self.registry.record_of(
            skill, result, shortened=shortened or (place is not None and place.shortened)
        )

        def also(connection: Connection) -> None:
            nonlocal quarantined
            if not result.cached:
                quarantined = standing(connection)
            if place is not None:
                place.settling(result)(connection)

        self.audit.outcome(result, also=also)
        if quarantined:
            why = one_line(f"in quarantine from now on: {quarantined}", 300)
            self.alerts.send(Alert("quarantined", why, skill=result.skill, run_id=result.run_id))
        self.metrics.observe(result)
        self.changed()

    def _done(self, deed: Deed) -> None:
        self.audit.deed(deed)
        self.changed()

    def changed(self) -> None:
        """Something that the dashboard shows may be different now."""
        if self._keeper is not None:
            self._keeper.changed()

    def _broke(self, run_id: str, skill: SkillManifest, error: BaseException) -> None:
        """The caller gets ``error`` whatever happens here."""
        try:
            self.audit.raised(run_id, f"{skill.name}@{skill.version}", error)
            self.registry.give_back(skill, run_id)
        except OrchestratorError as fault:
            logger.error("how run {} broke off is not on record: {}", run_id, fault)

    def close(self) -> None:
        self._exit.close()


def _metrics(settings: Settings, installation: Installation, pool: Callable[[], PoolStats]) -> Metrics:
    metrics = Metrics(skills=settings.metrics_skills)
    metrics.pool(pool)
    metrics.validation(installation.verdicts)
    metrics.reviews(lambda: pending_reviews(installation.database))
    return metrics


def _keeper(settings: Settings, installation: Installation, pool: Callable[[], PoolStats]) -> Keeper | None:
    history = installation.history
    if history is None or not settings.dashboard:
        return None
    sources = sources_of(
        installation.database,
        vault=str(history.vault.root),
        pool=lambda: pool_rows(pool()),
        alive=installation.instance.alive,
    )
    dashboard = Dashboard(DashboardNote(history, settings.dashboard_path), sources)
    return Keeper(dashboard.refresh, interval_seconds=settings.dashboard_interval_seconds)


def _prune_daily(trail: AuditTrail, records: Records, settings: Settings) -> None:
    if records.due("audit.prune", at=time.time(), every_seconds=_DAY_SECONDS):
        prune(trail, keep_days=settings.audit_days, keep_bytes=settings.audit_mb * 2**20)
