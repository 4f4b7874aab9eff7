"""``Displaced``: a file that the dashboard's note took the place of, looked at again for what was written too late.

Whoever had the former file open for writing when it was replaced goes on writing to it, and nobody would ever read
that. So it is kept open here, for as long as somebody may. Linux says whether somebody does: a read lease on a file is
refused while it is open for writing. Nobody can open this one any more: its last name was in a directory of ours.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from typing import Final, Self

_CHUNK: Final = 256 * 1024


class Displaced:
    """Owns a descriptor; close it. For one thread at a time."""

    def __init__(self, descriptor: int, content: bytes) -> None:
        """``content``: what was read of it before it was replaced."""
        self._descriptor, self.content = descriptor, content
        self._seen = content

    @classmethod
    def of(cls, descriptor: int, content: bytes) -> Self:
        """``descriptor`` stays the caller's."""
        return cls(os.dup(descriptor), content)

    def late(self, most: int, *, last: bool = False) -> bytes | None:
        """What it holds, at most ``most`` bytes, where that is no longer ``content``. None: nothing came (to be emptied
        is only how many programs begin to write), or whoever writes is still at it: then the next call may tell more,
        unless this is the ``last``. Raises OSError."""
        busy = self.busy()
        now = self._read(most)
        before, self._seen = self._seen, now
        if not now or now == self.content or (busy and now != before and not last):
            return None
        return now

    def busy(self) -> bool | None:
        """Whether somebody has it open for writing; None: this file system or our rights do not let us know."""
        try:
            # Who was on the way to opening it gets it a moment later, and we a signal: not the one that would end us.
            fcntl.fcntl(self._descriptor, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(self._descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(self._descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except OSError as error:
            return True if error.errno == errno.EAGAIN else None
        return False

    def _read(self, most: int) -> bytes:
        content = bytearray()
        while len(content) <= most and (piece := os.pread(self._descriptor, _CHUNK, len(content))):
            content += piece
        return bytes(content[:most])

    def close(self) -> None:
        os.close(self._descriptor)
