"""Files and directories of ours alone: opened, read, made, put in the place of others, and evicted when too many.

Nothing is believed because of its name: what is no regular file or directory of ours, or open to others, is refused.
Links are not followed, and a FIFO is not waited for. All functions raise OSError, whose ``strerror`` tells a person
why; callers translate it.

What differs on purpose is an argument: whether others may read (``forbidden``), and whether a power cut may lose it
(``synced``). Not opened here: the database of records, whose locks SQLite would lose when a descriptor of it is closed;
the operator's file of known secrets, which may be a link, or root's; and what lies in trees that somebody else may be
changing (``vault.descriptors``).
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

_SAFE: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def is_private(status: os.stat_result, kind: Callable[[int], bool], *, forbidden: int = 0o022) -> bool:
    """``kind``: ``stat.S_ISREG`` or ``stat.S_ISDIR``. ``forbidden``: permissions that nobody else may have; writing,
    or 0o077 for what others may not read either."""
    return kind(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & forbidden


def make_directory(path: Path, *, forbidden: int = 0o022) -> None:
    """With its parents, mode 0700. Raises OSError, also for what is there but no private directory of ours."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_private(path.lstat(), stat.S_ISDIR, forbidden=forbidden):
        raise _refusal(path, "it is no directory of our own, or is open to others")


def open_private(path: Path, flags: int, *, forbidden: int = 0o022) -> int:
    """A descriptor; mode 0600 if it is made. Raises OSError, also for what is no private file of ours."""
    descriptor = _open(path, flags)
    if not is_private(os.fstat(descriptor), stat.S_ISREG, forbidden=forbidden):
        os.close(descriptor)
        raise _refusal(path, "it is no regular file of our own, or is open to others")
    return descriptor


def read_private(path: Path, most: int, *, forbidden: int = 0o022) -> bytes:
    """Raises OSError, also for what is no private file of ours or longer than ``most`` bytes."""
    with os.fdopen(open_private(path, os.O_RDONLY, forbidden=forbidden), "rb") as file:
        raw = file.read(most + 1)
    if len(raw) > most:
        raise _refusal(path, f"it is larger than {most} bytes")
    return raw


def write_new(path: Path, content: bytes, *, synced: bool = False) -> None:
    """Mode 0600; FileExistsError where something is. ``synced``: its content is on the disk, its name not yet."""
    with open(path, "xb", opener=_open) as file:  # Path.open takes no opener
        file.write(content)
        if synced:
            file.flush()
            os.fsync(file.fileno())


def write_private(path: Path, content: bytes, *, synced: bool = False) -> None:
    """In the place of what is there: mode 0600, whole or not at all for whoever reads. Unless ``synced``, what a crash
    cut off has to be told by its content."""
    with draft(path, content, synced=synced) as fresh:
        fresh.replace(path)
    if synced:
        sync(path.parent)


def make_once(path: Path, content: bytes) -> None:
    """Unless something is there already: whole or not at all, and never over another process's."""
    if not os.path.lexists(path):
        with draft(path, content, synced=True) as fresh, contextlib.suppress(FileExistsError):
            path.hardlink_to(fresh)


@contextlib.contextmanager
def draft(path: Path, content: bytes = b"", *, synced: bool = False) -> Iterator[Path]:
    """A new file (0600) beside ``path``, to be renamed or linked to it. Its own name is gone afterwards."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        write_new(fresh, content, synced=synced)
        yield fresh
    finally:
        fresh.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Put a file's content, or a directory's names, on the disk. Links are followed: ours may lie in linked places."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open(path: str | Path, flags: int) -> int:
    return os.open(path, flags | _SAFE, 0o600)


def _refusal(path: Path, why: str) -> PermissionError:
    return PermissionError(errno.EPERM, why, str(path))


def evict(directory: Path, *, max_entries: int, max_bytes: int) -> None:
    """Remove the files that were changed longest ago while there are too many, down to nine tenths: not at every one.
    Raises OSError when the directory cannot be listed."""
    entries = []
    with os.scandir(directory) as found:
        for entry in found:
            with contextlib.suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                entries.append((status.st_mtime_ns, status.st_size, entry.path))
    count, size = len(entries), sum(entry[1] for entry in entries)
    if count <= max_entries and size <= max_bytes:
        return
    for _, taken, path in sorted(entries):
        if count <= max_entries * 9 // 10 and size <= max_bytes * 9 // 10:
            return
        with contextlib.suppress(OSError):
            Path(path).unlink()
        count, size = count - 1, size - taken
