"""What a dashboard shows, as plain values. Times are Unix seconds. All text is untrusted: escape it where shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SkillRow:
    """``skill`` is "name@version". ``success_rate`` is from 0 to 1; None: no run says anything about it. ``errors``
    counts the runs that did not go well. ``state``: healthy, failing, quarantined, disabled and the like."""

    skill: str
    runs: int = 0
    success_rate: float | None = None
    last_at: float | None = None
    errors: int = 0
    state: str = ""


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """An item that waits for a person. ``kind``: "changes", or "failure"."""

    id: str
    skill: str
    kind: str
    reason: str
    asked_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class RunRow:
    run_id: str
    skill: str
    status: str
    at: float


@dataclass(frozen=True, slots=True)
class TroubleRow:
    """A skill that the operator should see to. ``state``: failing, or quarantined. ``at``: of its last run."""

    skill: str
    state: str
    why: str = ""
    at: float | None = None


@dataclass(frozen=True, slots=True)
class AlertRow:
    """What the operator was told, or would have been by a channel. ``skill`` "": it is about no skill. ``suppressed``:
    alike ones that were kept back since."""

    kind: str
    skill: str
    message: str
    at: float
    suppressed: int = 0


@dataclass(frozen=True, slots=True)
class PoolRow:
    """How many sandboxes of ``what`` (a level, an orchestrator) there are, by a word for their state."""

    what: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Section(Generic[T]):
    """Rows of one kind, as many as are shown; ``more`` are there besides. ``unknown``: why there are none to show."""

    rows: tuple[T, ...] = ()
    more: int = 0
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Equal when they say the same, whenever that was."""

    at: float = field(compare=False)
    skills: Section[SkillRow] = field(default_factory=Section)
    reviews: Section[ReviewRow] = field(default_factory=Section)
    runs: Section[RunRow] = field(default_factory=Section)
    troubled: Section[TroubleRow] = field(default_factory=Section)
    alerts: Section[AlertRow] = field(default_factory=Section)
    pool: Section[PoolRow] = field(default_factory=Section)
