"""The keys that seal the trail: a private file of random bytes, one key a line, the newest last.

Former keys stay, for what they sealed is still to be verified. Whoever has the file can forge records; who has only the
database cannot. No sandbox ever sees the directory it lies in.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.audit.chain import derived, key_id
from orchestrator.audit.files import private_bytes, replace_private
from orchestrator.private import sync
from orchestrator.records.errors import RecordsError

NAME: Final = "audit.key"
_LINE: Final = re.compile(rb"key ([0-9a-f]{64})")
_MAX_BYTES: Final = 2**16
_RESTORE: Final = "restore it from a backup; without it no record can be verified, and none is written"


@dataclass(frozen=True, slots=True)
class Key:
    """``records``, ``anchors``, ``content``, ``heads``: keys for one purpose each, from one secret."""

    id: str
    records: bytes
    anchors: bytes
    content: bytes
    heads: bytes

    @classmethod
    def of(cls, secret: bytes) -> Key:
        purposes = (derived(secret, purpose) for purpose in ("records", "anchors", "content", "heads"))
        return cls(key_id(secret), *purposes)

    def __repr__(self) -> str:
        return f"<Key {self.id}>"


class Keyring:
    """The keys of one file, as it was when it was read."""

    def __init__(self, path: Path, secret_keys: list[bytes]) -> None:
        self.path = path
        self._keys = {found.id: found for found in map(Key.of, secret_keys)}
        self.newest = list(self._keys.values())[-1]

    def get(self, wanted: str) -> Key | None:
        return self._keys.get(wanted)

    def need(self, wanted: str) -> Key:
        """``RecordsError``: it is not in the file."""
        found = self._keys.get(wanted)
        if found is None:
            message = f"the audit trail is sealed with the key {wanted}, which {self.path} does not hold"
            raise RecordsError(message, hint="all who write to one database need the same audit.key: copy it there")
        return found

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys.values())


def exists(path: Path) -> bool:
    return os.path.lexists(path)


def load(path: Path) -> Keyring:
    """``RecordsError``: not there, not ours alone (mode 0600, no link), or damaged."""
    raw = private_bytes(path, _MAX_BYTES, what="the audit trail's key file", missing_hint=_RESTORE)
    lines = raw.split(b"\n")
    matches = [_LINE.fullmatch(line) for line in lines[:-1]]
    found = [bytes.fromhex(match[1].decode()) for match in matches if match]
    if lines[-1] or not found or len(found) != len(matches):
        raise RecordsError(f"the audit trail's key file {path} is damaged", hint=_RESTORE)
    return Keyring(path, found)


def is_half_made(path: Path) -> bool:
    """Whether a crash came between ``make`` and its end."""
    return exists(_half(path))


def make(path: Path, begin: Callable[[Keyring], None]) -> Keyring:
    """A first key, in its place once ``begin`` has begun a trail with it. Hold ``locked``. Where ``begin`` raises, or a
    crash comes, the key is there under another name, and the next call goes on with it: ``begin`` may find its own
    work."""
    half = _half(path)
    if not exists(half):
        replace_private(half, _line(secrets.token_bytes(32)))
    begin(load(half))
    try:
        half.replace(path)
        sync(path.parent)
    except OSError as error:
        raise RecordsError(f"{path} cannot be written: {error.strerror}") from error
    return load(path)


def _half(path: Path) -> Path:
    return path.with_name(f"{path.name}.begun")


def add(path: Path) -> Keyring:
    """One more key, now the newest. It seals nothing before a record says so (``AuditTrail.rotate``)."""
    with locked(path):
        raw = private_bytes(path, _MAX_BYTES, what="the audit trail's key file", missing_hint=_RESTORE)
        replace_private(path, raw + _line(secrets.token_bytes(32)))
        return load(path)


def _line(secret: bytes) -> bytes:
    return f"key {secret.hex()}\n".encode()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One caller at a time, of all processes."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
