"""Opening entries of a tree that somebody hostile may have built, and may still be changing.

Everything is relative to a directory descriptor and one component long, never follows a link, never blocks
(a FIFO opened for reading would), and is judged by ``fstat`` of what was really opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
CHUNK_BYTES = 256 * 1024


@contextmanager
def opened(descriptor: int) -> Iterator[int]:
    """Close ``descriptor`` at the end."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def lstat(name: str | bytes, parent: int) -> os.stat_result | None:
    """The entry itself, or None when there is none."""
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None


def unlock(name: str | bytes, parent: int, mode: int) -> None:
    """Set the mode of an entry that cannot be opened (mode 000) and is not a link: by a descriptor that needs no
    permission, so a link put in its place meanwhile is not followed."""
    with opened(os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)) as handle:
        if not stat.S_ISLNK(os.fstat(handle).st_mode):
            os.chmod(f"/proc/self/fd/{handle}", mode)  # noqa: PTH101 - the magic link names exactly this object


def open_directory(name: str | bytes, parent: int, *, force: bool = False) -> int:
    """A descriptor of the directory ``name``; ``force`` gives ourselves access first where we lack it.

    Raises ``NotADirectoryError`` (or ``OSError`` with ELOOP) for anything else, links included.
    """
    try:
        return os.open(name, DIRECTORY, dir_fd=parent)
    except PermissionError:
        if not force:
            raise
    unlock(name, parent, 0o700)
    return os.open(name, DIRECTORY, dir_fd=parent)


def open_file(name: str | bytes, parent: int, *, force: bool = False) -> int:
    """A descriptor to read ``name``. What was opened may be anything but a link: ``fstat`` it."""
    try:
        return os.open(name, FILE, dir_fd=parent)
    except PermissionError:
        if not force:
            raise
    unlock(name, parent, 0o600)
    return os.open(name, FILE, dir_fd=parent)


def names(directory: int) -> list[str]:
    """All names in ``directory``; use only for trees whose size we trust."""
    return os.listdir(directory)


def chunks(descriptor: int) -> Iterator[bytes]:
    while piece := os.read(descriptor, CHUNK_BYTES):
        yield piece
