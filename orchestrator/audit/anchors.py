"""Anchors: where the chain ended at some moment, noted outside the database.

The chain alone cannot show that its end was cut off, or that an older copy of the database was put back: both are
chains. A file of our own gets a line after every transaction; a command and syslog, when asked for, get one a minute
and one at the end, so that it lies on another machine too. A line holds no content: time, number, MAC, its own offset
in the file, and a seal over these.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import syslog
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from loguru import logger

from orchestrator.audit.chain import Head, seal
from orchestrator.audit.files import open_private, private_bytes, replace_private
from orchestrator.audit.key import Key, Keyring
from orchestrator.records.errors import RecordsError
from orchestrator.strictjson import StrictJSONError, loads

NAME: Final = "audit.anchors"
MAX_BYTES: Final = 64 * 2**20  # of the file, when it is read
THIN_BYTES: Final = 4 * 2**20  # from here on it is thinned out
_NEWEST_KEPT: Final = 1000
_EACH_KEPT: Final = 1000  # of the older ones, one of so many
_LINE_BYTES: Final = 1000
OUTSIDE_SECONDS: Final = 60.0  # between two lines for the command and syslog
COMMAND_SECONDS: Final = 10.0
_WHAT: Final = "the audit trail's anchor file"


@dataclass(frozen=True, slots=True)
class Anchor:
    at_us: int
    seq: int
    mac: str


@dataclass(slots=True)
class Reading:
    """``faults``: what is wrong with the file, one sentence each. ``torn``: a crash cut the last line off."""

    anchors: list[Anchor] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    torn: bool = False
    missing: bool = False


def line_of(key: Key, anchor: Anchor, offset: int) -> bytes:
    document = {"at_us": anchor.at_us, "key": key.id, "mac": anchor.mac, "offset": offset, "seq": anchor.seq}
    return json.dumps({**document, "seal": _seal(key, document)}, sort_keys=True, separators=(",", ":")).encode()


def _seal(key: Key, document: dict[str, Any]) -> str:
    names = ("at_us", "key", "mac", "offset", "seq")
    return seal(key.anchors, (str(document[name]).encode("utf-8", "replace") for name in names))


def parsed(line: bytes, keys: Keyring) -> tuple[Anchor, int]:
    """An anchor and its offset. ``ValueError`` with the reason: it is not what we wrote."""
    found = loads(line, max_bytes=_LINE_BYTES, max_depth=1, what="anchor")
    if not isinstance(found, dict) or found.keys() != {"at_us", "key", "mac", "offset", "seal", "seq"}:
        raise ValueError("other fields than an anchor has")
    numbers = (found["at_us"], found["offset"], found["seq"])
    if any(type(each) is not int for each in numbers) or not all(isinstance(found[n], str) for n in ("key", "mac")):
        raise ValueError("fields of other kinds than an anchor has")
    key = keys.get(found["key"])
    if key is None:
        raise ValueError("sealed with a key that is not there")
    if found["seal"] != _seal(key, found):
        raise ValueError("its seal does not fit")
    return Anchor(found["at_us"], found["seq"], found["mac"]), found["offset"]


class AnchorFile:
    """Append-only, but that it is thinned out when it grows. Several processes may write to it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, key: Key, head: Head, *, sync: bool) -> None:
        """``RecordsError``: it is not ours alone, or cannot be written. ``sync``: it is on the disk afterwards."""
        with self._opened() as (descriptor, size):
            line = line_of(key, Anchor(time.time_ns() // 1000, head.seq, head.mac), size) + b"\n"
            if os.write(descriptor, line) != len(line):
                raise RecordsError(f"{_WHAT} {self.path} cannot be written: no space is left")
            if sync:
                os.fsync(descriptor)

    @contextmanager
    def _opened(self) -> Iterator[tuple[int, int]]:
        """A descriptor of the file as it is now, locked, and its size. What a crash cut off is taken away."""
        try:
            while True:
                descriptor = open_private(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, what=_WHAT)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                    if os.fstat(descriptor).st_ino != self.path.lstat().st_ino:
                        continue  # thinned out between opening and locking
                    yield descriptor, _whole(descriptor)
                    return
                finally:
                    os.close(descriptor)
        except OSError as error:
            raise RecordsError(f"{_WHAT} {self.path} cannot be written: {error.strerror}") from error

    def read(self, keys: Keyring) -> Reading:
        """All anchors whose seal fits, and what does not. ``RecordsError``: it is not ours alone, or too large."""
        if not os.path.lexists(self.path):
            return Reading(missing=True)
        return read_lines(private_bytes(self.path, MAX_BYTES, what=_WHAT), keys, offsets=True)

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def thin(self, keys: Keyring, key: Key, first: int) -> None:
        """Drop most of the older anchors, and all of records before ``first``. A file with faults is left alone."""
        with self._opened():
            reading = self.read(keys)
            if reading.faults:
                return
            wanted = [each for each in reading.anchors if each.seq >= first]
            older, newest = wanted[:-_NEWEST_KEPT], wanted[-_NEWEST_KEPT:]
            content = b""
            for anchor in (*older[::-_EACH_KEPT][::-1], *newest):
                content += line_of(key, anchor, len(content)) + b"\n"
            replace_private(self.path, content)


def _whole(descriptor: int) -> int:
    """The size without what follows the last line end."""
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, _LINE_BYTES, max(0, size - _LINE_BYTES))
    if not tail or tail.endswith(b"\n"):
        return size
    whole = size - len(tail) + tail.rfind(b"\n") + 1
    os.ftruncate(descriptor, whole)
    return whole


def read_lines(raw: bytes, keys: Keyring, *, offsets: bool) -> Reading:
    """``offsets``: each line must stand where it was written; copies from elsewhere need not. Those may have something
    before the first brace, as syslog's lines do."""
    reading, place = Reading(), 0
    lines = raw.split(b"\n")
    reading.torn = bool(lines.pop())
    for number, line in enumerate(lines, 1):
        text = line if offsets else line[max(0, line.find(b"{")) :]
        try:
            anchor, offset = parsed(text, keys)
        except (StrictJSONError, ValueError) as error:
            if text.startswith(b"{") or offsets:
                reading.faults.append(f"line {number}: {error}")
        else:
            if offsets and offset != place:
                reading.faults.append(f"line {number}: it was written at another place: lines are missing or moved")
            reading.anchors.append(anchor)
        place += len(line) + 1
    return reading


class Outside:
    """Hands anchors on: to a command, on its standard input, and to syslog. Nothing it does holds a run up or fails it;
    what goes wrong is logged."""

    def __init__(self, command: Sequence[str] = (), *, to_syslog: bool = False) -> None:
        self._command, self._to_syslog = tuple(command), to_syslog
        self._lock = threading.Lock()
        self._last = 0.0
        self.told: Head | None = None  # where the chain ended when it was last handed on, without a fault
        self._thread: threading.Thread | None = None

    def __bool__(self) -> bool:
        return bool(self._command) or self._to_syslog

    def tell(self, key: Key, head: Head, *, now: bool = False) -> None:
        """At most once a minute, in a thread of its own; ``now``: in any case, and wait for it."""
        if not self:
            return
        with self._lock:
            busy = self._thread is not None and self._thread.is_alive()
            if not now and (busy or (self._last and time.monotonic() - self._last < OUTSIDE_SECONDS)):
                return
            if now and self._thread is not None:
                self._thread.join(2 * COMMAND_SECONDS)  # whoever receives them gets them in order
            self._last = time.monotonic()
            line = line_of(key, Anchor(time.time_ns() // 1000, head.seq, head.mac), 0)
            self._thread = threading.Thread(target=self._send, args=(line, head), daemon=True)
            self._thread.start()
            sending = self._thread
        if now:
            sending.join(2 * COMMAND_SECONDS)

    def after_fork_in_child(self) -> None:
        self._lock, self._thread = threading.Lock(), None

    def _send(self, line: bytes, head: Head) -> None:
        if self._to_syslog:
            syslog.syslog(syslog.LOG_NOTICE | syslog.LOG_AUTH, f"skill-orchestrator audit {line.decode()}")
        if not self._command:
            self.told = head
            return
        try:
            done = subprocess.run(  # noqa: S603 - the operator's own command, without a shell
                self._command, input=line + b"\n", timeout=COMMAND_SECONDS, check=False,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            logger.error("the command for audit anchors failed: {}", error)
        else:
            if done.returncode:
                logger.error("the command for audit anchors ended with {}", done.returncode)
            else:
                self.told = head


def by_number(anchors: Iterable[Anchor]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for anchor in anchors:
        found.setdefault(anchor.seq, set()).add(anchor.mac)
    return found
