"""Between what came back from a sandbox and its status: the outcome and the report, without what may not be handed on.

The status is found from what is left, so no reason quotes a secret.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from orchestrator.outputs.screen import Screen
from orchestrator.results.classify import Report, Verdict, classify
from orchestrator.results.model import SkillError, Status
from orchestrator.sandbox.outcome import Outcome
from orchestrator.sandbox.spec import Limits
from orchestrator.validation.finding import Finding
from orchestrator.vault.transaction import Landed


@dataclass(frozen=True, slots=True)
class Screened:
    """``blocked``: why the output is withheld; a run that went well is denied then, and its changes do not land."""

    outcome: Outcome
    report: Report
    verdict: Verdict
    blocked: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()


def screened(screen: Screen, outcome: Outcome, report: Report, limits: Limits) -> Screened:
    error = report.error
    texts = screen.texts(
        outcome,
        report.value,
        report.problems,
        None if error is None else (error.type, error.message, error.traceback),
    )
    clean = replace(
        report,
        value=texts.value,
        problems=texts.problems,
        error=None if texts.error is None else SkillError(*texts.error),
    )
    verdict = classify(texts.outcome, clean, limits)
    if texts.blocked and verdict.status is Status.SUCCEEDED:
        more = f" (and {len(texts.blocked) - 1} more)" if len(texts.blocked) > 1 else ""
        verdict = Verdict(Status.DENIED, f"the result is withheld: {texts.blocked[0]}{more}")
    return Screened(texts.outcome, clean, verdict, texts.blocked, texts.warnings)


def told(screen: Screen, landed: Landed) -> Landed:
    """What is said about a landing: names and lines that a run chose, without secrets."""
    refused, diff = screen.shown(landed.refused, landed.diff)
    return landed if (refused, diff) == (landed.refused, landed.diff) else replace(landed, refused=refused, diff=diff)
