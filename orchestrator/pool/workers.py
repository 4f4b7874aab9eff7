"""Threads of the pool: a crew that takes jobs from a queue, and a ticker. They know nothing of sandboxes.

All are daemons (a forgotten pool does not keep the interpreter alive) and have names (a stack dump can be read).
None ever ends because of an exception: what it survived is logged.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Event, Thread
from time import monotonic
from typing import Generic, TypeVar

from loguru import logger

T = TypeVar("T")

TICK_AFTER_FAILURE_SECONDS = 1.0


class Crew(Generic[T]):
    """``size`` threads that call ``work`` with each job put. ``put`` may be called anywhere, even in ``__del__``."""

    def __init__(self, name: str, size: int, work: Callable[[T], None]) -> None:
        self._work = work
        self._jobs: SimpleQueue[T | None] = SimpleQueue()
        self.threads = [Thread(target=self._run, name=f"{name}-{number}", daemon=True) for number in range(size)]
        for thread in self.threads:
            thread.start()

    def put(self, job: T) -> None:
        self._jobs.put(job)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._work(job)
            except BaseException:  # noqa: BLE001 - even SystemExit must not take a worker away from the pool
                logger.exception("a pool worker survived an unexpected error")
            job = None  # or this frame would keep the last one alive, in a forked child for ever

    def stop(self, deadline: float) -> bool:
        """Let the threads finish what is queued, and join them; False if some still ran at ``deadline`` (monotonic)."""
        for _ in self.threads:
            self._jobs.put(None)
        return join(self.threads, deadline)


class Ticker:
    """Calls ``tick`` whenever the pause that it returned (seconds) is over, or ``ring`` was called."""

    def __init__(self, name: str, tick: Callable[[], float]) -> None:
        self._tick = tick
        self._bell = Event()
        self._stopping = False
        self.thread = Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    def ring(self) -> None:
        self._bell.set()

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping:
            self._bell.wait(pause)
            self._bell.clear()
            try:
                pause = self._tick()
            except BaseException:  # noqa: BLE001 - see Crew._run
                logger.exception("the pool's ticker survived an unexpected error")
                pause = TICK_AFTER_FAILURE_SECONDS

    def stop(self, deadline: float) -> bool:
        self._stopping = True
        self._bell.set()
        return join([self.thread], deadline)


def join(threads: list[Thread], deadline: float) -> bool:
    """Whether all of ``threads`` ended before ``deadline`` (monotonic)."""
    for thread in threads:
        thread.join(max(0.0, deadline - monotonic()))
    return not any(thread.is_alive() for thread in threads)
