"""The audit trail's private files (``orchestrator.private``), with what is wrong told as ``RecordsError``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator import private
from orchestrator.records.errors import RecordsError

_OTHERS = 0o077  # who reads the key can forge records


def open_private(path: Path, flags: int, *, what: str) -> int:
    """A descriptor. ``RecordsError``: it cannot be opened, is no regular file, is not ours, or is open to others."""
    with _told(path, what, ""):
        return private.open_private(path, flags, forbidden=_OTHERS)


def private_bytes(path: Path, most: int, *, what: str, missing_hint: str = "") -> bytes:
    """The content, ``most`` bytes at most. ``RecordsError`` as ``open_private``, and when it is larger."""
    with _told(path, what, missing_hint):
        return private.read_private(path, most, forbidden=_OTHERS)


def replace_private(path: Path, content: bytes) -> None:
    """Put ``content`` in the place of what is there, whole or not at all, and on the disk. ``RecordsError``."""
    try:
        private.write_private(path, content, synced=True)
    except OSError as error:
        raise RecordsError(f"{path} cannot be written: {error.strerror}") from error


@contextmanager
def _told(path: Path, what: str, missing_hint: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise RecordsError(f"{what} {path} is missing", hint=missing_hint) from None
    except OSError as error:
        message = f"{what} {path} cannot be opened: {error.strerror}"
        hint = f"it must be a regular file of our own: see who changed it; then chmod 600 {path}"
        raise RecordsError(message, hint=hint) from error
