"""``Runner``: one allowed run, from the lease of a sandbox to what became of its changes.

    lease a warm sandbox -> fit its limits -> run -> screen -> classify -> land changes -> Parts

Another sandbox is taken only while nothing can have come of the job: it was not sent, or its sandbox is gone and had
given no sign of it (what it may have done there went with it: see docs/adr/0002). A run is repeated only where somebody
else's edit was in the way and the caller asked for that. Both are bounded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tenacity import RetryCallState, Retrying, retry_if_exception_type, retry_if_result, stop_after_attempt, wait_random

from orchestrator.errors import EngineError, LeaseCancelled, SandboxError
from orchestrator.events import RunEvent
from orchestrator.installation import Installation
from orchestrator.jobs import job_for
from orchestrator.live import Live, OnEvent
from orchestrator.manifest import SkillManifest
from orchestrator.manifest.model import VaultGrants
from orchestrator.outputs.screen import Screen
from orchestrator.policy import Decision
from orchestrator.pool import Lease, WarmPools
from orchestrator.results.assemble import Parts, cancelled_parts, landing_verdict
from orchestrator.results.model import Status, Timings
from orchestrator.results.report import parse_report
from orchestrator.results.screening import screened, told
from orchestrator.sandbox.outcome import Job
from orchestrator.sandbox.sandbox import Sandbox
from orchestrator.sandbox.spec import Limits, SandboxSpec
from orchestrator.text import one_line
from orchestrator.vault.history import RunFacts
from orchestrator.vault.transaction import Landed, OnRecord, Terms, begin, land

_START_ATTEMPTS = 3  # sandboxes tried for one run; another is only taken while nothing can have come of the job

_CONFLICT_ATTEMPTS = 3  # runs of one call with on_conflict="retry"
_REASON = 500  # characters
_CONFLICT_PAUSE_SECONDS = 0.1  # at most, before the next: whoever edits is likely to save again at once

OnConflict = Literal["report", "retry"]


class _NotStarted(Exception):  # noqa: N818 - control flow of one retry
    """The sandbox broke before the job reached it, so another one may be tried."""


@dataclass(slots=True)
class Course:
    """How an attempt goes, also for whoever catches its error. ``runs``: how often it ran, or was about to; ``began``:
    whether, of the last of these, the job may have reached its sandbox; ``reasons``: why another run, or another
    sandbox, was needed."""

    run_id: str = ""
    runs: int = 0
    began: bool = False
    reasons: list[str] = field(default_factory=list)

    def conflict(self, state: RetryCallState) -> None:
        if state.outcome is not None:
            parts: Parts = state.outcome.result()
            self.reasons.append(one_line(f"met a conflict: {parts.verdict.reason}", _REASON))

    def broken(self, state: RetryCallState) -> None:
        if state.outcome is not None and (error := state.outcome.exception()) is not None:
            self.reasons.append(one_line(f"a sandbox broke before it had the job: {error.__cause__}", _REASON))


@dataclass(frozen=True, slots=True)
class Request:
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
    on_record: OnRecord | None = None  # see ``Terms``
    course: Course = field(default_factory=Course)

    @classmethod
    def of(
        cls,
        run_id: str,
        skill: SkillManifest,
        inputs: Mapping[str, Any],
        decision: Decision,
        *,
        on_event: OnEvent | None,
        cancelled: Callable[[], bool],
    ) -> Request:
        """``ValueError`` for a decision that denies: only an allowing one carries what is needed."""
        limits, grants, spec = decision.limits, decision.grants, decision.spec
        if limits is None or grants is None or spec is None:
            raise ValueError("an allowing decision carries a spec, limits and grants")
        job = job_for(run_id, skill, inputs, decision)
        return cls(skill, decision, job, limits, grants, spec, on_event, cancelled)


def most_attempts(on_conflict: OnConflict) -> int:
    """How often one attempt's skill may run."""
    return _CONFLICT_ATTEMPTS if on_conflict == "retry" else 1


