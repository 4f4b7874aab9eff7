"""Written in the background: seldom, not for nothing, and in nobody's way."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
from loguru import logger

from orchestrator.dashboard.keeper import Keeper
from orchestrator.dashboard.note import Written
from orchestrator.errors import VaultError

PATIENCE = 30.0


class Board:
    """Counts, and can be held up."""

    def __init__(self, *answers: Written | Exception) -> None:
        self.calls = 0
        self.answers = list(answers)
        self.called = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.go_on.set()
        self.lasts: list[bool] = []

    def refresh(self, *, last: bool) -> Written:
        self.calls += 1
        self.lasts.append(last)
        self.called.release()
        assert self.go_on.wait(PATIENCE)
        answer = self.answers.pop(0) if self.answers else Written("written")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def wait(self) -> None:
        assert self.called.acquire(timeout=PATIENCE)

    def keeper(self, interval_seconds: float = 3600, **given: Any) -> Keeper:
        return Keeper(self.refresh, interval_seconds=interval_seconds, **{"settle_seconds": 0} | given)


def test_a_change_is_written_before_an_interval_has_passed() -> None:
    board = Board()
    keeper = board.keeper()
    keeper.start()
    keeper.changed()
    board.wait()
    keeper.close()
    assert board.lasts == [False, True], "and it is looked at once more at the end"


def test_it_is_looked_at_once_per_interval_whoever_changed_something() -> None:
    board = Board(*[Written("unchanged")] * 1000)
    keeper = board.keeper(0.001)
    keeper.start()
    for _ in range(3):
        board.wait()
    keeper.close()


def test_not_before_an_interval_has_passed_unless_something_changed() -> None:
    board, now = Board(), 100.0
    keeper = board.keeper(0.001, clock=lambda: now)
    keeper.start()
    assert not board.called.acquire(timeout=0.05), "the clock stands still"
    now = 200.0
    board.wait()
    keeper.close()


def test_without_a_start_nothing_is_done() -> None:
    board = Board()
    keeper = board.keeper(0.001)
    keeper.close()
    keeper.start()
    assert board.calls == 0
    assert not [each for each in threading.enumerate() if each.name == "dashboard"]


def test_what_lives_for_a_moment_looks_once_at_its_end() -> None:
    """The change waits until what follows from it has settled as well."""
    board = Board()
    keeper = board.keeper(settle_seconds=3600)
    keeper.start()
    keeper.changed()
    assert not board.called.acquire(timeout=0.05)
    keeper.close()
    assert board.lasts == [True]


def test_many_changes_are_one_writing_and_the_last_is_not_lost() -> None:
    board = Board()
    keeper = board.keeper()
    keeper.changed()
    board.wait()
    for _ in range(100):
        keeper.changed()
    assert board.calls == 1, "not twice in an interval"
    keeper.close()
    assert board.calls == 2, "and once at the end"
    keeper.changed()
    assert board.calls == 2


def test_where_there_was_nothing_to_write_a_change_need_not_wait_for_the_interval() -> None:
    board = Board(Written("unchanged"))
    keeper = board.keeper()
    for _ in range(2):
        keeper.changed()
        board.wait()
    keeper.close()


def test_a_change_while_it_is_looked_at_is_looked_at_as_well() -> None:
    board = Board(Written("unchanged"))
    board.go_on.clear()
    keeper = board.keeper()
    keeper.changed()
    board.wait()
    keeper.changed()
    board.go_on.set()
    board.wait()
    keeper.close()


def test_the_interval_is_kept() -> None:
    """By the clock it was given: while that stands still, nothing is due."""
    board, now = Board(), 100.0
    keeper = board.keeper(0.001, clock=lambda: now)
    keeper.changed()
    board.wait()
    keeper.changed()
    assert not board.called.acquire(timeout=0.05)
    now = 200.0
    board.wait()
    keeper.close()


def test_what_came_too_soon_is_tried_when_it_is_not_any_more() -> None:
    board = Board(Written("too_soon", wait_seconds=0.001))
    keeper = board.keeper(3600)
    keeper.changed()
    for _ in range(2):
        board.wait()
    keeper.close()


@pytest.mark.parametrize(
    "bad",
    [VaultError("full"), OSError(5, "I/O"), ValueError("?"), Written("conflict", "edited"), Written("left_alone", "x")],
)
def test_what_fails_is_tried_again_an_interval_later(bad: Written | Exception) -> None:
    board, now = Board(bad), 100.0
    keeper = board.keeper(0.001, clock=lambda: now)
    keeper.changed()
    board.wait()
    keeper.changed()
    assert not board.called.acquire(timeout=0.05)
    now = 200.0
    board.wait()
    keeper.close()


def test_what_goes_on_failing_is_told_once() -> None:
    told: list[str] = []
    handler = logger.add(lambda message: told.append(str(message)), level="WARNING")
    try:
        board = Board(
            OSError(5, "I/O"), OSError(5, "I/O"), VaultError("full"), Written("unchanged"), VaultError("full")
        )
        keeper = board.keeper(0.001)
        keeper.start()
        for _ in range(6):
            board.wait()
        keeper.close()
    finally:
        logger.remove(handler)
    assert ["full" in line for line in told] == [False, True, True]


def test_a_vault_that_hangs_does_not_hold_the_end() -> None:
    board = Board()
    board.go_on.clear()
    keeper = board.keeper(1)
    keeper.changed()
    board.wait()
    keeper.close(timeout=0.01)
    keeper.close(timeout=0.01)
    board.go_on.set()


def test_a_forked_child_keeps_nothing() -> None:
    board = Board()
    keeper = board.keeper(0.001)
    keeper.changed()
    board.wait()
    child = os.fork()
    if child == 0:
        calls = board.calls
        keeper.start()
        keeper.changed()
        keeper.close()
        os._exit(0 if board.calls == calls else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    keeper.close()
