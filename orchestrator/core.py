"""``Orchestrator``: the flow of a run, and nothing else.

    manifest -> validate -> policy decision -> on record -> [recorded result] -> Runner -> on record -> RunResult
                                                (books.py)        (memo/)      (running.py)

What is done when a run failed is recovery's (``recovery/``), who may run at all and on whose account is in the books.

A skill that fails, is denied or runs into a limit raises nothing: that is ``RunResult.status``. Exceptions are for the
caller's mistakes (``ManifestError``, ``InputsError``) and for faults of ours or the operator's (see ``errors``).
There is no way to run a skill without a policy's decision: a lease needs the spec that only an allowing one carries.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TypedDict, Unpack

from loguru import logger

from orchestrator.alerts import Alerts
from orchestrator.audit.trail import AuditTrail
from orchestrator.books import Books
from orchestrator.errors import (
    EngineError,
    ManifestError,
    OrchestratorError,
    PoolClosed,
    PoolError,
    SandboxError,
    SessionError,
    SettingsError,
)
from orchestrator.events import RunEvent
from orchestrator.installation import Installation, decide
from orchestrator.live import OnEvent
from orchestrator.manifest import SkillManifest, load_manifest
from orchestrator.memo import Looked
from orchestrator.metrics import Metrics
from orchestrator.policy import Decision
from orchestrator.policy.given import with_inputs
from orchestrator.policy.model import EnforcementMode
from orchestrator.pool import PoolSettings, PoolStats, WarmPools
from orchestrator.records import StoredSet
from orchestrator.recovery import Ended, Means, NotBegun, Repeats, recovered
from orchestrator.registry import Registry, reference_in
from orchestrator.results.assemble import denied_result, no_sandbox_result, run_result
from orchestrator.results.errors import with_circumstances
from orchestrator.results.lines import log_run
from orchestrator.results.model import RunResult, Timings
from orchestrator.reviews import Reviews
from orchestrator.running import Course, OnConflict, Request, Runner, most_attempts
from orchestrator.sandbox.engine import Engine
from orchestrator.sandbox.sandbox import Sandbox
from orchestrator.sessions import Budget, Session
from orchestrator.settings import Settings
from orchestrator.validation.inputs import merge_and_check
from orchestrator.vault.transaction import Landed, OnRecord, unusable_grants
from orchestrator.warming import WarmLevels

logger.disable("orchestrator")  # a library is silent until somebody asks: see ``logs.configure``

_LANDING_SECONDS = 15.0  # after being cancelled, how long a run may still take to report or to land its changes
ManifestSource = Path | str | Mapping[str, Any] | bytes | SkillManifest


class RunOptions(TypedDict, total=False):
    """What ``Orchestrator.run`` takes by name, but for ``cancel``."""

    level: str | None
    timeout: float | None
    on_event: OnEvent | None
    commit: bool
    on_conflict: OnConflict
    enforcement: EnforcementMode | None
    principal: str
    session: Session | None
    fresh: bool


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of ``run``, ready for its attempts."""

    skill: SkillManifest
    inputs: Mapping[str, Any]
    on_event: OnEvent | None
    cancelled: Callable[[], bool]
    commit: bool
    on_conflict: OnConflict
    enforcement: EnforcementMode | None
    principal: str
    session: Session | None
    fresh: bool
    shortened: bool  # the caller gave it a time of its own
    loading_seconds: float  # what was spent before the first attempt
    uncounted: list[Callable[[], None]] = field(default_factory=list)  # counts a failure that was to be tried again


