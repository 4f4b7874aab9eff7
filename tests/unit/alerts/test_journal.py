"""The account of alerts: which are sent, by what all processes sent; and what an operator can read there."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator import RecordsError
from orchestrator.alerts import Alert, Alerts
from orchestrator.alerts.channels import ChannelFault
from orchestrator.alerts.clerk import Clerk, GaveUp, Question
from orchestrator.alerts.journal import KEPT_SECONDS, MOST_ENTRIES, Case, Entry, Journal, Ruling, recent
from orchestrator.alerts.model import Notice, Slip, document
from orchestrator.outputs.known import KnownValues
from orchestrator.outputs.secrets import Detector
from orchestrator.records import Database
from orchestrator.records.tables import ALERTS
from tests.support.secret_samples import CANARY

PATIENCE = 30.0


class Clock:
    def __init__(self) -> None:
        self.at = 1_000_000.0

    def __call__(self) -> float:
        return self.at


class Channel:
    name = "heard"

    def __init__(self, fault: Exception | None = None) -> None:
        self.told: list[Mapping[str, Any]] = []
        self.arrived = threading.Semaphore(0)
        self._fault = fault

    def send(self, told: Mapping[str, Any]) -> None:
        if self._fault is not None:
            raise self._fault
        self.told.append(told)
        self.arrived.release()

    def stop(self) -> None:
        pass


@pytest.fixture
def clock() -> Clock:
    return Clock()


def failure(skill: str = "a@1.0.0", rule: str = "failed", **more: Any) -> Alert:
    return Alert("run_failed", "the run ended", skill=skill, rule=rule, run_id="r", at=7.0, **more)


def case(alert: Alert, **more: Any) -> Case:
    return Case(alert, document(Notice(alert), Detector()), **more)


def sent(journal: Journal, alert: Alert, **more: Any) -> Notice | None:
    return journal.rule(case(alert, **more)).notice


# --- the limits, over all processes


def test_one_process_knows_what_another_sent(database: Database, clock: Clock) -> None:
    first, second, elsewhere = (Journal(database, state, clock=clock) for state in ("s", "s", "other"))
    assert sent(first, failure()) == Notice(failure())
    clock.at += 299
    assert sent(second, failure()) is None
    assert sent(second, failure(), times=2) is None
    assert sent(second, failure(rule="timed_out")) is not None
    assert sent(elsewhere, failure()) is not None, "another state directory's limits are its own"
    clock.at += 1
    assert sent(second, failure()) == Notice(failure(), suppressed=3)
    assert sent(first, failure()) is None


def test_no_more_than_so_many_an_hour_and_the_next_one_says_how_many(database: Database, clock: Clock) -> None:
    def journal() -> Journal:
        return Journal(database, "s", interval_seconds=0, per_hour=2, clock=clock)

    assert [sent(journal(), failure(skill=str(at))) is not None for at in range(5)] == [True, True] + [False] * 3
    clock.at += 3599.9
    assert sent(journal(), failure(), times=2) is None
    clock.at += 0.1
    notices = sent(journal(), failure()), sent(journal(), failure())
    assert [notice and notice.limited for notice in notices] == [5, 0]
    assert sent(journal(), failure()) is None


def test_what_is_over_ends_the_interval_for_all(database: Database, clock: Clock) -> None:
    begun, over = Alert("pool_degraded", "begun", rule="engine"), Alert("pool_recovered", "over", rule="engine")
    other = Alert("pool_degraded", "begun", rule="removals")
    one, two = Journal(database, "s", clock=clock), Journal(database, "s", clock=clock)
    steps = [
        (one, begun),
        (one, begun),
        (one, other),
        (two, over),
        (one, over),
        (two, other),
        (two, begun),
        (one, over),
    ]
    notices = [sent(journal, alert) for journal, alert in steps]
    assert [None if notice is None else notice.suppressed for notice in notices] == [0, None, 0, 0, None, None, 1, 1]


def test_a_clock_that_was_set_back_keeps_nothing_back_for_long(database: Database, clock: Clock) -> None:
    journal = Journal(database, "s", per_hour=1, clock=clock)
    assert sent(journal, failure()) is not None
    clock.at -= 10
    assert sent(journal, failure()) is None, "of two processes the one that asked the time first may write last"
    clock.at -= 3600
    assert sent(journal, failure()) is not None


def test_what_nobody_could_get_holds_nothing_back_once_there_is_a_channel(database: Database, clock: Clock) -> None:
    journal = Journal(database, "s", per_hour=1, clock=clock)
    assert sent(journal, failure(), channels=0) is not None
    assert sent(journal, failure(), channels=0) is None
    assert sent(journal, failure(), channels=1) is not None
    assert sent(journal, failure(skill="b@1.0.0"), channels=1) is None


def test_processes_at_once_send_one(database: Database) -> None:
    notices: list[Notice | None] = []
    barrier = threading.Barrier(6)

    def send(own: Journal) -> None:
        barrier.wait(PATIENCE)
        notices.append(sent(own, failure()))

    threads = [threading.Thread(target=send, args=(Journal(database, "s"),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(notice is not None for notice in notices) == [False] * 5 + [True]
    assert recent(database)[0].suppressed == 5


# --- the account


def test_an_operator_reads_what_was_sent_and_what_became_of_it(database: Database, clock: Clock) -> None:
    journal = Journal(database, "s", clock=clock)
    first, second = sent(journal, failure(), channels=2), sent(journal, failure(skill="b@1.0.0"), times=3, channels=1)
    assert first is not None
    assert second is not None
    assert sent(journal, failure(), channels=2) is None
    journal.report(first.slip, took=True)
    journal.report(first.slip, took=False)
    journal.report(second.slip, took=False)
    journal.report(Slip(), took=True)  # was never noted
    expected = Entry(
        kind="run_failed", skill="a@1.0.0", rule="failed", run_id="r", message="the run ended", at=7.0,
        sent_at=clock.at, suppressed=1, limited=0, channels=2, took=1, failed=1,
    )  # fmt: skip
    second_entry = replace(expected, skill="b@1.0.0", suppressed=2, channels=1, took=0)
    assert recent(database) == [second_entry, expected]
    assert [entry.delivered for entry in recent(database)] == [False, True]
    assert recent(database, 1) == [second_entry]


def test_it_is_bounded_by_number_and_by_age(database: Database, clock: Clock) -> None:
    journal = Journal(database, "s", interval_seconds=0, per_hour=1, clock=clock)
    other = Journal(database, "other", interval_seconds=0, per_hour=10**6, clock=clock)
    with database.writing(synced=False) as connection:
        row = {"state_id": "s", "kind": "audit", "rule": "", "run_id": "", "message": "", "suppressed": 0, "limited": 0}
        row |= {"sent_at": clock.at, "at": 0.0, "ended": False, "channels": 1, "took": 0, "failed": 0}
        connection.execute(ALERTS.insert(), [row | {"skill": str(number)} for number in range(MOST_ENTRIES + 2)])
    journal.note(case(failure(skill=str(MOST_ENTRIES + 2))), Slip())
    other.note(case(failure(skill="theirs")), Slip())
    kept = [entry.skill for entry in recent(database, 10**6)]
    assert kept == ["theirs", *map(str, range(MOST_ENTRIES + 2, 2, -1))]
    clock.at += KEPT_SECONDS + 1
    journal.note(case(failure(skill="last")), Slip())
    assert [entry.skill for entry in recent(database, 10**6)] == ["last"]


def test_texts_are_lines_without_secrets(database: Database) -> None:
    alerts = Alerts([Channel()], known=KnownValues.of([("canary", CANARY)]), journal=Journal(database, "s"))
    alerts.send(Alert("run_failed", f"{CANARY}\n\x1b[2J\0\ud800" + "x" * 10_000, skill="a\u202e\0@1.0.0"))
    alerts.close(PATIENCE)
    [entry] = recent(database)
    text = json.dumps([entry.message, entry.skill], ensure_ascii=False)
    assert CANARY not in text
    assert not any(character in text for character in "\x1b\n\u202e\0\ud800")
    assert entry.delivered


# --- ``Alerts`` with it


def test_alerts_of_several_processes_in_a_row_are_one(database: Database) -> None:
    channel = Channel()
    for _ in range(3):
        alerts = Alerts([channel], journal=Journal(database, "s"))
        alerts.send(failure())
        alerts.close(PATIENCE)
    assert len(channel.told) == 1
    [entry] = recent(database)
    assert (entry.suppressed, entry.channels, entry.took, entry.failed) == (2, 1, 1, 0)


def test_without_a_channel_alerts_are_noted(database: Database) -> None:
    alerts = Alerts(journal=Journal(database, "s"))
    alerts.send(failure())
    alerts.close(PATIENCE)
    [entry] = recent(database)
    assert (entry.channels, entry.delivered) == (0, False)


def test_what_a_channel_did_not_take_is_noted(database: Database) -> None:
    alerts = Alerts([Channel(ChannelFault("no")), Channel(RuntimeError("no"))], journal=Journal(database, "s"))
    alerts.send(failure())
    alerts.close(PATIENCE)
    [entry] = recent(database)
    assert (entry.took, entry.failed, entry.delivered) == (0, 2, False)


# --- a database that is away


class Away(Journal):
    """The database of it, on demand."""

    away = True

    def rule(self, *args: Any, **more: Any) -> Any:
        if self.away:
            raise RecordsError("the records are away")
        return super().rule(*args, **more)


def test_alerts_leave_while_the_database_is_away_within_this_process_own_limits(tmp_path: Path) -> None:
    with Database(tmp_path / "records.db") as database:
        journal, channel = Away(database, "s"), Channel()
        alerts = Alerts([channel], interval_seconds=300, journal=journal)
        alerts.send(failure())
        alerts.send(failure())
        alerts.send(failure(skill="b@1.0.0"))
        alerts.close(PATIENCE)
        assert [told["skill"] for told in channel.told] == ["a@1.0.0", "b@1.0.0"]
        assert [(entry.skill, entry.took) for entry in recent(database)] == [("b@1.0.0", 1), ("a@1.0.0", 1)]


def test_a_closed_database_stops_no_alert(tmp_path: Path) -> None:
    channel = Channel()
    database = Database(tmp_path / "records.db")
    database.close()
    alerts = Alerts([channel], journal=Journal(database, "s"))
    alerts.send(failure())
    alerts.close(PATIENCE)
    assert len(channel.told) == 1


def test_a_database_that_does_not_answer_holds_up_no_alert(tmp_path: Path) -> None:
    """It answers when all is over; what it was asked for and nobody waits for any more is not kept."""
    answers = threading.Event()

    class Stuck(Journal):
        def rule(self, case: Case, wanted: Callable[[], None] = lambda: None) -> Ruling:
            def stuck() -> None:
                answers.wait(PATIENCE)
                wanted()

            return super().rule(case, stuck)

    with Database(tmp_path / "records.db") as database:
        channel = Channel()
        alerts = Alerts([channel], interval_seconds=0, journal=Stuck(database, "s"))
        alerts._admission._clerk._seconds = 0.1
        for skill in ("a@1.0.0", "b@1.0.0"):
            alerts.send(failure(skill=skill))
            assert channel.arrived.acquire(timeout=PATIENCE)
        assert not answers.is_set()
        answers.set()
        alerts.close(PATIENCE)
        assert [told["skill"] for told in channel.told] == ["a@1.0.0", "b@1.0.0"]
        assert [(entry.skill, entry.took) for entry in recent(database)] == [("b@1.0.0", 1), ("a@1.0.0", 1)]


def test_work_that_nobody_waits_for_any_more_is_told_so_before_it_commits() -> None:
    done: list[str] = []

    def work(wanted: Callable[[], None]) -> int:
        wanted()
        assert question.wait(0.0) is None
        wanted()
        done.append("committed")
        return 1

    question = Question(work)
    with pytest.raises(GaveUp):
        question()
    assert done == []


def test_behind_work_that_hangs_nobody_waits_again() -> None:
    clerk, hangs, gate = Clerk(seconds=0.0), threading.Event(), threading.Event()

    def hang() -> None:
        hangs.set()
        gate.wait(PATIENCE)

    assert clerk.put(hang)
    assert hangs.wait(PATIENCE)
    assert [clerk.ask(lambda wanted: 1) for _ in range(3)] == [None] * 3
    assert len(clerk._waiting) == 1
    gate.set()
    assert clerk.close(time.monotonic() + PATIENCE)
    assert not clerk.put(hang)
