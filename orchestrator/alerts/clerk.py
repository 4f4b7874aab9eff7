"""``Clerk``: does the journal's work in a thread of its own, so that a database that does not answer holds none up.

What is asked for is waited for a moment, and given up then. Work is done in the order in which it was handed in. What
fails is logged, the first time as a warning: alerts go out without it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from loguru import logger

from orchestrator.alerts.threads import joined, started
from orchestrator.errors import OrchestratorError

T = TypeVar("T")
ANSWER_SECONDS: Final = 1.0
CAPACITY: Final = 1000


class GaveUp(Exception):  # noqa: N818 - raised in work whose answer nobody waits for any more
    """Nothing of this work shall be kept."""


class Question(Generic[T]):
    """``answer`` is None until there is one, and where there will be none."""

    def __init__(self, work: Callable[[Callable[[], None]], T]) -> None:
        self._work = work
        self._settled = threading.Event()
        self.given_up = False
        self.answer: T | None = None

    def __call__(self) -> None:
        try:
            self._wanted()
            self.answer = self._work(self._wanted)
        finally:
            self._settled.set()

    def _wanted(self) -> None:
        if self.given_up:
            raise GaveUp

    def wait(self, seconds: float) -> T | None:
        if not self._settled.wait(seconds):
            self.given_up = True
        return self.answer


class Clerk:
    """Thread-safe. Neither ``ask`` nor ``put`` raises."""

    def __init__(self, *, seconds: float = ANSWER_SECONDS, capacity: int = CAPACITY) -> None:
        self._seconds, self._capacity = seconds, capacity
        self._ready = threading.Condition()
        self._waiting: deque[Callable[[], object]] = deque()
        self._thread: threading.Thread | None = None
        self._stuck = self._closed = self._failed = False

    def ask(self, work: Callable[[Callable[[], None]], T]) -> T | None:
        """What ``work`` gives; None where it fails or takes longer than the bound. It gets a function to call before it
        commits, which raises when nobody waits any more. Behind work that hangs it is not even tried."""
        question = Question(work)
        if self._stuck or not self.put(question):
            return None
        answer = question.wait(self._seconds)
        with self._ready:
            self._stuck = question.given_up
        return answer

    def put(self, work: Callable[[], object]) -> bool:
        """Whether it will be done, sometime."""
        with self._ready:
            if self._closed or len(self._waiting) >= self._capacity:
                return False
            self._waiting.append(work)
            if self._thread is None:
                self._thread = started(self._work, "journal")
            self._ready.notify()
            return self._thread is not None

    def close(self, deadline: float) -> bool:
        """Take no more, do what waits until ``deadline`` (monotonic); whether all of it was done."""
        with self._ready:
            self._closed = True
            self._ready.notify()
        done = joined(self._thread, deadline)
        with self._ready:
            self._waiting.clear()
        return done

    def _work(self) -> None:
        while (work := self._next()) is not None:
            try:
                work()
            except GaveUp:
                pass
            except Exception as error:  # noqa: BLE001 - the journal is the least of an alert's troubles; told
                self._tell(error)

    def _tell(self, error: Exception) -> None:
        why = str(error) if isinstance(error, OrchestratorError) else type(error).__name__
        logger.log("DEBUG" if self._failed else "WARNING", "alerts could not be noted in the records: {}", why)
        self._failed = True

    def _next(self) -> Callable[[], object] | None:
        with self._ready:
            while not self._waiting and not self._closed:
                self._ready.wait()
            self._stuck = False
            return self._waiting.popleft() if self._waiting else None
