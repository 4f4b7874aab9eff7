"""``Backoff``: when something that failed may be tried again, and how often at once. No clock and no sleeping here."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

UNLIMITED = 2**31


@dataclass(frozen=True, slots=True)
class Delays:
    """First and longest pause, in seconds. A pause doubles from one to the other."""

    first: float
    longest: float


class Backoff:
    """Exponential, with jitter (50-100 % of the nominal pause, so that many processes do not retry in step).

    While failing, one attempt at a time probes; the first success lifts the restriction. Attempts that had begun
    before the last noted failure are part of its round: three creators failing together make one round, not three.
    """

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._first_at = self._noted_at = 0.0
        self.rounds = 0  # consecutive rounds of failure; 0 is healthy
        self.retry_at = 0.0

    def failed(self, now: float, began: float, delays: Delays) -> None:
        if self.rounds and began <= self._noted_at:
            return
        nominal = min(delays.longest, delays.first * 2.0 ** min(self.rounds, 30))
        if not self.rounds:
            self._first_at = now
        self.rounds += 1
        self._noted_at = now
        self.retry_at = now + nominal * (0.5 + 0.5 * self._jitter())

    @property
    def lasted(self) -> float:
        """Seconds from the first failure to the last one noted, of the present row of failures."""
        return self._noted_at - self._first_at if self.rounds else 0.0

    def reset(self) -> None:
        self.rounds = 0

    def startable(self, now: float, in_progress: int) -> int:
        """How many attempts may begin now."""
        if not self.rounds:
            return UNLIMITED
        return int(now >= self.retry_at and not in_progress)
