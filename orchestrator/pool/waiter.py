"""``Waiter``: one caller's place in the queue. ``set`` and ``fail`` say whether the caller took what they were given.

After psycopg_pool's ``WaitingClient``: without that answer, a sandbox handed to a caller that has just timed out would
belong to nobody. Time here is the real monotonic clock, since locks wait by it.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic

from orchestrator.errors import LeaseCancelled, OrchestratorError, SandboxError
from orchestrator.pool.members import Member

CANCEL_POLL_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 1.0  # at a stretch: Ctrl-C that comes just before the lock is waited for is seen after it


class Waiter:
    """Made for every lease, waited on only by those that find nothing warm: hence two bare locks, not a condition."""

    __slots__ = ("_bell", "_mutex", "_over", "asked", "error", "member", "ticket", "warm")

    def __init__(self, asked: float) -> None:
        self._mutex = Lock()
        self._bell: Lock | None = None  # made for those that wait: locked until there is an answer
        self._over = False  # the caller has stopped waiting
        self.asked = asked  # by the pool's clock
        self.ticket = -1  # place in the order of arrival, over all specs; the ledger gives it once
        self.member: Member | None = None
        self.error: BaseException | None = None
        self.warm = False

    def set(self, member: Member, *, warm: bool) -> bool:
        """Hand ``member`` over; False if the caller no longer waits (the pool keeps the member)."""
        with self._mutex:
            if self._answered or self._over:
                return False
            self.member = member
            self.warm = warm
            self._ring()
            return True

    def fail(self, error: BaseException) -> bool:
        """Make the caller raise ``error``; False if it no longer waits."""
        with self._mutex:
            if self._answered or self._over:
                return False
            self.error = error
            self._ring()
            return True

    @property
    def _answered(self) -> bool:
        return self.member is not None or self.error is not None

    def _ring(self) -> None:
        if self._bell is not None:
            self._bell.release()

    def wait(self, timeout: float, cancelled: Callable[[], bool] | None = None) -> Member | None:
        """The member handed over, or None when ``timeout`` seconds are over: from then on ``set`` answers False.

        Raises an error like the one ``fail`` was given, caused by it; and ``LeaseCancelled`` once ``cancelled()`` is
        true (asked about every 50 ms). An answer that has come is returned, whatever the time.
        """
        deadline = monotonic() + timeout
        with self._mutex:
            bell = self._bell = Lock()
            if not self._answered:
                bell.acquire()
        is_cancelled = False
        while not bell.acquire(timeout=_pause(deadline, cancelled)):
            is_cancelled = cancelled is not None and cancelled()
            with self._mutex:
                if not self._answered and (is_cancelled or monotonic() >= deadline):
                    self._over = True
                    break
        if self.error is not None:
            raise renewed(self.error) from self.error
        if self.member is None and is_cancelled:
            raise LeaseCancelled("the run was cancelled while it waited for a sandbox")
        return self.member

    def give_up(self) -> None:
        """Accept nothing from now on."""
        with self._mutex:
            self._over = True


def _pause(deadline: float, cancelled: Callable[[], bool] | None) -> float:
    longest = LONGEST_WAIT_SECONDS if cancelled is None else CANCEL_POLL_SECONDS
    return min(max(0.0, deadline - monotonic()), longest)


def renewed(error: BaseException) -> OrchestratorError:
    """An exception like ``error``, unraised: an exception object must not be raised in several threads at once."""
    if not isinstance(error, OrchestratorError):
        return SandboxError(f"creating the sandbox failed unexpectedly: {type(error).__name__}: {error}")
    twin = type(error).__new__(type(error), *error.args)
    twin.__dict__.update(error.__dict__)
    return twin
