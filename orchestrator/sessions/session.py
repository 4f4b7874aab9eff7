"""``Session``: several runs on one budget, and a ``Place`` for each of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection

from orchestrator.results.model import RunResult
from orchestrator.sandbox.spec import Limits
from orchestrator.sessions.model import SessionState, Spent
from orchestrator.sessions.rules import finding
from orchestrator.sessions.sharing import Share, cost
from orchestrator.sessions.store import Sessions
from orchestrator.validation.finding import Finding


class Session:
    """Made by ``Orchestrator.session``. Thread-safe: runs side by side never get the same time twice.

    Leaving its ``with`` ends this object, not the session: ``orchestrator.session(id=...)`` goes on with it, in this
    process or the next, until somebody closes it or it was not used for a week.
    """

    def __init__(self, sessions: Sessions, session_id: str, run: Callable[..., RunResult]) -> None:
        """``run`` is ``Orchestrator.run``, which must take ``session``."""
        self.id = session_id
        self._sessions, self._run = sessions, run
        self._left = threading.Event()

    def run(self, manifest: Any, inputs: Any = None, **options: Any) -> RunResult:
        """``Orchestrator.run`` on this session's budget: its limits are cut to what is left. Once that is spent it is
        refused with a reason (status ``denied``, rules SES...)."""
        return self._run(manifest, inputs, session=self, **options)

    def state(self) -> SessionState:
        """Budget, what was used, what is set aside, what is left; as of now."""
        return self._sessions.get(self.id)

    def close(self) -> None:
        """For good: no further run begins. Idempotent."""
        self._sessions.close(self.id)

    def place(
        self, run_id: str, limits: Limits, attempts: int = 1, *, began: Callable[[], bool] = lambda: True
    ) -> Place:
        """Set aside what a run may take: a context manager around that run. ``attempts``: how often it may run.
        ``began``: whether anything of it may have run, asked when it ended with an exception."""
        if self._left.is_set():
            found: Share | Finding = finding("SES106", self.id, "its `with` block has ended")
        else:
            found = self._sessions.reserve(self.id, run_id, limits, attempts)
        return Place(self._sessions, self.id, run_id, found, began)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._left.set()


class Place:
    """One run's part of a session. ``refusal``: why it may not begin; else ``limits``: what it may take.

    ``settle`` or ``settling`` says what it took. A ``with`` that ends without either charges all that was set aside,
    unless nothing of the run began.
    """

    def __init__(
        self, sessions: Sessions, session_id: str, run_id: str, found: Share | Finding, began: Callable[[], bool]
    ) -> None:
        self._began = began
        self._sessions, self._session_id, self._run_id = sessions, session_id, run_id
        self.refusal = found if isinstance(found, Finding) else None
        self._share = None if isinstance(found, Finding) else found
        self._settled = False

    @property
    def limits(self) -> Limits:
        """``ValueError`` where the run was refused."""
        if self._share is None:
            raise ValueError("a run that was refused has no limits")
        return self._share.limits

    @property
    def shortened(self) -> bool:
        """Whether these are less than the run asked for: running out of them is not the skill's doing."""
        return self._share is not None and self._share.shortened

    def settling(self, result: RunResult) -> Callable[[Connection], None]:
        """What to do in the transaction that records how the run ended."""

        def settle(connection: Connection) -> None:
            if self._share is not None:
                spent = cost(result, self._share.reserved)
                self._sessions.settle_in(connection, self._session_id, self._run_id, spent)
            self._settled = True

        return settle

    def settle(self, result: RunResult) -> None:
        """The same in a transaction of its own."""
        if self._share is not None:
            self._charge(cost(result, self._share.reserved))

    def _charge(self, spent: Spent | None) -> None:
        self._sessions.settle(self._session_id, self._run_id, spent)
        self._settled = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # With an exception ``_settled`` proves nothing: the transaction it was in may have been undone. Settling what
        # was settled changes nothing.
        if self._share is not None and (error is not None or not self._settled):
            nothing_ran = error is not None and not self._began()
            self._charge(None if nothing_ran else self._share.reserved)
