"""Signals: the first asks, the second interrupts, the third ends; what was before is put back."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from orchestrator import interruption
from orchestrator.interruption import SIGNALS, cancelling, in_thread

PATIENCE = 60


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_sets_the_event_and_the_second_interrupts(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    with cancelling() as cancel:
        assert not cancel.is_set()
        assert cancel.exit_code == 0
        signal.raise_signal(number)
        assert cancel.is_set()
        assert (cancel.signal, cancel.count, cancel.exit_code) == (number, 1, 128 + number)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        assert cancel.signal == number, "the first says why"
        assert [signal.getsignal(each) for each in SIGNALS] == [signal.SIG_DFL, signal.SIG_DFL]
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """A script's background job is not meant when somebody presses Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with cancelling() as cancel:
            signal.raise_signal(signal.SIGINT)
            assert (cancel.is_set(), cancel.count) == (False, 0)
            signal.raise_signal(signal.SIGTERM)
            assert cancel.signal == signal.SIGTERM
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_the_next_signal_would_do_is_said_past_the_buffered_stream(capfd: pytest.CaptureFixture[str]) -> None:
    with cancelling(tell=True):
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert capfd.readouterr().err == "cancelling; once more hurries\nhurrying; once more ends this at once\n"
    with cancelling():
        signal.raise_signal(signal.SIGINT)
    assert capfd.readouterr().err == ""


def test_in_another_thread_it_takes_no_signals() -> None:
    before, seen = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        with cancelling() as cancel:
            seen.append((cancel.is_set(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, before)]


def test_a_third_signal_ends_the_process() -> None:
    code = """
from orchestrator.interruption import cancelling
import threading
with cancelling(tell=True) as cancel:
    while True:
        try:
            print("up", flush=True)
            threading.Event().wait()
        except KeyboardInterrupt:
            pass
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert "cancelling" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert "hurrying" in process.stderr.readline()
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == -signal.SIGTERM


# --- work in another thread


def test_the_result_or_the_exception_is_handed_on() -> None:
    assert in_thread(lambda: threading.current_thread() is threading.main_thread(), lambda: None) is False
    with pytest.raises(ZeroDivisionError):
        in_thread(lambda: 1 / 0, lambda: None)


def test_an_interrupt_hurries_the_work_and_goes_through() -> None:
    entered, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        entered.set()
        assert go_on.wait(PATIENCE)
        done.set()

    with pytest.raises(KeyboardInterrupt):
        in_thread(work, go_on.set)
    assert entered.is_set()
    assert done.wait(PATIENCE)


def test_who_does_not_hurry_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption, "HURRY_SECONDS", 0.05)
    never, waited_for = threading.Event(), threading.Event()

    def work() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        never.wait(PATIENCE)

    def hurry() -> None:
        never.wait(PATIENCE)
        waited_for.set()

    with pytest.raises(KeyboardInterrupt):
        in_thread(work, hurry)
    assert not waited_for.is_set()
    never.set()
