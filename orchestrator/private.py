"""Files for the owner's eyes, in directories of our own: read, written whole, and evicted when there are too many.

Nothing is believed because of its name: what is no regular file or directory of ours, or open to others, is refused.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

_SAFE: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def is_private(status: os.stat_result, kind: Callable[[int], bool], *, forbidden: int = 0o022) -> bool:
    """``kind``: ``stat.S_ISREG`` or ``stat.S_ISDIR``. ``forbidden``: permissions that nobody else may have; writing,
    or 0o077 for what others may not read either."""
    return kind(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & forbidden


def read_private(path: Path, most: int, *, forbidden: int = 0o022) -> bytes:
    """Raises OSError, also for what is no private file of ours or longer than ``most`` bytes."""
    descriptor = os.open(path, os.O_RDONLY | _SAFE)
    with os.fdopen(descriptor, "rb") as file:
        if not is_private(os.fstat(descriptor), stat.S_ISREG, forbidden=forbidden):
            raise PermissionError(f"{path} is not a private file")
        raw = file.read(most + 1)
    if len(raw) > most:
        raise PermissionError(f"{path} is too large")
    return raw


def write_private(path: Path, content: bytes) -> None:
    """Mode 0600, whole or not at all for whoever reads. Not flushed to the disk: what a crash cut off has to be told
    by its content. Raises OSError."""
    draft = path.with_name(f".{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


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
