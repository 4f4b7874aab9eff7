"""``Throttle``: which alerts are sent, and how many were not. No I/O; the clock is given.

The first alert of its kind is sent at once. Alike ones within the interval are counted, and the next one that is sent
says how many there were. One that says the opposite (it is over) ends the interval: what begins again is told, else the
last word would be wrong. Over all kinds at most so many are sent within any hour; what that keeps back is counted too.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Final

from orchestrator.alerts.model import OPPOSITES, Alert, Notice

MAX_KEYS: Final = 1000  # kinds of alerts remembered: skills choose their names, so there is no end of them
_HOUR_SECONDS: Final = 3600.0


@dataclass(slots=True)
class _Seen:
    sent_at: float
    suppressed: int = 0


class Throttle:
    """Not thread-safe."""

    def __init__(self, interval_seconds: float, per_hour: int) -> None:
        self._interval, self._per_hour = interval_seconds, per_hour
        self._seen: OrderedDict[tuple[str, str, str], _Seen] = OrderedDict()  # oldest first
        self._sent: deque[float] = deque()
        self._limited = 0

    def admit(self, alert: Alert, now: float) -> Notice | None:
        """The notice to send, or None. ``now`` is monotonic, in seconds."""
        while self._sent and now - self._sent[0] >= _HOUR_SECONDS:
            self._sent.popleft()
        if (opposite := OPPOSITES.get(alert.kind)) and (past := self._seen.get((opposite, alert.skill, alert.rule))):
            past.sent_at = -math.inf
        seen = self._seen.get(alert.key)
        if seen is not None and now - seen.sent_at < self._interval:
            seen.suppressed += 1
            return None
        if len(self._sent) >= self._per_hour:
            self._limited += 1
            return None
        notice = Notice(alert, 0 if seen is None else seen.suppressed, self._limited)
        self._limited = 0
        self._sent.append(now)
        self._seen.pop(alert.key, None)
        self._seen[alert.key] = _Seen(now)
        if len(self._seen) > MAX_KEYS:
            self._seen.popitem(last=False)
        return notice

    def unsent(self) -> int:
        """Alerts that no notice has told of so far."""
        return self._limited + sum(seen.suppressed for seen in self._seen.values())
