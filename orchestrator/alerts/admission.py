"""``Admission``: whether an alert is sent. The journal rules, for all processes; while it is away, the throttle.

So an alert that the database is away leaves all the same. It is noted once the database is back, if that is soon.
"""

from __future__ import annotations

import time
from functools import partial

from orchestrator.alerts.clerk import Clerk
from orchestrator.alerts.inbox import Waiting
from orchestrator.alerts.journal import Case, Journal, Ruling
from orchestrator.alerts.model import Notice, document
from orchestrator.alerts.throttle import Throttle
from orchestrator.outputs.secrets import Detector


class Admission:
    """``admit`` is for one thread, ``report`` for any. Neither waits for long."""

    def __init__(self, throttle: Throttle, journal: Journal | None, detector: Detector, *, channels: int) -> None:
        self._throttle, self._journal, self._detector, self._channels = throttle, journal, detector, channels
        self._clerk = Clerk()

    def admit(self, waiting: Waiting) -> Notice | None:
        alert, now = waiting.alert, time.monotonic()
        case = Case(alert, document(Notice(alert), self._detector), waiting.times, self._channels)
        if (ruling := self._ruling(case)) is not None:
            return self._throttle.follow(alert, now, ruling.notice)
        notice = self._throttle.admit(alert, now, waiting.times)
        if notice is not None and self._journal is not None:
            self._clerk.put(partial(self._journal.note, case, notice.slip))
        return notice

    def _ruling(self, case: Case) -> Ruling | None:
        return None if self._journal is None else self._clerk.ask(partial(self._journal.rule, case))

    def report(self, notice: Notice, took: bool) -> None:
        """A channel took it, or did not."""
        if self._journal is not None:
            self._clerk.put(partial(self._journal.report, notice.slip, took=took))

    def close(self, deadline: float) -> int:
        """Let the journal hear what it has to, until ``deadline`` (monotonic); how many alerts were kept back that
        neither a notice nor the journal tells of."""
        self._clerk.close(deadline)
        return self._throttle.unsent()
