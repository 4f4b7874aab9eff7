"""What a check is and what it finds. A check is data and a pure look at facts; unknown is never a pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from orchestrator.errors import OrchestratorError
from orchestrator.text import one_line

_EVIDENCE_CHARACTERS: Final = 2000
_UNUSABLE: Final = (OrchestratorError, OSError, LookupError, TypeError, ValueError, AttributeError, RecursionError)
"""What looking at an engine's or a kernel's answer may raise when it is not of the form that was expected."""


class Severity(StrEnum):
    """What it means when a check does not pass."""

    FATAL = "F"  # do not run skills here
    WARNING = "W"  # weaker than it could be
    INFO = "I"  # good to know


class Outcome(StrEnum):
    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Seen:
    """``severity`` replaces the check's, where how bad it is depends on what was seen."""

    outcome: Outcome
    evidence: str
    severity: Severity | None = None


def passed(evidence: str) -> Seen:
    return Seen(Outcome.PASS, evidence)


def failed(evidence: str, severity: Severity | None = None) -> Seen:
    return Seen(Outcome.FAIL, evidence, severity)


def unknown(evidence: str, severity: Severity | None = None) -> Seen:
    return Seen(Outcome.UNKNOWN, evidence, severity)


def either(good: bool, evidence: str) -> Seen:
    return passed(evidence) if good else failed(evidence)


@dataclass(frozen=True, slots=True)
class Result:
    """``id`` is stable. ``evidence`` is one line, safe to show; ``fix`` is "" where there is nothing to do."""

    id: str
    title: str
    severity: Severity
    outcome: Outcome
    evidence: str
    fix: str = ""

    @property
    def blocks(self) -> bool:
        return self.severity is Severity.FATAL and self.outcome is not Outcome.PASS


F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and what to do unless the answer is good."""

    id: str
    title: str
    severity: Severity
    fix: str = ""

    def settled(self, seen: Seen) -> Result:
        evidence = one_line(seen.evidence, _EVIDENCE_CHARACTERS)
        fix = "" if seen.outcome is Outcome.PASS else self.fix
        return Result(self.id, self.title, seen.severity or self.severity, seen.outcome, evidence, fix)


@dataclass(frozen=True, slots=True)
class Check(Generic[F]):
    """A question that facts of the kind ``F`` answer. ``look`` decides; it may raise on facts it cannot read."""

    id: str
    title: str
    severity: Severity
    look: Callable[[F], Seen]
    fix: str = ""

    def result(self, facts: F) -> Result:
        try:
            seen = self.look(facts)
        except _UNUSABLE as error:
            seen = unknown(f"cannot be read: {type(error).__name__}: {error}")
        return Question(self.id, self.title, self.severity, self.fix).settled(seen)


def examine(checks: Iterable[Check[F]], facts: F) -> tuple[Result, ...]:
    return tuple(check.result(facts) for check in checks)


@dataclass(frozen=True, slots=True)
class Report:
    results: tuple[Result, ...]

    @property
    def fit(self) -> bool:
        """Whether skills may be run here: nothing fatal failed, and nothing fatal stayed unknown."""
        return bool(self.results) and not any(result.blocks for result in self.results)

    def document(self) -> dict[str, Any]:
        return {"fit": self.fit, "checks": [asdict(result) for result in self.results]}
