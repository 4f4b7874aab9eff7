"""``Keeper``: keeps the dashboard current in the background.

Whoever changed something says so, which costs a lock; a thread writes, however often it was told, at most once per
interval, and once more at the end if something was not written yet. Nothing in here reaches a run: what fails is
logged, and tried again an interval later.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from loguru import logger

from orchestrator import forks
from orchestrator.dashboard.note import Written

_CLOSE_SECONDS: Final = 10.0  # a vault that hangs must not hold the end of the process


class Keeper:
    """Thread-safe. The thread begins with the first change. In a forked child nothing is kept: that is the parent's."""

    def __init__(
        self,
        refresh: Callable[[], Written],
        *,
        interval_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``refresh`` writes what is so now, and is called in one thread only; what it raises is logged."""
        self._refresh, self._interval, self._clock = refresh, interval_seconds, clock
        self._reset()
        forks.watch(self)

    def _reset(self) -> None:
        self._wake = threading.Condition()
        self._changed = self._closing = False
        self._wrote_at: float | None = None
        self._thread: threading.Thread | None = None

    def changed(self) -> None:
        """Something that the dashboard shows may be different now. Never raises and never waits for a disk."""
        with self._wake:
            if self._closing:
                return
            self._changed = True
            if self._thread is None and not self._start():
                return
            self._wake.notify_all()

    def _start(self) -> bool:
        thread = threading.Thread(target=self._work, name="dashboard", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the interpreter is on its way out, or no thread can be had
            logger.warning("the dashboard is not kept now: {}", error)
            return False
        self._thread = thread
        return True

    def close(self, timeout: float = _CLOSE_SECONDS) -> None:
        """Write what is not written yet, and stop; waits ``timeout`` seconds at most. Idempotent."""
        with self._wake:
            self._closing = True
            thread = self._thread
            self._wake.notify_all()
        if thread is not None:
            thread.join(timeout)
            if thread.is_alive():
                logger.warning("the dashboard is still being written; it is left to itself")

    def after_fork_in_child(self) -> None:
        self._reset()
        self._closing = True

    def _work(self) -> None:
        while self._due():
            again = self._written()
            with self._wake:
                self._wrote_at = self._clock()
                self._changed = self._changed or again

    def _due(self) -> bool:
        """Wait until it is time to write. False: it is time to stop."""
        with self._wake:
            while not self._closing:
                wait = None if not self._changed else self._until_next()
                if wait == 0:
                    break
                self._wake.wait(wait)
            due, self._changed = self._changed, False
            return due

    def _until_next(self) -> float:
        return 0 if self._wrote_at is None else max(0, self._wrote_at + self._interval - self._clock())

    def _written(self) -> bool:
        """Write; whether it has to be tried again."""
        try:
            again = self._refresh().state == "conflict"
        except Exception as error:  # noqa: BLE001 - the thread must survive whatever a vault or a source does
            logger.warning("the dashboard could not be written; it is tried again: {!r}", error)
            again = True
        return again and not self._closing
