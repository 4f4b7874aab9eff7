"""``LogFile``: lines appended to a file that only its owner reads, rotated by size and count.

    app.log -> app.log.1 -> app.log.2 ... the oldest is removed

Each line is one write, so that several processes may append to one file. If somebody else moves the file away (another
process, logrotate), the next line opens it anew. loguru's own file sink is not used: it formats the path, and it prints
whole records to standard error when a disk is full.
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

from orchestrator.errors import SettingsError
from orchestrator.private import open_private
from orchestrator.text import one_line


class LogFile:
    """Made (0600) at once; its directory must exist. Raises SettingsError if it is a link, no regular file, somebody
    else's, or not to be written. Not thread-safe: loguru calls a sink under its lock.

    ``most_bytes``: before a line would make the file larger, it is rotated. ``keep``: rotated files; 0: none.
    """

    def __init__(self, path: Path, *, most_bytes: int, keep: int) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._keep = keep
        self._told = False
        self._descriptor = -1
        try:
            self._open()
        except OSError as error:
            raise SettingsError(
                f"the log file {one_line(str(path), 500)} cannot be written: {error.strerror}",
                hint="set log_file to a regular file of this user, in a directory that exists",
            ) from error

    def write(self, line: str) -> None:
        """Raises nothing: a full disk costs lines, not runs. The first failure is told on standard error."""
        data = line.encode("utf-8", "backslashreplace")
        try:
            if self._moved():
                self._reopen()
            if self._size() + len(data) > self._most_bytes:
                self._rotate()
            os.write(self._descriptor, data)
        except OSError as error:
            self._tell(error)

    def close(self) -> None:
        """Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        """What we may open but others as well (an earlier version's, or logrotate's) is closed to them, not refused."""
        self._descriptor = open_private(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, forbidden=0)
        try:
            if stat.S_IMODE(os.fstat(self._descriptor).st_mode) != 0o600:
                os.fchmod(self._descriptor, 0o600)
        except OSError:
            self.close()
            raise

    def _reopen(self) -> None:
        self.close()
        self._open()

    def _moved(self) -> bool:
        if self._descriptor < 0:
            return True
        try:
            found = self._path.lstat()
        except FileNotFoundError:
            return True
        own = os.fstat(self._descriptor)
        return (found.st_dev, found.st_ino) != (own.st_dev, own.st_ino)

    def _size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def _rotate(self) -> None:
        """An empty file stays: one line that is longer than ``most_bytes`` is still written."""
        if not self._size():
            return
        for number in range(self._keep, 0, -1):
            older = self._path if number == 1 else self._numbered(number - 1)
            with suppress(FileNotFoundError):
                os.replace(older, self._numbered(number))  # noqa: PTH105 - Path.replace says the same, less plainly
        if not self._keep:
            self._path.unlink(missing_ok=True)
        self._reopen()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _tell(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            with suppress(OSError, ValueError):
                name = one_line(str(self._path), 500)
                sys.stderr.write(f"the log file {name} cannot be written, lines are lost: {error.strerror}\n")
