"""``Keeper``: keeps the dashboard current in the background.

A thread looks once per interval, since much of what is shown changes without anybody in this process noticing: other
processes, people, the time. Whoever does notice says so, which costs a lock; then it looks a moment later, when what
follows from a run has settled as well, and at most once per interval if there was something to write. It looks once
more at the end. Nothing in here reaches a run: what fails is logged, and tried again an interval later.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from loguru import logger

from orchestrator import forks
from orchestrator.dashboard.note import Written

_CLOSE_SECONDS: Final = 10.0  # a vault that hangs must not hold the end of the process
_SETTLE_SECONDS: Final = 1.0  # a run's end is one change, its sandbox's removal and the next one's start are more


class Refresh(Protocol):
    def __call__(self, *, last: bool) -> Written: ...


class Keeper:
    """Thread-safe. In a forked child nothing is kept: that is the parent's."""

    def __init__(
        self,
        refresh: Refresh,
        *,
        interval_seconds: float,
        settle_seconds: float = _SETTLE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``refresh`` writes what is so now, and is called in one thread only; what it raises is logged."""
        self._refresh, self._interval, self._clock = refresh, interval_seconds, clock
        self._settle = min(settle_seconds, interval_seconds)
        self._reset()
        forks.watch(self)

    def _reset(self) -> None:
        self._wake = threading.Condition()
        self._closing = False
        self._changed_at: float | None = None
        self._look_at = self._clock() + self._interval  # whether something changed or not
        self._free_at = self._clock()  # before that, it is too soon whatever changed
        self._thread: threading.Thread | None = None
        self._said = ""  # the last failure: told once, however often it is tried again

    def start(self) -> None:
        """From now on it looks once per interval. Never raises: where no thread can be had now, ``changed`` tries."""
        with self._wake:
            if self._thread is None and not self._closing:
                self._look_at = self._clock() + self._interval
                self._start()

    def changed(self) -> None:
        """Something that the dashboard shows may be different now. Never raises and never waits for a disk."""
        with self._wake:
            if self._closing:
                return
            if self._changed_at is None:
                self._changed_at = self._clock()
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
        """Look once more, and stop; waits ``timeout`` seconds at most. Idempotent."""
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
            written = self._written(last=False)
            with self._wake:
                self._plan(written)
        self._written(last=True)

    def _due(self) -> bool:
        """Wait until it is time to look. False: it is time to stop."""
        with self._wake:
            while not self._closing:
                wait = self._next() - self._clock()
                if wait <= 0:
                    self._changed_at = None
                    return True
                self._wake.wait(wait)
            return False

    def _next(self) -> float:
        """By the clock. The first change since the last look counts: those that follow do not put it off."""
        if self._changed_at is None:
            return self._look_at
        return min(self._look_at, max(self._free_at, self._changed_at + self._settle))

    def _plan(self, written: Written | None) -> None:
        """``written`` None: it failed."""
        now = self._clock()
        wait = self._interval
        if written is not None and written.state == "too_soon":
            wait = min(wait, written.wait_seconds)
        self._look_at = now + wait
        self._free_at = now if written is not None and written.state == "unchanged" else self._look_at

    def _written(self, *, last: bool) -> Written | None:
        try:
            written = self._refresh(last=last)
        except Exception as error:  # noqa: BLE001 - the thread must survive whatever a vault or a source does
            if repr(error) != self._said:
                logger.warning("the dashboard could not be written; it is tried again: {!r}", error)
            self._said = repr(error)
            return None
        self._said = ""
        return written
