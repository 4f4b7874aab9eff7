"""``Throttle``: which alerts are sent, and how many were not. No I/O; the clock is given.

The first alert of its kind is sent at once. Alike ones within the interval are counted, and the next one that is sent
says how many there were. One that says the opposite (it is over) ends the interval: what begins again is told, else the
last word would be wrong. Over all kinds at most so many are sent within any hour; what that keeps back is counted too.

In memory, for one process: what rules where there is no journal, or it does not answer (``journal.py`` has the same
rules for all processes).
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from dataclasses import dataclass, replace
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

    def admit(self, alert: Alert, now: float, times: int = 1) -> Notice | None:
        """The notice to send, or None. ``now`` is monotonic, in seconds; ``times``: how many came at once."""
        while self._sent and now - self._sent[0] >= _HOUR_SECONDS:
            self._sent.popleft()
        self._end_opposite(alert)
        seen = self._seen.get(alert.key)
        if seen is not None and now - seen.sent_at < self._interval:
            seen.suppressed += times
            return None
        if len(self._sent) >= self._per_hour:
            self._limited += times
            return None
        return self._send(Notice(alert), now, times)

    def follow(self, alert: Alert, now: float, notice: Notice | None) -> Notice | None:
        """Another rules, and so it did; what it could not know, since it did not answer then, is added."""
        self._end_opposite(alert)
        return None if notice is None else self._send(notice, now, 1)

    def _end_opposite(self, alert: Alert) -> None:
        if (opposite := OPPOSITES.get(alert.kind)) and (past := self._seen.get((opposite, alert.skill, alert.rule))):
            past.sent_at = -math.inf

    def _send(self, notice: Notice, now: float, times: int) -> Notice:
        seen = self._seen.pop(notice.alert.key, None)
        known = 0 if seen is None else seen.suppressed
        limited, self._limited = self._limited, 0
        self._sent.append(now)
        self._seen[notice.alert.key] = _Seen(now, times - 1)
        if len(self._seen) > MAX_KEYS:
            self._seen.popitem(last=False)
        return replace(notice, suppressed=notice.suppressed + known, limited=notice.limited + limited)

    def unsent(self) -> int:
        """Alerts that no notice has told of so far."""
        return self._limited + sum(seen.suppressed for seen in self._seen.values())
