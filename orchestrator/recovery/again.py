"""The attempts of one call: run, and run again while the plan says so and nobody has cancelled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from tenacity import RetryCallState, Retrying, retry_if_result

from orchestrator.errors import EngineError, PoolError, SandboxError
from orchestrator.manifest.model import OnError
from orchestrator.recovery.plan import Again, plan
from orchestrator.results.model import RunResult, Status
from orchestrator.text import one_line

_LOOK_SECONDS: Final = 0.05  # how often a pause asks whether the caller has cancelled

Once = Callable[[], RunResult]
Cancelled = Callable[[], bool]


def wait(seconds: float, cancelled: Cancelled) -> None:
    """Return after ``seconds``, or soon after the caller has cancelled."""
    end, never = time.monotonic() + seconds, threading.Event()
    while (left := end - time.monotonic()) > 0 and not cancelled():
        never.wait(min(left, _LOOK_SECONDS))


class Attempts:
    """Of one call; used once."""

    def __init__(self, once: Once, on_error: OnError, cancelled: Cancelled, pause: Callable[[float], None]) -> None:
        self._once, self._on_error, self._cancelled, self._pause = once, on_error, cancelled, pause
        self._made = 0
        self._runs = 0  # more than attempts where conflicts were retried as well
        self._reasons: list[str] = []  # why an attempt was not the last
        self._last: RunResult | None = None
        self._no_sandbox = False

    def result(self) -> RunResult:
        """The last attempt's, with the count and the reasons of those before. What the first attempt raises goes
        through. Of a later one, that no sandbox could be had does not: the failure before it stands."""
        retrying = Retrying(
            retry=retry_if_result(lambda result: self._again(result) is not None),
            stop=lambda _: self._no_sandbox,
            wait=self._wait_seconds,
            sleep=self._pause,
            before_sleep=self._note,
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),  # the last one stands
        )
        found: RunResult = retrying(self._attempt)
        return replace(found, attempts=self._runs, attempt_reasons=tuple(self._reasons)) if self._reasons else found

    def _attempt(self) -> RunResult:
        last = self._last
        if last is not None and self._cancelled():
            reason = one_line(f"the caller cancelled before another attempt; {self._reasons[-1]}", 2000)
            return replace(last, status=Status.CANCELLED, reason=reason, error=None)
        try:
            found = self._once()
        except (PoolError, EngineError, SandboxError) as error:
            if last is None:
                raise
            self._no_sandbox = True
            self._reasons.append(one_line(f"attempt {self._made + 1} found no sandbox: {error}", 500))
            return last
        self._made += 1
        self._runs += found.attempts
        self._last = found
        return found

    def _again(self, result: RunResult) -> Again | None:
        step = plan(result, self._on_error, self._made)
        return step if isinstance(step, Again) else None

    def _wait_seconds(self, state: RetryCallState) -> float:
        step = None if state.outcome is None else self._again(state.outcome.result())
        return 0.0 if step is None else step.wait_seconds

    def _note(self, _state: RetryCallState) -> None:
        if (last := self._last) is not None:
            self._reasons.append(one_line(f"attempt {self._made} {last.status}: {last.reason}", 500))
