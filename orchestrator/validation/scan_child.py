"""The process that scans: reads texts from its descriptor 0, writes an inspection of each to its descriptor 1.

Run by path with ``-I -S -B`` (see scan_process.py). A message is four bytes, big-endian, that say its length, and the
message: the code as UTF-8 one way, ``inspection.encode`` the other way. The end of the input is the end of the process.
So it never outlives its host by more than one scan, and that is bounded here too, whatever became of the host.

Its own limits come first: a text that exhausts memory, time or stack takes this process down and nothing else. It can
open no file of any size to write, leaves no core and, as an ordinary user, starts no process.
"""

from __future__ import annotations

import gc
import math
import os
import resource
import signal
import sys
import time

OPEN_FILES = 16  # a codec or module of the standard library that is loaded on first use; no more
LONGEST_TEXT = 4 * 2**20  # bytes; a skill's code is limited far below, and read() refuses what is longer


def main() -> None:
    cpu_seconds, wall_seconds, memory_bytes, *search_path = sys.argv[1:]
    sys.path.extend(search_path)  # at the end: nothing there can stand in for the standard library
    from orchestrator.validation.examine import examine  # noqa: PLC0415 - the path is only known now
    from orchestrator.validation.inspection import encode  # noqa: PLC0415

    _confine(int(memory_bytes))
    gc.freeze()  # what was imported stays
    gc.disable()  # a tenth of the time of a long scan; rubbish is collected between scans
    while (text := _receive()) is not None:
        _allow(int(cpu_seconds), float(wall_seconds))
        code = text.decode("utf-8", "surrogatepass")
        _send(encode(examine(code)))
        signal.setitimer(signal.ITIMER_REAL, 0)
        del text, code
        gc.collect()


def _confine(memory_bytes: int) -> None:
    _lower(resource.RLIMIT_AS, memory_bytes)
    _lower(resource.RLIMIT_DATA, memory_bytes)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_NOFILE, OPEN_FILES)
    _lower(resource.RLIMIT_NPROC, 0)


def _lower(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))


def _allow(cpu_seconds: int, wall_seconds: float) -> None:
    """Time for one scan: SIGXCPU or SIGALRM ends the process, since nobody handles them here."""
    soft, hard = math.ceil(time.process_time()) + cpu_seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
    signal.setitimer(signal.ITIMER_REAL, wall_seconds)


def _receive() -> bytes | None:
    """The next message; None at the end of the input."""
    header = _exactly(4)
    length = int.from_bytes(header, "big")
    if len(header) < 4 or length > LONGEST_TEXT:
        return None
    text = _exactly(length)
    return text if len(text) == length else None


def _exactly(count: int) -> bytes:
    """``count`` bytes; fewer at the end of the input."""
    parts = bytearray()
    while len(parts) < count:
        part = os.read(0, count - len(parts))
        if not part:
            break
        parts += part
    return bytes(parts)


def _send(message: bytes) -> None:
    rest = memoryview(len(message).to_bytes(4, "big") + message)
    while rest:
        rest = rest[os.write(1, rest) :]


if __name__ == "__main__":
    main()
