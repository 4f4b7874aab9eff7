"""``Outbox``: one channel's alerts on their way, sent one after another by a thread of its own.

The thread starts with the first alert. What does not fit is dropped and counted; what cannot be sent is logged.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Final

from loguru import logger

from orchestrator.alerts.channels import Channel, ChannelFault
from orchestrator.alerts.model import Notice, document
from orchestrator.outputs.secrets import Detector

CAPACITY: Final = 100


class Outbox:
    """Thread-safe. ``put`` never waits and never raises."""

    def __init__(self, channel: Channel, detector: Detector, *, capacity: int = CAPACITY) -> None:
        self.channel = channel
        self._detector, self._capacity = detector, capacity
        self._ready = threading.Condition()
        self._waiting: deque[Notice] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.dropped = 0

    def put(self, notice: Notice) -> bool:
        """Whether it will be tried."""
        with self._ready:
            if self._closed or len(self._waiting) >= self._capacity:
                self.dropped += 1
                return False
            self._waiting.append(notice)
            if self._thread is None and not self._start():
                return False
            self._ready.notify()
            return True

    def _start(self) -> bool:
        thread = threading.Thread(target=self._work, name=f"alerts-{self.channel.name}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads: the next alert tries again
            logger.warning("alerts by {} wait: {}", self.channel.name, error)
            return False
        self._thread = thread
        return True

    def close(self, deadline: float) -> int:
        """Take no more, send what waits until ``deadline`` (monotonic); how many were not sent in all."""
        with self._ready:
            self._closed = True
            self._ready.notify()
        if self._thread is not None:
            self._thread.join(max(0.0, deadline - time.monotonic()))
        with self._ready:
            left = len(self._waiting)
            self._waiting.clear()  # the thread, if it is stuck, ends after the one that it has
        return left + self.dropped

    def _work(self) -> None:
        while (notice := self._next()) is not None:
            try:
                self.channel.send(document(notice, self._detector))
            except ChannelFault as fault:
                logger.warning("an alert could not be sent by {}: {}", self.channel.name, fault)
            except Exception as error:  # noqa: BLE001 - a fault in here must not end the channel; told
                logger.error("an alert could not be sent by {}: {}", self.channel.name, type(error).__name__)

    def _next(self) -> Notice | None:
        with self._ready:
            while not self._waiting and not self._closed:
                self._ready.wait()
            return self._waiting.popleft() if self._waiting else None
