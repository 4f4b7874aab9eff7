"""What a session has, has used and has set aside, as plain values. Times are Unix seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Budget:
    """For all runs of a session together; None: no such limit.

    ``runs`` counts calls of ``run`` whose skill began. ``network_requests`` counts attempts to connect, as the executor
    inside the sandbox tells (``Usage.connection_attempts``): there is no network, so none succeeds, and a skill that
    breaks out of Python can hide its own. 0 means that the first attempt ends the session.
    """

    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    runs: int | None = None
    network_requests: int | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What one run, or all of them, took."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    runs: int = 0
    network_requests: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.wall_seconds + other.wall_seconds,
            self.cpu_seconds + other.cpu_seconds,
            self.runs + other.runs,
            self.network_requests + other.network_requests,
        )


SessionCondition = Literal["open", "closed", "expired"]


@dataclass(frozen=True, slots=True)
class SessionState:
    """``reserved``: what runs under way have set aside; ``left``: what a run that began now could have of each budget,
    never below 0."""

    id: str
    opened_at: float
    used_at: float
    condition: SessionCondition
    label: str = ""
    budget: Budget = field(default_factory=Budget)
    used: Spent = field(default_factory=Spent)
    reserved: Spent = field(default_factory=Spent)

    @property
    def left(self) -> Budget:
        taken = self.used + self.reserved
        return Budget(
            _left(self.budget.wall_seconds, taken.wall_seconds),
            _left(self.budget.cpu_seconds, taken.cpu_seconds),
            _whole(self.budget.runs, taken.runs),
            _whole(self.budget.network_requests, taken.network_requests),
        )


def _left(budget: float | None, taken: float) -> float | None:
    return None if budget is None else max(0.0, budget - taken)


def _whole(budget: int | None, taken: int) -> int | None:
    return None if budget is None else max(0, budget - taken)
