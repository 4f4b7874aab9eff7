"""Written in the background: seldom, not for nothing, and in nobody's way."""

from __future__ import annotations

import os
import threading

import pytest

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

    def refresh(self) -> Written:
        self.calls += 1
        self.called.release()
        assert self.go_on.wait(PATIENCE)
        answer = self.answers.pop(0) if self.answers else Written("written")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def wait(self) -> None:
        assert self.called.acquire(timeout=PATIENCE)


def test_the_first_change_is_written_at_once() -> None:
    board = Board()
    keeper = Keeper(board.refresh, interval_seconds=3600)
    keeper.changed()
    board.wait()
    keeper.close()
    assert board.calls == 1


def test_nothing_is_written_for_nothing() -> None:
    board = Board()
    keeper = Keeper(board.refresh, interval_seconds=0.001)
    keeper.close()
    assert board.calls == 0
    assert not [each for each in threading.enumerate() if each.name == "dashboard"], "no thread before a change"


def test_many_changes_are_one_writing_and_the_last_is_not_lost() -> None:
    board = Board()
    keeper = Keeper(board.refresh, interval_seconds=3600)
    keeper.changed()
    board.wait()
    for _ in range(100):
        keeper.changed()
    assert board.calls == 1, "not twice in an interval"
    keeper.close()
    assert board.calls == 2, "and once at the end, for what was not written yet"
    keeper.changed()
    assert board.calls == 2


def test_a_change_while_it_is_written_is_written_as_well() -> None:
    board = Board()
    board.go_on.clear()
    keeper = Keeper(board.refresh, interval_seconds=0.001)
    keeper.changed()
    board.wait()
    keeper.changed()
    board.go_on.set()
    board.wait()
    keeper.close()
    assert board.calls == 2


def test_the_interval_is_kept() -> None:
    """By the clock it was given: while that stands still, nothing is due."""
    board, now = Board(), 100.0
    keeper = Keeper(board.refresh, interval_seconds=0.001, clock=lambda: now)
    keeper.changed()
    board.wait()
    keeper.changed()
    assert not board.called.acquire(timeout=0.05)
    now = 200.0
    board.wait()
    keeper.close()


@pytest.mark.parametrize("bad", [VaultError("full"), OSError(5, "I/O"), ValueError("?"), Written("conflict", "edited")])
def test_what_fails_is_tried_again_an_interval_later(bad: Written | Exception) -> None:
    board = Board(bad, bad)
    keeper = Keeper(board.refresh, interval_seconds=0.001)
    keeper.changed()
    for _ in range(3):
        board.wait()
    keeper.close()
    assert board.calls == 3


def test_what_is_left_alone_is_not_tried_again_until_something_changes() -> None:
    board = Board(Written("left_alone", "broken markers"))
    keeper = Keeper(board.refresh, interval_seconds=0.001)
    keeper.changed()
    board.wait()
    assert not board.called.acquire(timeout=0.05)
    keeper.close()
    assert board.calls == 1


def test_a_vault_that_hangs_does_not_hold_the_end() -> None:
    board = Board()
    board.go_on.clear()
    keeper = Keeper(board.refresh, interval_seconds=1)
    keeper.changed()
    board.wait()
    keeper.close(timeout=0.01)
    keeper.close(timeout=0.01)
    board.go_on.set()


def test_a_forked_child_keeps_nothing() -> None:
    board = Board()
    keeper = Keeper(board.refresh, interval_seconds=0.001)
    keeper.changed()
    board.wait()
    child = os.fork()
    if child == 0:
        keeper.changed()
        keeper.close()
        os._exit(0 if board.calls == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    keeper.close()
