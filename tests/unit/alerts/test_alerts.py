"""Alerts on their way: what is sent, what is kept back, and that nothing of it gets in the way of a run."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest

from orchestrator.alerts import Alert, Alerts
from orchestrator.alerts.alerts import _say_that_nobody_hears
from orchestrator.alerts.channels import ChannelFault
from orchestrator.alerts.inbox import Inbox, Waiting
from orchestrator.alerts.model import MAX_MESSAGE, AlertKind, Notice, document
from orchestrator.alerts.outbox import Outbox
from orchestrator.alerts.throttle import MAX_KEYS, Throttle
from orchestrator.outputs.known import KnownValues
from orchestrator.outputs.secrets import Detector
from tests.support.secret_samples import CANARY, SAMPLES

PATIENCE = 30.0


class Heard:
    """A channel that keeps what it gets; ``fault`` is raised instead; ``gate`` holds it up until it is set."""

    name = "heard"

    def __init__(self, fault: Exception | None = None, *, gate: threading.Event | None = None) -> None:
        self.told: list[Mapping[str, Any]] = []
        self.entered = threading.Event()
        self._fault, self._gate = fault, gate

    def send(self, told: Mapping[str, Any]) -> None:
        self.entered.set()
        if self._gate is not None:
            self._gate.wait(PATIENCE)
        if self._fault is not None:
            raise self._fault
        self.told.append(told)

    def stop(self) -> None:
        if self._gate is not None:
            self._gate.set()


def failure(skill: str = "a@1.0.0", rule: str = "failed") -> Alert:
    return Alert("run_failed", "the run ended", skill=skill, rule=rule, run_id="r", at=0.0)


# --- what is sent


def test_an_alert_reaches_every_channel_as_one_document() -> None:
    first, second = Heard(), Heard()
    alerts = Alerts([first, second])
    alerts.send(failure())
    alerts.close(PATIENCE)
    assert first.told == second.told == [
        {
            "source": "skill-orchestrator", "format": 1, "kind": "run_failed", "skill": "a@1.0.0", "rule": "failed",
            "run_id": "r", "message": "the run ended", "time": "1970-01-01T00:00:00Z", "suppressed": 0, "limited": 0,
        }
    ]  # fmt: skip
    json.dumps(first.told[0])


def test_no_secret_leaves_and_nothing_long_or_that_a_terminal_obeys() -> None:
    key = SAMPLES["github"][0]
    hostile = f"{CANARY} {key} \x1b[2J\n\u202e" + "x" * 10_000
    notice = Notice(Alert("test", hostile, skill=hostile, rule=hostile, run_id=hostile))
    told = document(notice, Detector(KnownValues.of([("canary", CANARY)])))
    text = json.dumps(told, ensure_ascii=False)
    assert CANARY not in text
    assert key not in text
    assert not any(character in text for character in "\x1b\n\u202e")
    assert len(told["message"]) <= MAX_MESSAGE
    assert CANARY in json.dumps(document(notice, Detector())), "the control: the known value is what is found"


def test_a_secret_that_begins_before_the_cut_does_not_show_its_first_half() -> None:
    key = SAMPLES["github"][0]
    message = "x" * (MAX_MESSAGE - 10) + " " + key
    assert key[:6] not in document(Notice(Alert("test", message)), Detector())["message"]


# --- what is kept back


def test_alike_alerts_within_the_interval_are_counted() -> None:
    throttle = Throttle(300.0, 60)
    assert throttle.admit(failure(), 0.0) == Notice(failure())
    assert [throttle.admit(failure(), at) for at in (1.0, 200.0, 299.9)] == [None] * 3
    assert throttle.admit(failure(skill="b@1.0.0"), 200.0) is not None
    assert throttle.admit(failure(rule="timed_out"), 200.0) is not None
    assert throttle.unsent() == 3
    assert throttle.admit(failure(), 300.0) == Notice(failure(), suppressed=3)
    assert throttle.unsent() == 0
    assert throttle.admit(failure(), 601.0) == Notice(failure(), suppressed=0)


def test_no_more_than_so_many_an_hour_and_the_next_one_says_how_many_were_kept_back() -> None:
    throttle = Throttle(0.0, 2)
    sent = [throttle.admit(failure(skill=str(at)), float(at)) is not None for at in range(10)]
    assert sent == [True, True] + [False] * 8
    assert throttle.admit(failure(), 3599.9) is None
    notice = throttle.admit(failure(), 3600.0)
    assert notice is not None
    assert notice.limited == 9
    again = throttle.admit(failure(), 3601.0)
    assert again is not None
    assert again.limited == 0


def test_skills_without_end_take_no_memory_without_end() -> None:
    throttle = Throttle(1e9, 10**9)
    for number in range(MAX_KEYS + 50):
        throttle.admit(failure(skill=str(number)), 0.0)
    assert len(throttle._seen) == MAX_KEYS


# --- never in the way


def test_a_channel_that_hangs_holds_up_neither_the_caller_nor_the_others() -> None:
    gate = threading.Event()
    stuck, other = Heard(gate=gate), Heard()
    alerts = Alerts([stuck, other], interval_seconds=0, per_hour=1000)
    for number in range(500):
        alerts.send(failure(skill=str(number)))
        if number == 0:
            assert other.entered.wait(PATIENCE)
            assert stuck.entered.wait(PATIENCE)
    assert stuck.told == []
    alerts.close(0.0)  # returns although it hangs
    gate.set()


def test_the_queue_is_bounded_and_what_does_not_fit_is_counted() -> None:
    gate = threading.Event()
    stuck = Heard(gate=gate)
    outbox = Outbox(stuck, Detector(), capacity=3)
    assert outbox.put(Notice(failure()))
    assert stuck.entered.wait(PATIENCE)
    assert [outbox.put(Notice(failure())) for _ in range(5)] == [True] * 3 + [False] * 2
    assert outbox.close(0.0) == 6  # the one in hand, three that waited, two that did not fit
    assert gate.is_set(), "it was told to stop"
    assert not outbox.put(Notice(failure()))


def test_closing_sends_what_waits() -> None:
    gate = threading.Event()
    heard = Heard(gate=gate)
    alerts = Alerts([heard], interval_seconds=0)
    for number in range(20):
        alerts.send(failure(skill=str(number)))
    gate.set()
    alerts.close(PATIENCE)
    assert [told["skill"] for told in heard.told] == [str(number) for number in range(20)]
    alerts.close(PATIENCE)
    alerts.send(failure(skill="late"))
    assert len(heard.told) == 20


@pytest.mark.parametrize("fault", [ChannelFault("it answered 500"), RuntimeError("https://secret.example/token")])
def test_what_goes_wrong_is_logged_without_addresses_and_the_next_is_tried(fault: Exception, logged: list[str]) -> None:
    heard = Heard(fault)
    alerts = Alerts([heard], interval_seconds=0)
    alerts.send(failure())
    alerts.send(failure())
    alerts.close(PATIENCE)
    text = "".join(logged)
    assert text.count("an alert could not be sent by heard") == 2
    assert "secret.example" not in text


def test_without_channels_nothing_is_started() -> None:
    before = threading.active_count()
    alerts = Alerts()
    alerts.send(failure())
    assert threading.active_count() == before
    assert alerts.test() == []
    alerts.close()


def test_a_test_alert_is_sent_now_and_says_how_it_went() -> None:
    good, bad = Heard(), Heard(ChannelFault("it answered 500"))
    alerts = Alerts([good, bad], per_hour=1)
    alerts.send(failure())
    assert [(tried.channel, tried.fault) for tried in alerts.test()] == [("heard", ""), ("heard", "it answered 500")]
    assert good.told[-1]["kind"] == "test" or good.told[0]["kind"] == "test"
    alerts.close(PATIENCE)


def test_what_is_over_is_told_and_what_begins_again_too() -> None:
    """Within one interval: else the last word would be that all is well."""
    throttle = Throttle(300.0, 60)
    begun, over = Alert("pool_degraded", "begun", rule="engine"), Alert("pool_recovered", "over", rule="engine")
    other = Alert("pool_degraded", "begun", rule="creations standard")
    assert throttle.admit(begun, 0.0) is not None
    assert throttle.admit(begun, 1.0) is None
    assert throttle.admit(other, 1.0) is not None
    assert throttle.admit(over, 2.0) is not None
    assert throttle.admit(over, 3.0) is None
    assert throttle.admit(other, 3.0) is None, "another rule's is not over"
    assert throttle.admit(begun, 4.0) == Notice(begun, suppressed=1)
    assert throttle.admit(over, 5.0) == Notice(over, suppressed=1)


def test_that_nobody_hears_of_a_failure_is_said_once(logged: list[str]) -> None:
    _say_that_nobody_hears.cache_clear()
    for _ in range(2):
        alerts = Alerts()
        alerts.send(Alert("audit", "has a log line of its own"))
        assert len(logged) == 0
    for _ in range(2):
        alerts = Alerts()
        alerts.send(failure())
        alerts.send(failure(skill="b@1.0.0"))
        alerts.close()
    assert len(logged) == 1
    assert "alert_webhook, alert_command, alert_note, alert_apprise" in logged[0]


def test_alike_ones_that_wait_wait_as_one(logged: list[str]) -> None:
    """A flood of them neither fills the inbox nor is asked about one by one; the order of opposites stays."""
    seen: list[tuple[str, int]] = []
    begun, gate = threading.Event(), threading.Event()

    def look(waiting: Waiting) -> None:
        begun.set()
        gate.wait(PATIENCE)
        seen.append((waiting.alert.skill or waiting.alert.kind, waiting.times))

    inbox = Inbox(look, capacity=5)
    bad, good = Alert("pool_degraded", "bad"), Alert("pool_recovered", "good")
    assert inbox.put(failure("first"))
    assert begun.wait(PATIENCE)
    flood = [failure("a"), failure("b"), failure("a"), failure("b"), failure("a"), bad, bad, good, bad, good]
    assert [inbox.put(alert) for alert in flood] == [True] * 9 + [False]
    gate.set()
    assert inbox.close(time.monotonic() + PATIENCE) == 0
    assert seen[:3] == [("first", 1), ("a", 3), ("b", 2)]
    assert seen[3:] == [("pool_degraded", 2), ("pool_recovered", 1), ("pool_degraded", 1)]


def test_an_alert_that_makes_no_document_does_not_end_the_others(logged: list[str]) -> None:
    heard = Heard()
    alerts = Alerts([heard])
    alerts.send(Alert("program", "x", at=float("nan")))
    alerts.send(failure())
    alerts.close(PATIENCE)
    assert [told["kind"] for told in heard.told] == ["run_failed"]
    assert "an alert (program) was dropped: ValueError" in "".join(logged)


def test_a_forked_child_sends_nothing_and_waits_for_no_thread_of_its_parent() -> None:
    heard = Heard()
    alerts = Alerts([heard], interval_seconds=0)
    alerts.send(failure())
    assert heard.entered.wait(PATIENCE)
    with alerts._inbox._ready:  # as another thread may at that moment
        child = multiprocessing.get_context("fork").Process(target=_send_and_close, args=(alerts,))
        child.start()
        child.join(PATIENCE)
        if child.is_alive():
            child.kill()
            child.join()
    assert child.exitcode == 0
    alerts.send(failure())
    alerts.close(PATIENCE)
    assert len(heard.told) == 2


def _send_and_close(alerts: Alerts) -> None:
    alerts.send(failure())
    alerts.close(PATIENCE)
    os._exit(0)


def test_the_manual_says_when_each_kind_is_sent() -> None:
    manual = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    section = manual.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z_]+)` \|.*\|.*\|$", section, re.M)) >= set(get_args(AlertKind))
