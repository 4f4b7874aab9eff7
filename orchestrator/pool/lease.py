"""``Lease``: one caller's sole right to one sandbox, until it is released. It ends in removal, never in reuse."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Generic

from orchestrator.pool.contract import S
from orchestrator.pool.members import Member


class Lease(Generic[S]):
    """Leaving the ``with`` block (or ``release()``) hands the sandbox to removal and returns at once.

    ``warm`` says whether the sandbox was ready when it was asked for, ``waited_seconds`` how long the caller waited.
    A lease that is dropped unreleased is released by the garbage collector, with a warning in the log.
    """

    __slots__ = ("_abandon", "_member", "_release", "sandbox", "waited_seconds", "warm")

    def __init__(
        self,
        member: Member,
        sandbox: S,
        *,
        warm: bool,
        waited_seconds: float,
        release: Callable[[Member], None],
        abandon: Callable[[Member], None],
    ) -> None:
        self._member: Member | None = member
        self._release = release
        self._abandon = abandon
        self.sandbox = sandbox
        self.warm = warm
        self.waited_seconds = waited_seconds

    def release(self) -> None:
        """Idempotent."""
        member, self._member = self._member, None
        if member is not None:
            self._release(member)

    def __enter__(self) -> Lease[S]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def __del__(self) -> None:
        # Runs anywhere, even inside the pool's critical section: it may take no lock and log nothing. A worker does.
        member = getattr(self, "_member", None)
        if member is not None:
            self._abandon(member)
