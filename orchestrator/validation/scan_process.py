"""``ScanProcess``: the host's end of one scanning process (scan_child.py). One question at a time.

The process has the limits below, a session of its own, an empty environment and no descriptor but one socket. Whatever
goes wrong with it - it ends, hangs, or says what is no answer - is ``Unfinished``, and then it must not be asked again.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.validation import scan_child
from orchestrator.validation.inspection import MAX_ENCODED_BYTES

_SCANS: Final = 500  # then a fresh process takes over
_GROWN_BYTES: Final = 192 * 2**20  # of address space; a fresh one has 25 MB, and the worst text takes 250 MB more
_REAP_SECONDS: Final = 2.0
_CHUNK: Final = 2**16


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """What one scan may take. Figures: the worst texts within the limits of source.py (repeated statements, f-strings)
    were measured at 280 MB of address space and 4 s of processor time on CPython 3.11; this is about twice that. The
    wall clock is longer than the processor's, so that a busy machine is not taken for a hostile text."""

    cpu_seconds: int = 10
    wall_seconds: float = 20.0
    memory_bytes: int = 512 * 2**20


class Unfinished(Exception):  # noqa: N818 - control flow between this module and scanner.py
    """The scan broke off; the text says how."""


class ScanProcess:
    """Starts at once and boots while nobody waits. Raises OSError when no process can be started. Not thread-safe."""

    def __init__(self, limits: ScanLimits) -> None:
        self._limits = limits
        self._scans = 0
        if not sys.executable:
            raise FileNotFoundError("this interpreter does not know its own path (sys.executable)")
        numbers = (limits.cpu_seconds, limits.wall_seconds, limits.memory_bytes)
        self._socket, theirs = socket.socketpair()
        with theirs:
            try:
                self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - our own file, our own interpreter
                    [sys.executable, "-I", "-S", "-B", scan_child.__file__, *map(str, numbers), *_search_path()],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    env={},
                    start_new_session=True,  # a Ctrl-C at the terminal is not for it
                )
            except BaseException:
                self._socket.close()
                raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def usable(self) -> bool:
        """Still there: one that was killed while it was idle has not failed at any text."""
        return self._process.poll() is None

    def worn(self) -> bool:
        """It has scanned or grown enough to be replaced."""
        return self._scans >= _SCANS or self._address_space() > _GROWN_BYTES

    def ask(self, code: bytes) -> bytes:
        """The answer to ``code``, at most ``MAX_ENCODED_BYTES`` and not yet believed. Raises ``Unfinished``."""
        deadline = time.monotonic() + self._limits.wall_seconds
        self._scans += 1
        try:
            self._socket.settimeout(self._limits.wall_seconds)
            self._socket.sendall(len(code).to_bytes(4, "big") + code)
            length = int.from_bytes(self._exactly(4, deadline), "big")
            if length > MAX_ENCODED_BYTES:
                raise Unfinished("its process answered beyond measure")
            return self._exactly(length, deadline)
        except TimeoutError:
            raise Unfinished(f"it took longer than {self._limits.wall_seconds:g} s") from None
        except OSError:
            raise Unfinished(self._how_it_ended()) from None

    def _exactly(self, count: int, deadline: float) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            part = self._socket.recv(min(_CHUNK, count - len(parts)))
            if not part:
                raise Unfinished(self._how_it_ended())
            parts += part
        return bytes(parts)

    def _how_it_ended(self) -> str:
        try:
            status = self._process.wait(_REAP_SECONDS)
        except subprocess.TimeoutExpired:
            return "its process stopped listening"
        if status == -signal.SIGXCPU:
            return f"it took more than {self._limits.cpu_seconds} s of processor time"
        if status == -signal.SIGALRM:
            return f"it took longer than {self._limits.wall_seconds:g} s"
        if status < 0:
            return f"its process was ended by signal {-status}"
        return f"its process ended with status {status}"

    def _address_space(self) -> int:
        """Bytes; 0 when it is not known."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_bytes().split()[0])
        except (OSError, ValueError, IndexError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    def end(self) -> None:
        """Gone when this returns. Idempotent."""
        self._socket.close()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def forget_in_child(self) -> None:
        """After a fork: the child must not keep the socket open past the parent's death, nor wait for a process that
        is not its own."""
        self._socket.close()
        self._process.returncode = 0


def _search_path() -> list[str]:
    """Where the child finds this package and what it imports; relative entries would depend on who started us."""
    own = str(Path(__file__).parents[2])
    return [own, *(entry for entry in sys.path if Path(entry).is_absolute() and entry != own)]
