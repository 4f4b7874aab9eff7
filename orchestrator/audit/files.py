"""Private files: opened without following links or waiting for a FIFO's writer, refused when others could read them."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from orchestrator.records.errors import RecordsError

_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_private(path: Path, flags: int, *, what: str, missing_hint: str = "") -> int:
    """A descriptor. ``RecordsError``: it cannot be opened, is no regular file, is not ours, or is open to others."""
    try:
        descriptor = os.open(path, flags | _SAFE, 0o600)
    except FileNotFoundError:
        raise RecordsError(f"{what} {path} is missing", hint=missing_hint) from None
    except OSError as error:
        message = f"{what} {path} cannot be opened: {error.strerror}"
        raise RecordsError(message, hint="it must be a regular file of our own, mode 0600") from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        os.close(descriptor)
        message = f"{what} {path} is no regular file of our own, or is open to others"
        raise RecordsError(message, hint=f"see who changed it; then chmod 600 {path}")
    return descriptor


def private_bytes(path: Path, most: int, *, what: str, missing_hint: str = "") -> bytes:
    """The content, ``most`` bytes at most. ``RecordsError`` as ``open_private``, and when it is larger."""
    with os.fdopen(open_private(path, os.O_RDONLY, what=what, missing_hint=missing_hint), "rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise RecordsError(f"{what} {path} is larger than {most} bytes")
    return content


def replace_private(path: Path, content: bytes) -> None:
    """Put ``content`` in the place of what is there, whole or not at all, and on the disk. ``RecordsError``."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY | _SAFE, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
        sync_directory(path.parent)
    except OSError as error:
        raise RecordsError(f"{path} cannot be written: {error.strerror}") from error


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
