"""``Orchestrator``: the flow of a run, and nothing else.

    manifest -> validate -> policy decision -> lease a warm sandbox -> run -> classify -> land changes -> RunResult

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
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from loguru import logger
from tenacity import Retrying, retry_if_exception_type, retry_if_result, stop_after_attempt, wait_random

from orchestrator.errors import (
    EngineError,
    LeaseCancelled,
    ManifestError,
    PolicyError,
    PoolClosed,
    SandboxError,
    SettingsError,
)
from orchestrator.events import RunEvent
from orchestrator.installation import Installation
from orchestrator.jobs import job_for
from orchestrator.live import Live, OnEvent
from orchestrator.manifest import SkillManifest, load_manifest
from orchestrator.manifest.model import VaultGrants
from orchestrator.policy import Decision, Policy
from orchestrator.pool import Lease, PoolSettings, PoolStats, SpecCeilings, WarmPools
from orchestrator.records import StoredSet
from orchestrator.results.assemble import (
    Parts,
    cancelled_parts,
    denied_result,
    landing_verdict,
    policy_finding,
    run_result,
)
from orchestrator.results.classify import classify
from orchestrator.results.model import FAILURES, RunResult, Status, Timings
from orchestrator.results.report import parse_report
from orchestrator.reviews import Reviews
from orchestrator.sandbox.engine import Engine
from orchestrator.sandbox.outcome import Job
from orchestrator.sandbox.sandbox import Sandbox
from orchestrator.sandbox.spec import Limits, SandboxSpec
from orchestrator.settings import Settings
from orchestrator.text import one_line
from orchestrator.validation.inputs import merge_and_check
from orchestrator.validation.scanner import inspect
from orchestrator.vault.history import RunFacts
from orchestrator.vault.transaction import Landed, Terms, begin, land, unusable_grants

logger.disable("orchestrator")  # a library is silent until somebody asks: see ``logs.configure``

_LANDING_SECONDS = 15.0  # after being cancelled, how long a run may still take to report or to land its changes
_START_ATTEMPTS = 3  # sandboxes tried for one run; another is only taken while the job provably has not started

_CONFLICT_ATTEMPTS = 3  # runs of one call with on_conflict="retry"
_CONFLICT_PAUSE_SECONDS = 0.1  # at most, before the next: whoever edits is likely to save again at once

OnConflict = Literal["report", "retry"]
ManifestSource = Path | str | Mapping[str, Any] | bytes | SkillManifest


class _NotStarted(Exception):  # noqa: N818 - control flow of one retry
    """The sandbox broke before the job reached it, so another one may be tried."""


@dataclass(frozen=True, slots=True)
class _Request:
    """An allowed run on its way: what was asked for, and what the policy made of it."""

    skill: SkillManifest
    decision: Decision
    job: Job
    limits: Limits
    grants: VaultGrants
    spec: SandboxSpec
    on_event: OnEvent | None
    cancelled: Callable[[], bool]
    commit: bool = True
    hold_conflicts: bool = True


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
        self._warm_specs: dict[str, SandboxSpec] = {}  # level -> what its pool keeps warm
        self._warmed: dict[str, str] = {}  # level -> digest of the policy that spec is from
        self._threads: ThreadPoolExecutor | None = None
        history = self._installation.history
        days = self.settings.review_days
        self._reviews = None if history is None else Reviews(history, self._decide, days=days)
        budget = PoolSettings(
            max_containers=self.settings.max_containers,
            max_waiting=self.settings.max_waiting,
            acquire_timeout_seconds=self.settings.acquire_timeout_seconds,
        )
        self._pools: WarmPools[Sandbox] = WarmPools(self._installation.make, budget=budget)
        try:
            self._warm_all()
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
    ) -> RunResult:
        """Run one skill once, to its end, and return what came of it.

        ``manifest``: a path, JSON bytes, a dict, or what ``load_manifest`` returned. ``inputs`` replace the manifest's
        defaults key by key. ``level`` replaces its security level. ``timeout`` (seconds) replaces its
        ``limits.wall_seconds``; both still face the policy's ceilings. ``on_event`` is called in this thread with
        started, stdout, stderr, stats and finished; what it raises goes through (changes have landed before finished).
        Setting ``cancel`` ends the run with status ``cancelled``. ``commit`` False is a dry run: ``changes``, ``diff``
        say what it would do to the vault. ``on_conflict="retry"``: where somebody changed the same notes meanwhile, run
        it again on the vault as it is then, up to three times in all.

        Raises ManifestError and InputsError for what the caller got wrong; PoolSaturated, PoolTimeout, PoolClosed,
        EngineError or OperatorError when no sandbox could be had. Nothing of the skill has run then.
        """
        run_id, began = secrets.token_hex(8), time.monotonic()
        skill = _skill(manifest, level, timeout)
        given = merge_and_check(skill, inputs)
        decision = self._decide(skill)
        validated = time.monotonic() - began
        if not decision.allowed:
            result = denied_result(run_id, skill, decision, Timings(validate=validated, total=validated))
        else:
            request = self._request(run_id, skill, given, decision, on_event=on_event, cancel=cancel)
            parts, attempts = self._attempts(replace(request, commit=commit), on_conflict)
            timings = replace(parts.timings, validate=validated, total=time.monotonic() - began)
            result = run_result(run_id, skill, decision, replace(parts, timings=timings))
            result = replace(result, attempts=attempts, review=self._asked(skill, result, parts.landed))
        logger.debug("run {} of {}@{}: {}", run_id, skill.name, skill.version, result.status)
        if on_event is not None:
            on_event(RunEvent("finished", run_id, result=result))
        return result

    async def arun(
        self,
        manifest: ManifestSource,
        inputs: Mapping[str, Any] | None = None,
        *,
        level: str | None = None,
        timeout: float | None = None,
        on_event: OnEvent | None = None,
        commit: bool = True,
        on_conflict: OnConflict = "report",
    ) -> RunResult:
        """``run`` for asyncio, in a thread (``on_event`` too). Cancelling the task cancels the run."""
        cancel = threading.Event()
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(
            self._executor(),
            lambda: self.run(
                manifest,
                inputs,
                level=level,
                timeout=timeout,
                on_event=on_event,
                cancel=cancel,
                commit=commit,
                on_conflict=on_conflict,
            ),
        )
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

    def _decide(self, skill: SkillManifest) -> Decision:
        """The decision on a skill. Without a usable policy it is a denial that says why."""
        self._installation.policies.refresh()
        try:
            policy = self._installation.policies.current(skill.security_level)
        except PolicyError as error:
            violation = policy_finding(error)
            return Decision(False, skill.security_level, policy_digest="", violations=(violation,))
        if self._warmed.get(policy.level) != policy.digest:
            self._warm(policy)
        decision = policy.evaluate(skill, inspect(skill), self._installation.host)
        vault = self._installation.vault
        if decision.allowed and vault is not None and (unusable := unusable_grants(vault, skill.vault)):
            decision = replace(decision, allowed=False, violations=unusable)
        return decision

    def _request(
        self,
        run_id: str,
        skill: SkillManifest,
        inputs: Mapping[str, Any],
        decision: Decision,
        *,
        on_event: OnEvent | None,
        cancel: threading.Event | None,
    ) -> _Request:
        limits, grants, spec = decision.limits, decision.grants, decision.spec
        if limits is None or grants is None or spec is None:
            raise ValueError("an allowing decision carries a spec, limits and grants")
        closing = self._closing
        return _Request(
            skill=skill,
            decision=decision,
            job=job_for(run_id, skill, inputs, decision),
            limits=limits,
            grants=grants,
            spec=spec,
            on_event=on_event,
            cancelled=lambda: closing.is_set() or (cancel is not None and cancel.is_set()),
        )

    def _attempts(self, request: _Request, on_conflict: OnConflict) -> tuple[Parts, int]:
        """Run, and run again on a fresh view while it ends in conflicts and that was asked for; how often it ran. Only
        the last attempt's changes are kept for a person."""
        most = _CONFLICT_ATTEMPTS if on_conflict == "retry" else 1
        ran = 0

        def once() -> Parts:
            nonlocal ran
            ran += 1
            return self._execute(replace(request, hold_conflicts=ran == most))

        retrying = Retrying(
            stop=stop_after_attempt(most),
            wait=wait_random(0, _CONFLICT_PAUSE_SECONDS),
            retry=retry_if_result(lambda parts: parts.verdict.status is Status.CONFLICT),
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),  # the last one stands
        )
        return retrying(once), ran

    def _asked(self, skill: SkillManifest, result: RunResult, landed: Landed) -> str:
        """The id of the review item that this run leaves; "" for none."""
        reviews = self._reviews
        if reviews is None:
            return ""
        if landed.held is not None:
            return reviews.ask(skill, landed.held, landed.reasons or (result.reason,))
        if skill.on_error == "review" and result.status in FAILURES:
            return reviews.ask_about_failure(skill, result.run_id, f"{result.status}: {result.reason}")
        return ""

    def _execute(self, request: _Request) -> Parts:
        """Lease and run. Takes another sandbox only when the first one broke before it had the job."""
        attempts = Retrying(
            stop=stop_after_attempt(_START_ATTEMPTS), retry=retry_if_exception_type(_NotStarted), reraise=True
        )
        try:
            for attempt in attempts:
                with attempt, self._pools.lease(request.spec, cancelled=request.cancelled) as lease:
                    return self._in_sandbox(lease, request)
        except LeaseCancelled:
            return cancelled_parts(self._installation.host.image_id)
        except _NotStarted as error:
            raise SandboxError(f"no sandbox could be used in {_START_ATTEMPTS} tries: {error.__cause__}") from error
        raise AssertionError("Retrying either returns or raises")

    def _in_sandbox(self, lease: Lease[Sandbox], request: _Request) -> Parts:
        """One leased sandbox: adapt it, run, classify; land the changes of a run that succeeded."""
        sandbox, job, leased = lease.sandbox, request.job, time.monotonic()
        try:
            sandbox.fit(request.limits)
        except (SandboxError, EngineError) as error:
            raise _NotStarted from error
        begin(sandbox.slot, request.grants, request.decision.forbidden)
        if request.on_event is not None:
            request.on_event(RunEvent("started", job.run_id))
        live = Live(self._installation.engine, sandbox.id, job.run_id, request.on_event, request.cancelled)
        outcome = sandbox.run(job, on_output=live.output, cancelled=live.poll)
        if not outcome.sent:
            raise _NotStarted from SandboxError(outcome.failure)
        report = parse_report(outcome.result, request.skill, job.limits.result_bytes)
        verdict = classify(outcome, report, request.limits)
        ran = time.monotonic()
        landed = Landed()
        if verdict.status is Status.SUCCEEDED:
            landed = land(sandbox.slot, request.limits, self._terms(request))
            verdict = landing_verdict(landed, verdict)
        timings = Timings(lease=lease.waited_seconds, run=ran - leased, commit=time.monotonic() - ran)
        image_id = self._installation.host.image_id
        dry = not request.commit
        return Parts(outcome, report, verdict, landed, timings=timings, warm=lease.warm, image_id=image_id, dry=dry)

    def _terms(self, request: _Request) -> Terms:
        skill, decision = request.skill, request.decision
        facts = RunFacts(
            request.job.run_id, f"{skill.name}@{skill.version}", skill.code_digest, skill.digest, decision.level
        )
        return Terms(
            request.grants,
            decision.forbidden,
            decision.review,
            commit=request.commit,
            hold_conflicts=request.hold_conflicts,
            history=self._installation.history,
            facts=facts,
        )

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

    def _warm_all(self) -> None:
        for level in self._installation.policies.levels():
            self._warm(self._installation.policies.current(level))

    def _warm(self, policy: Policy) -> None:
        """Keep sandboxes of this policy's spec ready; retire those of the policy that was in force before."""
        spec = policy.warm_spec(self._installation.host)
        with self._lock:
            old = self._warm_specs.get(policy.level)
            if old is not None and old != spec:
                self._pools.drain(old)
            pool = policy.parts.pool
            self._pools.configure(spec, self._warm_target(policy), SpecCeilings(pool.max_containers, pool.max_waiting))
            self._warm_specs[policy.level] = spec
            self._warmed[policy.level] = policy.digest

    def _warm_target(self, policy: Policy) -> int:
        """What settings say; else what the policy says, as far as the budget reaches."""
        asked = self.settings.warm_targets.get(policy.level)
        if asked is not None:
            return asked
        others = [spec for level, spec in self._warm_specs.items() if level != policy.level]
        taken = sum(row.warm_target for row in self._pools.stats().specs if row.digest in {s.digest() for s in others})
        return max(0, min(policy.parts.pool.warm_target, self.settings.max_containers - taken))

    def prime(self, timeout: float = 60.0) -> None:
        """Wait until every warm target is reached. Raises PoolTimeout, PostureError or OperatorError."""
        self._pools.prime(timeout)

    def resize(self, level: str, warm_target: int) -> None:
        """Keep another number of idle sandboxes for one security level. Raises SettingsError."""
        if level not in self._warm_specs:
            raise SettingsError(f"no policy is in force for level {one_line(level, 40)!r}")
        self._pools.resize(self._warm_specs[level], warm_target)

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
            self._installation.close()

    def __enter__(self) -> Orchestrator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


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
