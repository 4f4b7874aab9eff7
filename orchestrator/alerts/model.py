"""``Alert``, and what of it leaves this process: capped, on one line each, without secrets. Pure but for the clock."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

from orchestrator.outputs.secrets import Detector
from orchestrator.text import one_line

AlertKind = Literal["run_failed", "quarantined", "audit", "pool_degraded", "pool_recovered", "program", "test"]
OPPOSITES: Final[Mapping[AlertKind, AlertKind]] = {"pool_degraded": "pool_recovered", "pool_recovered": "pool_degraded"}
MAX_MESSAGE: Final = 500  # characters
MAX_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that the operator wants to know. ``message`` is a sentence of ours, which may quote an error of ours or
    of the engine: neither the words of a skill nor anything from a note. ``rule`` says what kind of ``kind`` it is (a
    status, a rule's id); alerts that are alike in kind, skill and rule are told once in a while. ``at`` is Unix time in
    seconds."""

    kind: AlertKind
    message: str
    skill: str = ""  # name@version
    rule: str = ""
    run_id: str = ""
    at: float = field(default_factory=time.time)

    @property
    def key(self) -> tuple[str, str, str]:
        return self.kind, self.skill, self.rule


@dataclass(slots=True)
class Slip:
    """Where an alert is in the journal; None: not there (yet)."""

    id: int | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """An alert on its way. ``suppressed``: alike ones that were not sent since the last one that was; ``limited``:
    any that the hourly limit kept back since then."""

    alert: Alert
    suppressed: int = 0
    limited: int = 0
    slip: Slip = field(default_factory=Slip, compare=False)


def document(notice: Notice, detector: Detector) -> dict[str, Any]:
    """The plain JSON values that every channel gets."""
    alert = notice.alert

    def shown(text: str, limit: int) -> str:
        return one_line(detector.redacted_text(text[: 4 * limit]), limit)

    return {
        "source": "skill-orchestrator",
        "format": 1,
        "kind": alert.kind,
        "skill": shown(alert.skill, MAX_NAME),
        "rule": shown(alert.rule, MAX_NAME),
        "run_id": shown(alert.run_id, MAX_NAME),
        "message": shown(alert.message, MAX_MESSAGE),
        "time": datetime.fromtimestamp(alert.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "suppressed": notice.suppressed,
        "limited": notice.limited,
    }


def title(told: dict[str, Any]) -> str:
    """One line for channels that have a headline."""
    return " ".join(part for part in ("skill-orchestrator:", told["kind"].replace("_", " "), told["skill"]) if part)
