"""What SIGINT (Ctrl-C) and SIGTERM do to a program that runs skills: one asks, a second hurries, a third ends it.

    with cancelling() as cancel:
        result = orchestrator.run(skill, cancel=cancel)

1. The event is set: the run ends as ``cancelled``, its output so far and its records complete. One that is landing its
   changes goes on to its end, which takes a moment: it then ends as it would have.
2. ``KeyboardInterrupt`` in the main thread, for SIGTERM too. In the main thread it may come in the midst of a landing;
   the vault's journal finishes that, or takes it back, at the next start. With ``in_thread`` it does not: the run is in
   another thread, and gets ``HURRY_SECONDS`` more.
3. The system's default: the process is gone. Its janitor removes what it left.

A signal that this process was started to ignore, as a script's background jobs are with SIGINT, stays ignored.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final, TypeVar

T = TypeVar("T")
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
HURRY_SECONDS: Final = 2.0
_STANDARD_ERROR: Final = 2


class Interruption(threading.Event):
    """Set by the first signal; ``signal`` is its number (0: none came), ``count`` how many came. Ask ``is_set`` in the
    main thread and wait in others only: the main thread takes the signal, also while it holds this event's lock."""

    def __init__(self) -> None:
        super().__init__()
        self.signal = 0
        self.count = 0

    @property
    def exit_code(self) -> int:
        """What shells expect of a program that a signal ended: 128 and its number; 0 where none came."""
        return 128 + self.signal if self.signal else 0


@contextmanager
def cancelling(*, tell: bool = False) -> Iterator[Interruption]:
    """See above. Outside of the main thread, where no signals can be taken, the event is one that nobody sets.
    ``tell``: say on standard error what the next signal would do. Afterwards signals do what they did before."""
    cancel = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield cancel
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}

    def taken(number: int, _frame: FrameType | None) -> None:
        cancel.count += 1
        if cancel.count == 1:
            cancel.signal = number
            cancel.set()
            _say("cancelling; once more hurries\n" if tell else "")
            return
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        _say("hurrying; once more ends this at once\n" if tell else "")
        raise KeyboardInterrupt

    for number in before:
        signal.signal(number, taken)
    try:
        yield cancel
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def _say(text: str) -> None:
    """Past the buffered stream, which the interrupted thread may be in the middle of."""
    with suppress(OSError):
        os.write(_STANDARD_ERROR, text.encode())


def in_thread(work: Callable[[], T], hurry: Callable[[], object]) -> T:
    """``work()`` in another thread, whose result or exception is this call's. A ``KeyboardInterrupt`` meanwhile calls
    ``hurry`` (which should make ``work`` end), gives both ``HURRY_SECONDS``, and goes through, whatever still runs."""
    future: Future[T] = Future()
    try:
        _start(lambda: _resolve(future, work), "work")
        return future.result()
    except KeyboardInterrupt:
        if future.done():  # the work was interrupted itself, or was just done
            raise
        hurried = threading.Event()
        _start(lambda: _hurry(hurry, hurried), "hurry")
        hurried.wait(HURRY_SECONDS)
        raise


def _start(target: Callable[[], None], name: str) -> None:
    threading.Thread(target=target, name=name, daemon=True).start()


def _resolve(future: Future[T], work: Callable[[], T]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
        future.set_exception(error)


def _hurry(hurry: Callable[[], object], hurried: threading.Event) -> None:
    try:
        hurry()
    finally:
        hurried.set()
