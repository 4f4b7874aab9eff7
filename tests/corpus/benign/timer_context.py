import time
from contextlib import ContextDecorator, ExitStack, contextmanager, redirect_stdout
from io import StringIO
from types import TracebackType
from typing import Optional, Type


class Timer(ContextDecorator):
    def __init__(self, label: str = "block") -> None:
        self.label = label
        self.elapsed = 0.0

    def __enter__(self) -> "Timer":
        self._start = time.monotonic()
        return self

    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc_val: Optional[BaseException],
        exc_tb: Optional[TracebackType],
    ) -> bool:
        self.elapsed = time.monotonic() - self._start
        if exc_type is not None:
            print(f"{self.label} failed: {exc_type.__name__}: {exc_val}")
        return exc_type is ZeroDivisionError


@contextmanager
def indented(level):
    prefix = "  " * level
    try:
        yield lambda text: print(prefix + text)
    finally:
        print(prefix + "end")


def main():
    buffer = StringIO()
    with redirect_stdout(buffer), ExitStack() as stack:
        say = stack.enter_context(indented(2))
        say("hello")
        with Timer("division") as t:
            1 / 0
    return {"out": buffer.getvalue().splitlines(), "quick": t.elapsed < 1}
