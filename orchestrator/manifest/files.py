"""Reads the two files a manifest is made of, without being led elsewhere or made to wait.

The manifest itself is where its user says, links included. A ``code_file`` was named by the manifest's author, who is
not trusted with the user's files: it is opened component by component with ``O_NOFOLLOW``, so no link, also none that
is put in place meanwhile, leads out of the manifest's directory. Only regular files are read: a FIFO would block, a
device could do anything.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Final

_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_CHUNK_BYTES: Final = 2**18


class Unreadable(Exception):  # noqa: N818 - becomes a Problem where the pointer is known
    """``reason`` completes "the file ..."; ``expected`` says what would do."""

    def __init__(self, reason: str, expected: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.expected = expected


def read_file(path: Path, max_bytes: int) -> bytes:
    """The bytes of the regular file at ``path``, or ``Unreadable``."""
    try:
        return _read_all(os.open(path, _READ), max_bytes)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _unreadable(error) from None


def read_beneath(base: Path, relative: str, max_bytes: int) -> bytes:
    """The bytes of the regular file ``relative`` below the directory ``base``, or ``Unreadable``.

    ``relative`` is a path by ``schemas.formats.is_vault_path``: no "..", no empty component, not
    absolute; and not ".".
    """
    *directories, name = PurePosixPath(relative).parts
    with ExitStack() as opened:
        try:
            at = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            opened.callback(os.close, at)
            for component in directories:
                at = os.open(component, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=at)
                opened.callback(os.close, at)
            _require_regular(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode)  # do not even open a device
            return _read_all(os.open(name, _READ | os.O_NOFOLLOW, dir_fd=at), max_bytes)
        except (OSError, ValueError) as error:
            raise _unreadable(error) from None


def _read_all(descriptor: int, max_bytes: int) -> bytes:
    """Everything in the file; closes ``descriptor``. The size is what was read, not what ``stat`` says."""
    try:
        _require_regular(os.fstat(descriptor).st_mode)
        chunks, left = [], max_bytes + 1
        while left > 0 and (chunk := os.read(descriptor, min(left, _CHUNK_BYTES))):
            chunks.append(chunk)
            left -= len(chunk)
    finally:
        os.close(descriptor)
    if left <= 0:
        raise Unreadable("is too large", f"at most {max_bytes} bytes")
    return b"".join(chunks)


def _require_regular(mode: int) -> None:
    if stat.S_ISLNK(mode):
        raise Unreadable("is a symbolic link", "a regular file, with no symbolic link on the way to it")
    if not stat.S_ISREG(mode):
        raise Unreadable("is not a regular file", "a regular file")


def _unreadable(error: OSError | ValueError) -> Unreadable:
    code = error.errno if isinstance(error, OSError) else errno.EINVAL
    if code in (errno.ELOOP, errno.ENOTDIR):
        return Unreadable(
            "lies behind a symbolic link or a file", "a regular file, with no symbolic link on the way to it"
        )
    return Unreadable(f"cannot be read ({os.strerror(code or 0)})", "a readable regular file")