class Orchestrator:
    """Runs skills. Thread-safe; use it as a context manager, or call ``close``.

    ``engine`` replaces the container engine that ``settings`` would find (tests give a fake or a recording one).
    Opening raises ``OperatorError`` or ``EngineError`` when image, vault or engine are not fit for use.
    """

    def __init__(self, settings: Settings | None = None, *, engine: Engine | None = None) -> None:
        self.settings = settings or Settings()
        self._installation = Installation(self.settings, engine)
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None
        history = self._installation.history
        self._reviews = None if history is None else Reviews.of(self.settings, history, self._decide)
        budget = PoolSettings(
            max_containers=self.settings.max_containers,
            max_waiting=self.settings.max_waiting,
            acquire_timeout_seconds=self.settings.acquire_timeout_seconds,
        )
        self._pools: WarmPools[Sandbox] = WarmPools(self._installation.make, budget=budget)
        self._runner = Runner(self._installation, self._pools)
        self._warm = WarmLevels(
            self._pools,
            self._installation.host,
            asked=self.settings.warm_targets,
            budget=self.settings.max_containers,
        )
        self._books: Books | None = None
        try:
            self._books = Books(self.settings, self._installation, self._pools.stats, self._reviews)
            self._pools.tell = self._books.pool_trouble
            for level in self._installation.policies.levels():
                self._warm.keep(self._installation.policies.current(level))
        except BaseException:
            self.close()
            raise

    # --- running ---------------------------------------------------------------------------------------------------

    def run(
        self,
        manifest: ManifestSource,
        inputs: Mapping[str, Any] | None = None,
        *,
        level: str | None = None,
        timeout: float | None = None,
        on_event: OnEvent | None = None,
        cancel: threading.Event | None = None,
        commit: bool = True,
        on_conflict: OnConflict = "report",
        enforcement: EnforcementMode | None = None,
        principal: str = "",
        session: Session | None = None,
        fresh: bool = False,
    ) -> RunResult:
        """Run one skill, to its end, and return what came of it.

        ``manifest``: a path, JSON bytes, a dict, what ``load_manifest`` returned, or the name of a registered skill
        ("tidy", "tidy@1.2"). ``inputs`` replace the manifest's defaults key by key. ``level`` replaces its security
        level. ``timeout`` (seconds) replaces its ``limits.wall_seconds``; both still face the policy's ceilings.
        ``on_event`` is called in this thread with started, stdout, stderr, stats and finished; what it raises goes
        through (changes have landed before finished). Setting ``cancel`` ends the run with status ``cancelled``.
        ``commit`` False is a dry run: ``changes``, ``diff`` say what it would do to the vault.
        ``on_conflict="retry"``: where somebody changed the same notes meanwhile, run it again on the vault as it is
        then, up to three times in all. ``enforcement`` replaces the policy's: "audit" reports what its lists would deny
        in ``would_deny`` and runs the skill all the same. ``principal``: who asks, for the audit trail. ``session``:
        on whose budget, see ``session()``. ``fresh`` True: no recorded result of a pure skill will do.

        Raises ManifestError, RegistryError and InputsError for what the caller got wrong; PoolSaturated, PoolTimeout,
        PoolClosed, EngineError, SandboxError or OperatorError when no sandbox could be had; RecordsError when the run
        cannot be put on record. Nothing of the skill has run then, save where the error is about how it ended. Where
        the manifest's ``on_error`` has a fallback that answers, that is the result, ``degraded``, in place of the
        error (not of PoolClosed and OperatorError).
        """
        began, books = time.monotonic(), self._kept
        reference = reference_in(manifest)
        skill = _skill(manifest if reference is None else books.registry.resolve(reference), level, timeout)
        call = _Call(
            skill,
            merge_and_check(skill, inputs),
            on_event=on_event,
            cancelled=lambda: self._closing.is_set() or (cancel is not None and cancel.is_set()),
            commit=commit,
            on_conflict=on_conflict,
            enforcement=enforcement,
            principal=principal,
            session=session,
            fresh=fresh,
            shortened=timeout is not None,
            loading_seconds=time.monotonic() - began,
        )
        result = recovered(skill, call.inputs, partial(self._once, call), self._means(call, cancel))
        for count in call.uncounted:
            count()
        if on_event is not None:
            on_event(RunEvent("finished", result.run_id, result=result))
        return result

    def _means(self, call: _Call, cancel: threading.Event | None) -> Means:
        """What recovering from a failure may use."""
        books, run = (
            self._kept,
            partial(
                self.run,
                cancel=cancel,
                commit=call.commit,
                enforcement=call.enforcement,
                principal=call.principal,
                session=call.session,
            ),
        )

        def fallback(name: str, inputs: Mapping[str, Any]) -> RunResult:
            return run(books.registry.resolve(name), inputs)  # never a file that happens to have that name

        ask = partial(self._ask_about_failure, call.skill)
        return Means(run_skill=fallback, ask=ask, tell=books.alerts.send, cancelled=call.cancelled)

    def _once(self, call: _Call, repeats: Repeats) -> Ended:
        """One attempt; a value too where no sandbox could be had for it."""
        course = Course(secrets.token_hex(8))
        try:
            return self._attempt(call, course, repeats)
        except (PoolError, EngineError, SandboxError) as error:
            if course.began:
                raise
            result = no_sandbox_result(course.run_id, call.skill, error)
            runs, reasons = max(0, course.runs - 1), tuple(course.reasons)
            return NotBegun(self._told(replace(result, attempts=runs, attempt_reasons=reasons), call), error)

    def _attempt(self, call: _Call, course: Course, repeats: Repeats) -> RunResult:
        """On record before it begins and after it ended, whatever it comes to."""
        run_id, began, books = course.run_id, time.monotonic() - call.loading_seconds, self._kept
        decision = with_inputs(self._decide(call.skill, call.enforcement), call.inputs)
        session = "" if call.session is None else call.session.id
        most, began_at_all = most_attempts(call.on_conflict), lambda: course.began or course.runs > 1
        with books.place(call.session, run_id, decision, most, began_at_all) as place:
            decision = books.admitted(call.skill, run_id, decision, place)
            validated = time.monotonic() - began
            with books.on_record(
                run_id, call.skill, call.inputs, decision, principal=call.principal, session=session
            ) as on_record:
                timings = Timings(validate=validated, total=validated)
                result = self._answered(call, course, decision, timings, on_record)
                result = replace(result, timings=replace(result.timings, total=time.monotonic() - began))
            shortened = call.shortened or (place is not None and place.shortened)
            repeated = repeats(result)
            books.ended(call.skill, result, place, shortened=shortened, repeated=repeated)
        if decision.allowed:  # of one that was not let in, the attempt before is the last
            count = partial(books.last_after_all, call.skill, result, shortened=shortened)
            call.uncounted[:] = [count] if repeated else []
        log_run(result)
        return result

    def _answered(
        self, call: _Call, course: Course, decision: Decision, timings: Timings, on_record: OnRecord
    ) -> RunResult:
        """A denial, a recorded result, or what a sandbox comes to."""
        skill, memo, run_id = call.skill, self._kept.memo, course.run_id
        if not decision.allowed:
            return denied_result(run_id, skill, decision, timings)
        looked = (
            Looked()
            if call.fresh or not call.commit
            else memo.look(skill, call.inputs, decision, self._installation.host.image_id)
        )
        if looked.hit is not None:
            return looked.hit.result(run_id, skill, decision, timings)
        request = Request.of(run_id, skill, call.inputs, decision, on_event=call.on_event, cancelled=call.cancelled)
        request = replace(request, commit=call.commit, on_record=on_record, course=course)
        parts = self._runner.run(request, call.on_conflict)
        result = run_result(
            run_id, skill, decision, replace(parts, timings=replace(parts.timings, validate=timings.validate))
        )
        review = self._ask_about_changes(skill, result, parts.landed)
        result = replace(result, attempts=course.runs, attempt_reasons=tuple(course.reasons), review=review)
        memo.keep(looked, result)
        return self._told(result, call)

    def _told(self, result: RunResult, call: _Call) -> RunResult:
        """With its error told in full, where it failed."""
        verbose = self.settings.log_level == "verbose"
        return with_circumstances(result, call.inputs, known=self._installation.known, verbose=verbose)

    async def arun(
        self, manifest: ManifestSource, inputs: Mapping[str, Any] | None = None, **options: Unpack[RunOptions]
    ) -> RunResult:
        """``run`` for asyncio, in a thread (``on_event`` too), with its options. Cancelling the task cancels it."""
        cancel = threading.Event()
        run = partial(self.run, manifest, inputs, cancel=cancel, **options)
        future = asyncio.get_running_loop().run_in_executor(self._executor(), run)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            cancel.set()
            await asyncio.wait([future])
            raise

    def _executor(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._closing.is_set():
                raise PoolClosed("the orchestrator is closed")
            if self._threads is None:
                workers = self.settings.max_containers + self.settings.max_waiting
                self._threads = ThreadPoolExecutor(workers, thread_name_prefix="arun")
            return self._threads

    def check(self, manifest: ManifestSource, *, level: str | None = None) -> tuple[SkillManifest, Decision]:
        """Everything that happens before a sandbox is taken: the skill and the policy's decision on it."""
        skill = _skill(manifest, level, None)
        return skill, self._decide(skill)

    def _decide(self, skill: SkillManifest, enforcement: EnforcementMode | None = None) -> Decision:
        """The decision on a skill. Without a usable policy it is a denial that says why."""
        self._installation.policies.refresh()
        at = self._installation
        decision = decide(
            skill,
            at.policies,
            lambda: at.host,
            self.settings,
            at.verdicts,
            enforcement=enforcement,
            meet=self._warm.keep,
        )
        vault = at.vault
        if decision.allowed and vault is not None and (unusable := unusable_grants(vault, skill.vault)):
            decision = replace(decision, allowed=False, violations=unusable)
        return decision

    def _ask_about_changes(self, skill: SkillManifest, result: RunResult, landed: Landed) -> str:
        """The id of the review item about changes that wait; "" for none."""
        if self._reviews is None or landed.held is None:
            return ""
        return self._reviews.ask(skill, landed.held, landed.reasons or (result.reason,))

    def _ask_about_failure(self, skill: SkillManifest, failed: RunResult) -> str:
        if self._reviews is None:
            return ""
        return self._reviews.ask_about_failure(skill, failed.run_id, f"{failed.status}: {failed.reason}")

    # --- books -----------------------------------------------------------------------------------------------------

    @property
    def _kept(self) -> Books:
        if self._books is None:
            raise PoolClosed("the orchestrator is closed")
        return self._books

    @property
    def audit(self) -> AuditTrail:
        """What was asked, decided and done, tamper-evident."""
        return self._kept.audit

    @property
    def alerts(self) -> Alerts:
        """What a program wants to tell its operator goes the same way: ``alerts.send(Alert("program", ...))``."""
        return self._kept.alerts

    @property
    def skills(self) -> Registry:
        """Registered skills, and how every skill does."""
        return self._kept.registry

    @property
    def metrics(self) -> Metrics:
        """Counters of this process; ``metrics.collector()`` goes into a program's own Prometheus registry."""
        return self._kept.metrics

    @property
    def metrics_url(self) -> str | None:
        """Where this process serves ``/metrics``, its port as it is (``Settings.metrics_port=0`` takes any); None
        where it does not: without that setting, once closed, in a forked child."""
        books = self._books
        return None if books is None else books.metrics_url

    def session(
        self,
        *,
        id: str | None = None,
        wall_seconds: float | None = None,
        cpu_seconds: float | None = None,
        runs: int | None = None,
        network_requests: int | None = None,
        label: str = "",
    ) -> Session:
        """A new session with these budgets over all its runs (None: no bound), or with ``id`` one that goes on, in this
        process or after a restart: with the budgets that it was opened with. Raises SessionError."""
        sessions, budget = self._kept.sessions, Budget(wall_seconds, cpu_seconds, runs, network_requests)
        if id is None:
            return Session(sessions, sessions.open(budget, label).id, self.run)
        if label or budget != Budget():
            raise SessionError(
                "a session that goes on keeps its budgets and its label", hint="give its id alone, or open another one"
            )
        return Session(sessions, sessions.resume(id).id, self.run)

    # --- reviews and history ---------------------------------------------------------------------------------------

    @property
    def reviews(self) -> Reviews:
        """What waits for a person, and the verbs to decide it. Raises SettingsError without a vault."""
        if self._reviews is None:
            raise SettingsError("without a vault there is nothing to review", hint="set vault")
        return self._reviews

    def rollback(self, run_id: str) -> StoredSet:
        """Put back exactly what a run changed in the vault, as a transaction of its own; its record.

        Raises ``ChangesRefused`` naming every file that was changed since (nothing is rolled back then), ``VaultError``
        when that run changed nothing here, was rolled back already, or its former content is not kept any more.
        """
        return self.reviews.history.roll_back(run_id)

    def history(self, path: str | None = None, *, limit: int = 100) -> list[StoredSet]:
        """Runs that changed the vault, or ``path`` (a file or directory in it), newest first."""
        return self.reviews.history.sets(path, limit=limit)

    # --- the pool --------------------------------------------------------------------------------------------------

    def prime(self, timeout: float = 60.0) -> None:
        """Wait until every warm target is reached. Raises PoolTimeout, PostureError or OperatorError."""
        self._pools.prime(timeout)

    def resize(self, level: str, warm_target: int) -> None:
        """Keep another number of idle sandboxes for one security level. Raises SettingsError."""
        self._warm.resize(level, warm_target)

    def stats(self) -> PoolStats:
        return self._pools.stats()

    # --- the end ---------------------------------------------------------------------------------------------------

    def close(self, timeout: float | None = None) -> None:
        """Refuse new runs, wait up to ``timeout`` seconds (default: settings) for running ones, cancel the rest, and
        leave nothing behind. Idempotent."""
        patience = self.settings.close_timeout_seconds if timeout is None else timeout
        cancel = threading.Timer(patience, self._closing.set)  # running skills end as cancelled, not under their feet
        cancel.daemon = True
        cancel.start()
        try:
            self._pools.close(patience + _LANDING_SECONDS)
        finally:
            cancel.cancel()
            self._closing.set()
            if self._threads is not None:
                self._threads.shutdown(wait=True)
            books, self._books = self._books, None
            try:
                if books is not None:
                    books.close()
            finally:
                self._installation.close()

    def __enter__(self) -> Orchestrator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """What breaks the ``with`` block goes through, whatever closing meets."""
        try:
            self.close()
        except OrchestratorError as fault:
            if error is None:
                raise
            logger.error("closing the orchestrator failed: {}", fault)


def _skill(manifest: ManifestSource, level: str | None, timeout: float | None) -> SkillManifest:
    """The skill with the caller's overrides. One that was put together by hand is not what its digests say."""
    skill = manifest if isinstance(manifest, SkillManifest) else load_manifest(manifest)
    if hashlib.sha256(skill.code.encode()).hexdigest() != skill.code_digest:
        raise ManifestError("the skill's code is not the code its digest names", hint="make skills with load_manifest")
    if level is not None:
        skill = replace(skill, security_level=level)
    if timeout is not None:
        skill = replace(skill, limits=replace(skill.limits, wall_seconds=timeout))
    return skill
