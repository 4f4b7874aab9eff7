"""Puts a ``RunResult`` together from the parts that each stage produced. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.errors import PolicyError
from orchestrator.manifest.model import SkillManifest
from orchestrator.policy.decision import Decision
from orchestrator.policy.enforcement import noted_by_guards
from orchestrator.results.classify import Report, Verdict
from orchestrator.results.model import RunResult, Status, Timings, Usage
from orchestrator.sandbox.outcome import FinalReport, Outcome
from orchestrator.text import decode, one_line
from orchestrator.validation.finding import Finding
from orchestrator.vault.transaction import Landed

RULE_NO_POLICY = "POL001"


def policy_finding(error: PolicyError) -> Finding:
    """A missing or broken policy as the violation that denies the run."""
    return Finding(RULE_NO_POLICY, "policy", error.message, fix=error.hint)


def denied_result(run_id: str, skill: SkillManifest, decision: Decision, timings: Timings) -> RunResult:
    first = decision.violations[0] if decision.violations else None
    more = f" (and {len(decision.violations) - 1} more)" if len(decision.violations) > 1 else ""
    return RunResult(
        run_id=run_id,
        skill=f"{skill.name}@{skill.version}",
        level=decision.level,
        status=Status.DENIED,
        reason=one_line(f"{_who_denies(first, decision.level)}: {first}{more}", 2000)
        if first
        else "the policy denies it",
        violations=decision.violations,
        warnings=decision.warnings,
        enforcement=decision.enforcement,
        would_deny=decision.would_deny,
        policy_digest=decision.policy_digest,
        manifest_digest=skill.digest,
        timings=timings,
    )


def _who_denies(finding: Finding, level: str) -> str:
    """REG and SES are the registry's and a session's rules."""
    return "it may not run" if finding.rule.startswith(("REG", "SES")) else f"the {level} policy denies it"


def landing_verdict(landed: Landed, verdict: Verdict) -> Verdict:
    """What a run that went well comes to, once it is known what became of its changes."""
    if landed.refused:
        first, more = landed.refused[0], len(landed.refused) - 1
        reason = f"nothing was written to the vault: {first}" + (f" (and {more} more)" if more else "")
        return Verdict(Status.CONFLICT if landed.conflict else Status.DENIED, reason)
    if landed.reasons:
        return Verdict(Status.HELD, "the changes wait for a review: " + "; ".join(landed.reasons))
    return verdict


def _usage(final: FinalReport | None) -> Usage:
    if final is None:
        return Usage()
    return Usage(
        wall_seconds=final.wall_seconds,
        user_cpu_seconds=final.user_cpu_seconds,
        system_cpu_seconds=final.system_cpu_seconds,
        memory_peak_bytes=final.memory_peak_bytes,
        pids_peak=final.pids_peak,
        bytes_written=final.bytes_written,
        file_opens=final.file_opens,
        write_opens=final.write_opens,
        connection_attempts=final.connection_attempts,
    )


def _would_deny(decision: Decision, final: FinalReport | None) -> tuple[Finding, ...]:
    """What the policy said before the run, and what the guards noted during it: the latter is the executor's word."""
    if decision.enforcement != "audit" or final is None:
        return decision.would_deny
    return (*decision.would_deny, *noted_by_guards(final.guard_notes, decision.would_deny))


@dataclass(frozen=True, slots=True)
class Parts:
    """What the stages of an allowed run produced."""

    outcome: Outcome
    report: Report
    verdict: Verdict
    landed: Landed
    timings: Timings
    warm: bool
    image_id: str
    dry: bool = False
    blocked: tuple[Finding, ...] = ()  # why the output is withheld
    warnings: tuple[Finding, ...] = ()  # about the output


def cancelled_parts(image_id: str) -> Parts:
    """A run that was cancelled while it waited for a sandbox."""
    verdict = Verdict(Status.CANCELLED, "the caller cancelled the run before a sandbox was free; nothing ran")
    return Parts(Outcome(), Report(), verdict, Landed(), timings=Timings(), warm=False, image_id=image_id)


def no_sandbox_result(run_id: str, skill: SkillManifest, error: Exception) -> RunResult:
    """What stands for a run that never began, where its manifest has a fallback for it."""
    return RunResult(
        run_id=run_id,
        skill=f"{skill.name}@{skill.version}",
        level=skill.security_level,
        status=Status.SANDBOX_ERROR,
        reason=one_line(f"no sandbox could be had, so nothing ran: {error}", 2000),
        attempts=0,
        manifest_digest=skill.digest,
    )


def run_result(run_id: str, skill: SkillManifest, decision: Decision, parts: Parts) -> RunResult:
    """``output`` is there only when the run went well: what a failed run handed in is not to be used by mistake."""
    outcome, report, verdict = parts.outcome, parts.report, parts.verdict
    final = outcome.final
    return RunResult(
        run_id=run_id,
        skill=f"{skill.name}@{skill.version}",
        level=decision.level,
        status=verdict.status,
        reason=verdict.reason,
        output=report.value if verdict.status in (Status.SUCCEEDED, Status.HELD) else None,
        stdout=decode(bytes(outcome.stdout), len(outcome.stdout)),
        stderr=decode(bytes(outcome.stderr), len(outcome.stderr)),
        error=report.error,
        changes=parts.landed.changes,
        committed=verdict.status is Status.SUCCEEDED and bool(parts.landed.changes) and not parts.dry,
        diff=parts.landed.diff,
        usage=_usage(final),
        timings=parts.timings,
        warm=parts.warm,
        exit_code=None if final is None else final.exit_code,
        signal=None if final is None else final.signal,
        violations=(*parts.blocked, *parts.landed.refused),
        warnings=(*decision.warnings, *parts.warnings, *parts.landed.warnings),
        enforcement=decision.enforcement,
        would_deny=_would_deny(decision, final),
        policy_digest=decision.policy_digest,
        image_id=parts.image_id,
        manifest_digest=skill.digest,
    )
