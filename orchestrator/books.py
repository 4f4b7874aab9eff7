"""``Books``: what is kept about runs - who asked, what came of it, how each skill does, what is left to spend.

    place (session) -> admitted (registry) -> begun (audit) -> the run -> ended (audit, registry and session at once)

Nothing starts that is not on record, and what ended is recorded before its result is returned. Metrics, alerts and the
dashboard hear of it afterwards and can fail nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Final

from loguru import logger
from sqlalchemy import Connection

from orchestrator.alerts import Alert, Alerts
from orchestrator.alerts.journal import Journal
from orchestrator.alerts.model import AlertKind
from orchestrator.audit.trail import AuditTrail, OnDisk
from orchestrator.chores import Chores
from orchestrator.dashboard import Dashboard, DashboardNote, Keeper, Writer, sources_of
from orchestrator.dashboard.sources import pool_rows
from orchestrator.errors import OrchestratorError
from orchestrator.installation import Installation
from orchestrator.manifest import SkillManifest
from orchestrator.memo import Memo
from orchestrator.metrics import Metrics
from orchestrator.metrics.recorded import pending_reviews
from orchestrator.policy import Decision
from orchestrator.pool import PoolStats, Trouble
from orchestrator.records import RecordsError
from orchestrator.records.deeds import Change, Deed
from orchestrator.registry import Registry, SkillEvent
from orchestrator.results.model import RunResult
from orchestrator.reviews import Reviews
from orchestrator.sessions import Owner, Place, Session, Sessions
from orchestrator.settings import Settings
from orchestrator.text import one_line
from orchestrator.upkeep import Upkeep

_MOST_WRITERS: Final = 1000


class Books:
    """Of one orchestrator. Thread-safe. Close it before the installation that it was opened on."""

    def __init__(
        self,
        settings: Settings,
        installation: Installation,
        pool: Callable[[], PoolStats],
        reviews: Reviews | None = None,
    ) -> None:
        database, instance, history = installation.database, installation.instance, installation.history
        self._image_id = installation.host.image_id
        self._writers: set[str] = set()  # digests of skills whose last run changed something
        self._exit = ExitStack()
        with ExitStack() as undo:
            undo.push(self._exit.__exit__)
            journal = Journal.of(database, settings, instance.state_id)
            self.alerts = Alerts.of(settings, history, installation.known, journal)
            self._exit.callback(self.alerts.close)  # last: what closing the trail meets is told too
            self.audit = AuditTrail.of(
                database, settings, instance=instance.id, on_fault=partial(self._audit_fault, "trail")
            )
            self._exit.callback(self.audit.close)
            if history is not None:
                history.tell = self._done
            self.registry = Registry(database, keep=self._carry_out)
            owner = Owner(instance.state_id, instance.id, instance.alive)
            self.sessions = Sessions(database, owner, keep=self._carry_out)
            self.memo = Memo.of(settings, installation.vault)
            self.metrics = _metrics(settings, installation, pool)
            self._endpoint = None
            if settings.metrics_port is not None:
                self._endpoint = self.metrics.serve(settings.metrics_host, settings.metrics_port)
                self._exit.callback(self._endpoint.close)
                logger.info("metrics are served at {}", self._endpoint.url)
            self._keeper = _keeper(settings, installation, pool)
            if self._keeper is not None:
                self._exit.callback(self._keeper.close)  # the pool is closed before the books: it shows that too
                self._keeper.start()
            chores = Chores(settings, installation, self.audit, self.registry, reviews)
            chores.at_start()
            upkeep = Upkeep(list(chores.all()))
            self._exit.callback(upkeep.close)  # first: it uses all that was opened before
            upkeep.start()
            undo.pop_all()

    @property
    def metrics_url(self) -> str | None:
        """Where ``/metrics`` is served by this process; None where it is not."""
        return self._endpoint.url if self._endpoint is not None and self._endpoint.serving else None

    # --- around a run ----------------------------------------------------------------------------------------------

    @contextmanager
    def place(
        self, session: Session | None, run_id: str, decision: Decision, attempts: int, began: Callable[[], bool]
    ) -> Iterator[Place | None]:
        """The part of an allowed run in its session, settled at the end; None without one. ``attempts``: how often it
        may run; ``began``: whether anything of it may have run."""
        if session is None or not decision.allowed or decision.limits is None:
            yield None
            return
        with session.place(run_id, decision.limits, attempts, began=began) as place:
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
    ) -> Iterator[OnDisk]:
        """Around the run itself. Raises RecordsError when the intent cannot be recorded: then nothing may start. It
        gives what waits until the intent is on the disk, or raises RecordsError: before that nothing may land."""
        image_id = self._image_id
        with self._recording("intent", "a run could not be put on record, so it did not start", run_id):
            intent = self.audit.intent(
                run_id, skill, inputs, decision, principal=principal, session=session, image_id=image_id
            )
        try:
            on_disk = self.audit.on_disk(intent)
            if skill.digest in self._writers:
                on_disk.hurry()
            yield on_disk
        except BaseException as error:
            self._broke(run_id, skill, decision.level, error)
            raise

    def ended(
        self, skill: SkillManifest, result: RunResult, place: Place | None, *, shortened: bool, repeated: bool = False
    ) -> None:
        """Record what a run came to. ``shortened``: its caller or its session gave it less time than its manifest asks
        for. ``repeated``: it failed, and its call tries again, so that its outcome does not count yet (see
        ``last_after_all``). Raises RecordsError; the result stands then, and what it changed has landed."""
        followed: list[SkillEvent] = []
        standing = self.registry.record_of(skill, result, shortened=shortened, counts="run" if repeated else "both")

        def also(connection: Connection) -> list[Deed]:
            nonlocal followed
            if result.cached:  # no run of the skill, so no trial either
                self.registry.give_back_in(connection, skill, result.run_id)
            followed = [] if result.cached else standing(connection)
            if place is not None:
                place.settling(result)(connection)
            return [each.deed(skill.digest) for each in followed]

        with self._recording("outcome", "what a run came to could not be put on record", result.run_id):
            self.audit.outcome(result, also=also)
        self._expect(skill, writes=bool(result.changes))
        for each in followed:
            self._tell(each, result)
        self.metrics.observe(result)
        self.changed()

    def _expect(self, skill: SkillManifest, *, writes: bool) -> None:
        """What a skill did last time it most likely does again: the sync that its changes wait for can begin early. One
        that changes nothing is not held up by it."""
        if not writes:
            self._writers.discard(skill.digest)
        elif len(self._writers) < _MOST_WRITERS:
            self._writers.add(skill.digest)

    def last_after_all(self, skill: SkillManifest, result: RunResult, *, shortened: bool) -> None:
        """A run that was recorded as ``repeated`` was its call's last: now its outcome counts. Raises RecordsError."""
        followed: list[SkillEvent] = []
        standing = self.registry.record_of(skill, result, shortened=shortened, counts="outcome")

        def change(connection: Connection) -> list[Deed]:
            followed[:] = standing(connection)
            return [each.deed(skill.digest) for each in followed]

        with self._recording("outcome", "what a run came to could not be put on record", result.run_id):
            self.audit.keep(change)
        for each in followed:
            self._tell(each, result)
        self.changed()

    def _tell(self, event: SkillEvent, result: RunResult) -> None:
        """What followed from a run for its skill."""
        if event.kind == "quarantined":
            why = one_line(f"in quarantine from now on: {event.detail['why']}", 300)
            self.alerts.send(Alert("quarantined", why, skill=result.skill, run_id=result.run_id))
        elif event.kind == "standing_lost":
            lost = event.detail["what"]
            logger.error("{} of {} could not be read in the records, and began anew", lost, one_line(result.skill, 200))

    def _carry_out(self, change: Change) -> None:
        """What a person changes in the registry or of a session, on record with it or not at all."""
        try:
            self.audit.keep(change)
        except RecordsError as error:  # what else it raises is the caller's mistake
            self._audit_fault("deed", f"what a person did could not be put on record: {error}")
            raise
        self.changed()

    def _done(self, deed: Deed) -> None:
        with self._recording("deed", "what a person did could not be put on record", deed.run_id):
            self.audit.deed(deed)
        self.changed()

    def changed(self) -> None:
        """Something that the dashboard shows may be different now."""
        if self._keeper is not None:
            self._keeper.changed()

    def _broke(self, run_id: str, skill: SkillManifest, level: str, error: BaseException) -> None:
        """The caller gets ``error`` whatever happens here."""
        self.metrics.broke_off(skill.name, level)
        try:
            self.audit.raised(run_id, f"{skill.name}@{skill.version}", error)
            self.registry.give_back(skill, run_id)
        except OrchestratorError as fault:
            logger.error("how run {} broke off is not on record: {}", run_id, fault)
            self._audit_fault("broke", f"how a run broke off could not be put on record: {fault}", run_id)

    # --- what an operator is told ----------------------------------------------------------------------------------

    @contextmanager
    def _recording(self, rule: str, what: str, run_id: str) -> Iterator[None]:
        """What cannot be recorded is told, and its error goes through."""
        try:
            yield
        except Exception as error:
            why = str(error) if isinstance(error, OrchestratorError) else type(error).__name__
            self._audit_fault(rule, f"{what}: {why}", run_id)
            raise

    def _audit_fault(self, rule: str, message: str, run_id: str = "") -> None:
        """Of the trail, not of a skill: what stops all of them is one alert. The trail calls it in any thread,
        perhaps under a lock of its own."""
        self.alerts.send(Alert("audit", message, rule=rule, run_id=run_id))

    def pool_trouble(self, trouble: Trouble) -> None:
        """Neither waits nor raises."""
        kind: AlertKind = "pool_recovered" if trouble.over else "pool_degraded"
        self.alerts.send(Alert(kind, trouble.message, rule=trouble.rule))
        self.changed()

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
    often, instance = settings.dashboard_interval_seconds, installation.instance
    dashboard = Dashboard(
        DashboardNote(history, settings.dashboard_path),
        sources,
        writer=Writer(instance.state_id, instance.id),
        alive=instance.alive,
        interval_seconds=often,
    )
    return Keeper(dashboard.refresh, interval_seconds=often)
