"""``Outbox``: one channel's alerts on their way, sent one after another by a thread of its own.

The thread starts with the first alert. What does not fit is dropped and counted; what cannot be sent is logged.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from loguru import logger

from orchestrator.alerts.channels import Channel, ChannelFault
from orchestrator.alerts.model import Notice, document
from orchestrator.alerts.threads import joined, started
from orchestrator.outputs.secrets import Detector

CAPACITY: Final = 100
STOP_SECONDS: Final = 1.0  # for a channel to end once it was told to


def untold(notice: Notice, took: bool) -> None:
    pass


class Outbox:
    """Thread-safe. ``put`` never waits and never raises. ``report`` is called in the outbox's thread with each notice
    that was tried, and whether the channel took it; it must not raise."""

    def __init__(
        self,
        channel: Channel,
        detector: Detector,
        report: Callable[[Notice, bool], None] = untold,
        *,
        capacity: int = CAPACITY,
    ) -> None:
        self.channel = channel
        self._detector, self._report, self._capacity = detector, report, capacity
        self._ready = threading.Condition()
        self._waiting: deque[Notice] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._in_hand = False
        self.dropped = 0

    def put(self, notice: Notice) -> bool:
        """Whether it will be tried."""
        with self._ready:
            if self._closed or len(self._waiting) >= self._capacity:
                self.dropped += 1
                return False
            self._waiting.append(notice)
            if self._thread is None:
                self._thread = started(self._work, self.channel.name)
            self._ready.notify()
            return self._thread is not None

    def close(self, deadline: float) -> int:
        """Take no more, send what waits until ``deadline`` (monotonic), and stop the channel then; how many were not
        sent in all."""
        with self._ready:
            self._closed = True
            self._ready.notify()
        joined(self._thread, deadline)
        with self._ready:
            left = len(self._waiting) + self._in_hand
            self._waiting.clear()
            stuck = self._in_hand
        if stuck:
            self.channel.stop()
            joined(self._thread, time.monotonic() + STOP_SECONDS)
        return left + self.dropped

    def _work(self) -> None:
        while (notice := self._next()) is not None:
            self._report(notice, self._sent(notice))

    def _sent(self, notice: Notice) -> bool:
        try:
            self.channel.send(document(notice, self._detector))
        except ChannelFault as fault:
            logger.warning("an alert could not be sent by {}: {}", self.channel.name, fault)
        except Exception as error:  # noqa: BLE001 - a fault in here must not end the channel; told
            logger.error("an alert could not be sent by {}: {}", self.channel.name, type(error).__name__)
        else:
            return True
        return False

    def _next(self) -> Notice | None:
        with self._ready:
            self._in_hand = False
            while not self._waiting and not self._closed:
                self._ready.wait()
            self._in_hand = bool(self._waiting)
            return self._waiting.popleft() if self._waiting else None
