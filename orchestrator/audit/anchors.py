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
import secrets
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
from orchestrator.audit.files import open_private, replace_private
from orchestrator.audit.key import Key, Keyring
from orchestrator.audit.thinning import thinned
from orchestrator.records.errors import RecordsError
from orchestrator.strictjson import StrictJSONError, loads

NAME: Final = "audit.anchors"
MAX_BYTES: Final = 64 * 2**20  # that are read of the file: of a larger one its beginning and its end
THIN_BYTES: Final = 4 * 2**20  # from here on it is thinned out
MAX_FAULTS: Final = 10_000  # then the rest is not read
_MOST_ASIDE: Final = 8  # faulty files that are kept
_LINE_BYTES: Final = 1000
OUTSIDE_SECONDS: Final = 60.0  # between two lines for the command and syslog
COMMAND_SECONDS: Final = 10.0
_WHAT: Final = "the audit trail's anchor file"
_FAULTY: Final = ".faulty-"  # what is put after its name, for files that are kept
_FORMER: Final = ".former-"


@dataclass(frozen=True, slots=True)
class Anchor:
    """When it was noted (microseconds since 1970), that record ``seq`` with the seal ``mac`` was the last one."""

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


@dataclass(frozen=True, slots=True)
class Replaced:
    """A file with faults, in whose place a new one is. ``aside``: the name it is kept by; "": so many are kept that it
    is not."""

    faults: int
    aside: str


class AnchorFile:
    """Append-only, but that it is thinned out when it grows. Several processes may write to it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, key: Key, head: Head, *, sync: bool) -> bool:
        """Whether it is the first line of a file that was missing or empty. ``RecordsError``: it is not ours alone, or
        cannot be written. ``sync``: it is on the disk afterwards."""
        with self._opened() as (descriptor, size):
            line = line_of(key, Anchor(time.time_ns() // 1000, head.seq, head.mac), size) + b"\n"
            if os.write(descriptor, line) != len(line):
                raise RecordsError(f"{_WHAT} {self.path} cannot be written: no space is left")
            if sync:
                os.fsync(descriptor)
            return size == 0

    @contextmanager
    def _opened(self) -> Iterator[tuple[int, int]]:
        """A descriptor of the file as it is now, locked, and its size. What a crash cut off is taken away."""
        try:
            while True:
                descriptor = open_private(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, what=_WHAT)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                    if not self._is_still(descriptor):
                        continue  # thinned out between opening and locking
                    yield descriptor, _whole(descriptor)
                    return
                finally:
                    os.close(descriptor)
        except OSError as error:
            raise RecordsError(f"{_WHAT} {self.path} cannot be written: {error.strerror}") from error

    def _is_still(self, descriptor: int) -> bool:
        try:
            return os.fstat(descriptor).st_ino == self.path.lstat().st_ino
        except FileNotFoundError:
            return False

    def read(self, keys: Keyring) -> Reading:
        """All anchors whose seal fits, and what does not. ``RecordsError``: it is not ours alone."""
        if not os.path.lexists(self.path):
            return Reading(missing=True)
        with os.fdopen(open_private(self.path, os.O_RDONLY, what=_WHAT), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size <= MAX_BYTES:
                return read_lines(file.read(size), keys, offsets=True)
            half = MAX_BYTES // 2
            first = read_lines(file.read(half), keys, offsets=True)
            file.seek(size - half - 1)
            start = size - half - 1 + len(file.readline(half))  # of the first line that is there wholly
            last = read_lines(file.read(half), keys, offsets=True, start=start)
        faults = [f"it is larger than {MAX_BYTES >> 20} MiB: its middle was not read", *first.faults]
        faults += [f"from byte {start} on, {fault}" for fault in last.faults]
        return Reading(first.anchors + last.anchors, faults, last.torn)

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def thin(self, keys: Keyring, key: Key, first: int) -> Replaced | None:
        """Drop most of the older anchors (``thinning``), and all of records before ``first``. A file with faults is
        left alone while it is small, for whoever looks into it; then it is kept aside, and what is genuine goes on."""
        with self._opened() as (_, size):
            reading = self.read(keys)
            if reading.faults and size <= THIN_BYTES:
                return None
            replaced = None
            if reading.faults:
                room = len(self.aside()) < _MOST_ASIDE
                replaced = Replaced(len(reading.faults), self._kept_aside(_FAULTY) if room else "")
            replace_private(self.path, _content(key, thinned([a for a in reading.anchors if a.seq >= first])))
            return replaced

    def begin_anew(self, key: Key, head: Head) -> str:
        """A new file whose first line is ``head``. The former one is kept, by the name that is returned ("": there was
        none)."""
        with self._opened() as (_, size):
            former = self._kept_aside(_FORMER) if size else ""
            replace_private(self.path, _content(key, [Anchor(time.time_ns() // 1000, head.seq, head.mac)]))
            return former

    def _kept_aside(self, word: str) -> str:
        """A second name for it: at no time it is missing for others who write. ``OSError``."""
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        kept = self.path.with_name(f"{self.path.name}{word}{moment}-{secrets.token_hex(4)}")
        kept.hardlink_to(self.path)
        return kept.name

    def aside(self) -> list[str]:
        """The names of faulty files that were replaced, oldest first. ``RecordsError``."""
        try:
            names = [path.name for path in self.path.parent.iterdir()]
        except OSError as error:
            raise RecordsError(f"{self.path.parent} cannot be read: {error.strerror}") from error
        return sorted(name for name in names if name.startswith(self.path.name + _FAULTY))


def _content(key: Key, anchors: Iterable[Anchor]) -> bytes:
    content = bytearray()
    for anchor in anchors:
        content += line_of(key, anchor, len(content)) + b"\n"
    return bytes(content)


def _whole(descriptor: int) -> int:
    """The size without what follows the last line end."""
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, _LINE_BYTES, max(0, size - _LINE_BYTES))
    if not tail or tail.endswith(b"\n"):
        return size
    whole = size - len(tail) + tail.rfind(b"\n") + 1
    os.ftruncate(descriptor, whole)
    return whole


def read_lines(raw: bytes, keys: Keyring, *, offsets: bool, start: int = 0) -> Reading:
    """``offsets``: each line must stand where it was written, the first at ``start``; copies from elsewhere need not.
    Those may have something before the first brace, as syslog's lines do."""
    reading = Reading(torn=bool(raw) and not raw.endswith(b"\n"))
    for number, (place, line) in enumerate(_lines(raw), 1):
        text = line if offsets else line[max(0, line.find(b"{")) :]
        try:
            anchor, offset = parsed(text, keys)
        except (StrictJSONError, ValueError) as error:
            if text.startswith(b"{") or offsets:
                reading.faults.append(f"line {number}: {error}")
        else:
            if offsets and offset != start + place:
                reading.faults.append(f"line {number}: it was written at another place: lines are missing or moved")
            reading.anchors.append(anchor)
        if len(reading.faults) >= MAX_FAULTS:
            reading.faults.append(f"line {number}: what follows was not read")
            break
    return reading


def _lines(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Whole lines, and where they begin. Not all at once: somebody may have made millions."""
    place = 0
    while (end := raw.find(b"\n", place)) >= 0:
        yield place, raw[place:end]
        place = end + 1


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
