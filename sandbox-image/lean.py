"""The interpreter's own C modules under the names they are known by, and JSON without the ``json`` package.

Every sandbox boots an interpreter and is thrown away after one run, so what the supervisor and the executor import is
paid for on each run, and with all processors busy it is what bounds the rate. ``os``, ``signal``, ``json``,
``contextlib``, ``traceback`` and ``ctypes`` pull in each other and ``collections``, ``functools``, ``enum``, ``re``:
14 ms, more than the rest of the boot. What we use of them is C code that is there at once.

The skill sees none of this: it imports the real modules, and an idle executor has them loaded before (executor.py,
``wait_for_job``). Private names are safe to use here because the image holds exactly one interpreter (3.13); on
another, the tests of this directory fail.
"""

from __future__ import annotations

import _json

TYPE_CHECKING = False  # typing costs time and memory in every sandbox; mypy knows the name
if TYPE_CHECKING:
    import os
    import signal
    from collections.abc import Callable
    from typing import Any
else:
    import _signal as signal
    import posix as os

__all__ = ["dumps", "loads", "os", "signal", "suppress"]


class suppress:  # noqa: N801 - it stands in for contextlib's
    """The exceptions named here end the block in silence."""

    def __init__(self, *kinds: type[BaseException]) -> None:
        self._kinds = kinds

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: object) -> bool:
        return kind is not None and issubclass(kind, self._kinds)


class _Json:
    """What ``json.JSONDecoder()`` would tell the scanner."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float = parse_constant = float
    parse_int = int


_scan: Callable[[str, int], tuple[Any, int]] = _json.make_scanner(_Json)  # type: ignore[arg-type]


def loads(text: bytes) -> Any:
    """``json.loads`` of what our own side encoded: UTF-8, no space around it. ValueError for anything else."""
    decoded = text.decode()
    try:
        value, end = _scan(decoded, 0)
    except StopIteration:
        raise ValueError("not JSON") from None
    if end != len(decoded):
        raise ValueError("more than one JSON value")
    return value


def _refuse(value: object) -> None:
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def dumps(value: object, *, ascii_only: bool = True) -> str:
    """``json.dumps(value, allow_nan=False, ensure_ascii=ascii_only)``. TypeError, ValueError or RecursionError."""
    quote = _json.encode_basestring_ascii if ascii_only else _json.encode_basestring
    encode: Any = _json.make_encoder({}, _refuse, quote, None, ": ", ", ", False, False, False)
    return "".join(encode(value, 0))
