"""``Upkeep``: what has to be done once in a while as long as a process lives, by one thread that mostly sleeps.

A start does its own; a chore's first turn comes an interval later. Chores take turns, so that no two are at work at
once here; that several processes do not all do the same is up to the chores (``Records.due``). One that fails is
logged, and has its next turn an interval later. Nothing in here reaches a run.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from loguru import logger

from orchestrator import forks
from orchestrator.text import one_line

_CLOSE_SECONDS: Final = 10.0  # an engine or a disk that hangs must not hold the end of the process
Rest = Callable[[float], bool]
"""Waits so many seconds, between two steps of a long chore; True: it is time to stop."""


def go_on(seconds: float) -> bool:
    """The ``Rest`` of whoever does not rest, and does all."""
    del seconds
    return False


@dataclass(frozen=True, slots=True)
class Chore:
    """``every_seconds``: from the end of one turn to the next."""

    name: str
    every_seconds: float
    do: Callable[[Rest], object]


class Upkeep:
    """Thread-safe. In a forked child nothing is done: that is the parent's."""

    def __init__(self, chores: Sequence[Chore], *, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is done before ``start``, from which on the intervals count, by ``clock`` (seconds)."""
        self._chores, self._clock = tuple(chores), clock
        self._next: list[float] = []  # of each chore
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        forks.watch(self)

    def start(self) -> None:
        """Call once. Where no thread can be had, nothing is done, and the log says so."""
        now = self._clock()
        self._next = [now + chore.every_seconds for chore in self._chores]
        if not self._chores:
            return
        thread = threading.Thread(target=self._work, name="upkeep", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            logger.warning("nothing is pruned or swept before the next start: {}", error)
        else:
            self._thread = thread

    def close(self, timeout: float = _CLOSE_SECONDS) -> None:
        """Stop; waits ``timeout`` seconds at most for a chore that is under way. Idempotent."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout)
            if self._thread.is_alive():
                logger.warning("upkeep does not come to an end; it is left to itself")

    def after_fork_in_child(self) -> None:
        self._stop, self._thread = threading.Event(), None
        self._stop.set()

    def _work(self) -> None:
        while not self._stop.wait(max(0.0, min(self._next) - self._clock())):
            self.take_turns()

    def take_turns(self) -> None:
        """Do what is due, in the order in which it was given."""
        for number, chore in enumerate(self._chores):
            if self._stop.is_set() or self._clock() < self._next[number]:
                continue
            try:
                chore.do(self._stop.wait)
            except Exception as error:  # noqa: BLE001 - told; the other chores, and the next turn, must not suffer
                self._tell(chore, error)
            self._next[number] = self._clock() + chore.every_seconds

    def _tell(self, chore: Chore, error: Exception) -> None:
        if self._stop.is_set():
            return  # what it needed is being closed
        why = one_line(f"{type(error).__name__}: {error}", 500)
        logger.error("upkeep: {} failed, and is tried again in {:g} s: {}", chore.name, chore.every_seconds, why)