class Runner:
    """Thread-safe. Knows what to run on; what was asked is in each ``Request``."""

    def __init__(self, installation: Installation, pools: WarmPools[Sandbox]) -> None:
        self._installation, self._pools = installation, pools

    def run(self, request: Request, on_conflict: OnConflict) -> Parts:
        """Run, and run again on a fresh view while it ends in conflicts and that was asked for; ``request.course`` has
        how often it ran. Only the last attempt's changes are kept for a person."""
        most, course = most_attempts(on_conflict), request.course

        def once() -> Parts:
            course.runs += 1
            course.began = False
            return self._execute(replace(request, hold_conflicts=course.runs == most))

        retrying = Retrying(
            stop=stop_after_attempt(most),
            wait=wait_random(0, _CONFLICT_PAUSE_SECONDS),
            retry=retry_if_result(lambda parts: parts.verdict.status is Status.CONFLICT),
            before_sleep=course.conflict,
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),  # the last one stands
        )
        return retrying(once)

    def _execute(self, request: Request) -> Parts:
        """Lease and run. Takes another sandbox only when the first one broke before it had the job."""
        if request.cancelled():  # a warm sandbox could be quicker than whoever looks
            return cancelled_parts(self._installation.host.image_id)
        attempts = Retrying(
            stop=stop_after_attempt(_START_ATTEMPTS),
            retry=retry_if_exception_type(_NotStarted),
            before_sleep=request.course.broken,
            reraise=True,
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

    def _in_sandbox(self, lease: Lease[Sandbox], request: Request) -> Parts:
        """One leased sandbox: adapt it, run, classify; land the changes of a run that succeeded."""
        sandbox, job, leased, course = lease.sandbox, request.job, time.monotonic(), request.course
        try:
            sandbox.fit(request.limits)
        except (SandboxError, EngineError) as error:
            raise _NotStarted from error
        begin(sandbox.slot, request.grants, request.decision.forbidden)
        course.began = True  # an error after this may be the job's, or of whoever is called
        if request.on_event is not None:
            request.on_event(RunEvent("started", job.run_id))
        screen = Screen(request.decision.outputs, self._installation.known)
        live = Live(
            self._installation.engine, sandbox.id, job.run_id, request.on_event, request.cancelled, screen=screen
        )
        outcome = sandbox.run(job, on_output=live.output, cancelled=live.poll)
        if not outcome.answered:
            course.began = False
            raise _NotStarted from SandboxError(outcome.failure)
        report = parse_report(outcome.result, request.skill, job.limits.result_bytes)
        seen = screened(screen, outcome, report, request.limits)
        live.end(seen.outcome)
        verdict, ran = seen.verdict, time.monotonic()
        landed = Landed()
        if verdict.status is Status.SUCCEEDED:
            landed = told(screen, land(sandbox.slot, request.limits, replace(self._terms(request), judge=screen.note)))
            verdict = landing_verdict(landed, verdict)
        timings = Timings(lease=lease.waited_seconds, run=ran - leased, commit=time.monotonic() - ran)
        image_id = self._installation.host.image_id
        dry = not request.commit
        return Parts(
            seen.outcome, seen.report, verdict, landed, timings=timings, warm=lease.warm, image_id=image_id, dry=dry,
            blocked=seen.blocked, warnings=seen.warnings,
        )  # fmt: skip

    def _terms(self, request: Request) -> Terms:
        skill, decision = request.skill, request.decision
        facts = RunFacts(
            request.job.run_id, f"{skill.name}@{skill.version}", skill.code_digest, skill.digest, decision.level
        )
        return Terms(
            request.grants,
            decision.forbidden,
            decision.review,
            (*decision.warnings, *decision.would_deny),
            commit=request.commit,
            hold_conflicts=request.hold_conflicts,
            history=self._installation.history,
            facts=facts,
            on_record=request.on_record,
        )
