"""Chores take turns when they are due, in nobody's way. The clock is the test's; nothing waits for time to pass."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest
from loguru import logger

from orchestrator.upkeep import Chore, Rest, Upkeep

PATIENCE = 30.0
LONG = 3600.0


class Day:
    """Chores that note their names, and a clock that stands still."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.done: list[str] = []

    def chore(self, name: str, every: float, error: Exception | None = None) -> Chore:
        def do(rest: Rest) -> None:
            self.done.append(name)
            if error is not None:
                raise error

        return Chore(name, every, do)

    def after(self, seconds: float, upkeep: Upkeep) -> list[str]:
        """What is done when so much more time has passed."""
        self.done.clear()
        self.now += seconds
        upkeep.take_turns()
        return list(self.done)


@pytest.fixture
def day() -> Day:
    return Day()


@pytest.fixture
def lines() -> Iterator[list[str]]:
    found: list[str] = []
    handler = logger.add(lambda message: found.append(str(message)), level="WARNING", format="{message}")
    yield found
    logger.remove(handler)


def threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name == "upkeep"]


def test_nothing_is_done_at_the_start_and_then_once_per_interval(day: Day) -> None:
    upkeep = Upkeep([day.chore("hourly", LONG), day.chore("daily", 24 * LONG)], clock=lambda: day.now)
    upkeep.start()
    assert day.after(0, upkeep) == []
    assert day.after(LONG - 1, upkeep) == []
    assert day.after(1, upkeep) == ["hourly"]
    assert day.after(1, upkeep) == []
    assert day.after(23 * LONG, upkeep) == ["hourly", "daily"], "in the order in which they were given, each once"
    upkeep.close()


def test_the_interval_counts_from_the_end_of_a_turn(day: Day) -> None:
    def slow(rest: Rest) -> None:
        day.done.append("slow")
        day.now += 10 * LONG

    upkeep = Upkeep([Chore("slow", LONG, slow)], clock=lambda: day.now)
    upkeep.start()
    assert day.after(LONG, upkeep) == ["slow"]
    assert day.after(LONG - 1, upkeep) == []
    upkeep.close()


def test_one_that_fails_is_told_and_the_others_go_on(day: Day, lines: list[str]) -> None:
    upkeep = Upkeep(
        [day.chore("bad", LONG, ValueError("no \x1b[31m space")), day.chore("good", LONG)], clock=lambda: day.now
    )
    upkeep.start()
    assert day.after(LONG, upkeep) == ["bad", "good"]
    assert lines == ["upkeep: bad failed, and is tried again in 3600 s: ValueError: no \\x1b[31m space\n"]
    assert day.after(LONG - 1, upkeep) == []
    assert day.after(1, upkeep) == ["bad", "good"]
    upkeep.close()


def test_the_thread_does_what_is_due() -> None:
    turns, done = threading.Semaphore(0), threading.Event()
    upkeep = Upkeep(
        [Chore("often", 0.001, lambda rest: turns.release()), Chore("never", LONG, lambda rest: done.set())]
    )
    upkeep.start()
    for _ in range(3):
        assert turns.acquire(timeout=PATIENCE)
    upkeep.close()
    upkeep.close()
    assert threads() == []
    assert not done.is_set()


def test_without_chores_there_is_no_thread() -> None:
    upkeep = Upkeep([])
    upkeep.start()
    assert threads() == []
    upkeep.close()


def test_a_long_chore_ends_with_the_process_between_two_steps() -> None:
    began, told = threading.Event(), []

    def long(rest: Rest) -> None:
        began.set()
        told.append(rest(LONG))

    upkeep = Upkeep([Chore("long", 0.001, long)])
    upkeep.start()
    assert began.wait(PATIENCE)
    upkeep.close()
    assert told == [True]
    assert threads() == []


def test_a_chore_that_hangs_does_not_hold_the_end_and_its_fault_is_not_told(lines: list[str]) -> None:
    began, go_on = threading.Event(), threading.Event()

    def hang(rest: Rest) -> None:
        began.set()
        go_on.wait(PATIENCE)
        raise OSError("what it used is closed")

    upkeep = Upkeep([Chore("hang", 0.001, hang)])
    upkeep.start()
    assert began.wait(PATIENCE)
    upkeep.close(timeout=0.001)
    go_on.set()
    upkeep.close()
    assert threads() == []
    assert lines == ["upkeep does not come to an end; it is left to itself\n"]


def test_a_forked_child_does_nothing(day: Day) -> None:
    upkeep = Upkeep([day.chore("hourly", LONG)], clock=lambda: day.now)
    upkeep.start()
    child = os.fork()
    if child == 0:
        done = day.after(LONG, upkeep)
        upkeep.close()
        os._exit(1 if done else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert day.after(LONG, upkeep) == ["hourly"], "the parent goes on"
    upkeep.close()
