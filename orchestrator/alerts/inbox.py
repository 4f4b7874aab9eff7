"""``Inbox``: alerts that nobody has looked at yet. Alike ones wait as one, with their number."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from orchestrator.alerts.model import OPPOSITES, Alert
from orchestrator.alerts.threads import joined, started

CAPACITY: Final = 1000


@dataclass(slots=True)
class Waiting:
    """``times``: how many there were; all but the first are like ``alert``."""

    alert: Alert
    times: int = 1


class Inbox:
    """Thread-safe. ``put`` neither waits nor raises. ``look`` is called with what waits, one after another, in a
    thread of the inbox's own; it must not raise."""

    def __init__(self, look: Callable[[Waiting], None], *, merge: bool = True, capacity: int = CAPACITY) -> None:
        """``merge`` False: each waits for itself."""
        self._look, self._merge, self._capacity = look, merge, capacity
        self._ready = threading.Condition()
        self._waiting: deque[Waiting] = deque()
        self._newest: dict[tuple[str, str, str], Waiting] = {}
        self._thread: threading.Thread | None = None
        self._closed = False

    def put(self, alert: Alert) -> bool:
        """Whether somebody will look at it."""
        with self._ready:
            if self._closed:
                return False
            if (alike := self._alike(alert)) is not None:
                alike.times += 1
                return True
            if len(self._waiting) >= self._capacity:
                return False
            self._newest[alert.key] = waiting = Waiting(alert)
            self._waiting.append(waiting)
            if self._thread is None:
                self._thread = started(self._work, "inbox")
            self._ready.notify()
            return True

    def _alike(self, alert: Alert) -> Waiting | None:
        """None while the opposite waits too: then the order is what counts."""
        opposite = OPPOSITES.get(alert.kind)
        opposed = opposite is not None and (opposite, alert.skill, alert.rule) in self._newest
        return self._newest.get(alert.key) if self._merge and not opposed else None

    def close(self, deadline: float) -> int:
        """Take no more, and wait until ``deadline`` (monotonic) for what waits; how many nobody looked at."""
        with self._ready:
            self._closed = True
            self._ready.notify()
        joined(self._thread, deadline)
        with self._ready:
            left = sum(each.times for each in self._waiting)
            self._waiting.clear()
            self._newest.clear()
        return left

    def _work(self) -> None:
        while (waiting := self._next()) is not None:
            self._look(waiting)

    def _next(self) -> Waiting | None:
        with self._ready:
            while not self._waiting and not self._closed:
                self._ready.wait()
            if not self._waiting:
                return None
            waiting = self._waiting.popleft()
            if self._newest.get(waiting.alert.key) is waiting:
                del self._newest[waiting.alert.key]
            return waiting
