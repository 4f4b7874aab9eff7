"""The attempts of one call: run, and run again while the plan says so and nobody has cancelled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, cast

from tenacity import RetryCallState, Retrying, retry_if_result

from orchestrator.errors import OrchestratorError, PoolClosed
from orchestrator.manifest.model import OnError
from orchestrator.recovery.plan import Again, not_let_in, plan
from orchestrator.results.model import RunResult, Status
from orchestrator.text import one_line

_LOOK_SECONDS: Final = 0.05  # how often a pause asks whether the caller has cancelled
_REASON: Final = 2000  # characters


@dataclass(frozen=True, slots=True)
class NotBegun:
    """An attempt of which provably nothing ran: no sandbox could be had. ``result`` is what it comes to where something
    stands in for it (``sandbox_error``); ``error`` is raised where nothing does."""

    result: RunResult
    error: OrchestratorError


Ended = RunResult | NotBegun
Repeats = Callable[[RunResult], bool]
Once = Callable[[Repeats], Ended]
"""One attempt. It may ask whether there will be another one after the result that it is about to return."""
Cancelled = Callable[[], bool]


def result_of(ended: Ended) -> RunResult:
    return ended.result if isinstance(ended, NotBegun) else ended


def wait(seconds: float, cancelled: Cancelled) -> None:
    """Return after ``seconds``, or soon after the caller has cancelled."""
    end, never = time.monotonic() + seconds, threading.Event()
    while (left := end - time.monotonic()) > 0 and not cancelled():
        never.wait(min(left, _LOOK_SECONDS))


class Attempts:
    """Of one call; used once."""

    def __init__(self, once: Once, on_error: OnError, cancelled: Cancelled, pause: Callable[[float], None]) -> None:
        self._once, self._on_error, self._cancelled, self._pause = once, on_error, cancelled, pause
        self._tried = 0
        self._runs = 0  # more where conflicts were retried as well, less where there was no sandbox
        self._reasons: list[str] = []  # why an attempt was not the last
        self._stands: Ended | None = None  # the last that ran; where none did, the last that had no sandbox

    def ended(self) -> Ended:
        """The last attempt that ran, with the count and the reasons of those before. That a later one found no sandbox,
        or was not let in, does not take its place: the failure before it stands, and says so."""
        retrying = Retrying(
            retry=retry_if_result(lambda ended: self._again(ended) is not None),
            wait=self._wait_seconds,
            sleep=self._pause,
            before_sleep=self._note,
        )
        ended: Ended = retrying(self._attempt)
        return self._with_reasons(ended) if self._reasons else ended

    def _attempt(self) -> Ended:
        if self._stands is not None and self._cancelled():
            return self._cancelled_between(result_of(self._stands))
        self._tried += 1
        ended = self._once(self._repeats)
        if self._stands is None or not not_let_in(result_of(ended)):
            self._runs += result_of(ended).attempts
            if self._stands is None or isinstance(self._stands, NotBegun) or not isinstance(ended, NotBegun):
                self._stands = ended
        return ended

    def _cancelled_between(self, last: RunResult) -> RunResult:
        ran = f"; run {last.run_id} is on record as {last.status}" if last.attempts else ""
        reason = f"cancelled between attempts, so there was no further one: {self._reasons[-1]}{ran}"
        result = replace(
            last, status=Status.CANCELLED, reason=one_line(reason, _REASON), error=None, attempt_reasons=()
        )
        self._stands = result
        return result

    def _with_reasons(self, ended: Ended) -> Ended:
        stands = ended if self._stands is None else self._stands
        reasons = [*self._reasons, *result_of(ended).attempt_reasons]
        result = result_of(stands)
        if stands is not ended:
            reasons.append(self._said(ended))
            result = replace(result, reason=one_line(f"{result.reason}; {reasons[-1]}", _REASON))
        result = replace(result, attempts=self._runs, attempt_reasons=tuple(reasons))
        return NotBegun(result, stands.error) if isinstance(stands, NotBegun) else result

    def _repeats(self, result: RunResult) -> bool:
        return self._again(result) is not None and not self._cancelled()

    def _again(self, ended: Ended) -> Again | None:
        if isinstance(ended, NotBegun) and isinstance(ended.error, PoolClosed):
            return None  # it will not be opened again
        step = plan(result_of(ended), self._on_error, self._tried)
        return step if isinstance(step, Again) else None

    def _wait_seconds(self, state: RetryCallState) -> float:
        step = self._again(_ended_of(state))
        return 0.0 if step is None else step.wait_seconds

    def _note(self, state: RetryCallState) -> None:
        ended = _ended_of(state)
        self._reasons += (*result_of(ended).attempt_reasons, self._said(ended))

    def _said(self, ended: Ended) -> str:
        """How the attempt that was the latest ended, in a sentence."""
        result = result_of(ended)
        what, why = result.status.value, result.reason
        if isinstance(ended, NotBegun):
            what, why = "found no sandbox", str(ended.error)
        elif not_let_in(result):
            what = "was not let in"
        return one_line(f"attempt {self._tried} {what}: {why}", 500)


def _ended_of(state: RetryCallState) -> Ended:
    if state.outcome is None:
        raise ValueError("asked before the attempt had ended")
    return cast(Ended, state.outcome.result())
