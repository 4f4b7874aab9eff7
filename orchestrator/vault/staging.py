"""``Staging``: a private directory on the vault's file system where a run's new content waits to be committed.

Content enters once, through ``add``, which hashes exactly the bytes it writes: what was hashed is what is checked is
what lands. After a commit, the replaced content lies here until ``discard``.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections import deque
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from pathlib import Path

from orchestrator.vault.descriptors import CHUNK_BYTES, DIRECTORY, names, opened
from orchestrator.vault.erase import erase

_SPARES = 4  # kept at most: transactions of one vault come one after another
_SYNCED: set[Path] = set()  # directories of whole instances that are on disk: one a process


class TooLarge(Exception):  # noqa: N818 - control flow between staging and collecting, never leaves this package
    """The content is longer than ``add`` was told to take."""


@dataclass(frozen=True, slots=True)
class Staged:
    name: str
    size: int
    sha256: str


class Spares:
    """Empty staging directories of one process that are on disk already, with the way to them: what one transaction
    leaves serves the next, which then need not make and sync its own. Thread-safe; empty in a forked child."""

    def __init__(self) -> None:
        self._names: deque[str] = deque()
        self._process = os.getpid()

    def take(self) -> str | None:
        """The name of one, or None."""
        with suppress(IndexError):
            if self._process == os.getpid():
                return self._names.popleft()
        return None

    def give(self, name: str) -> bool:
        """False when there are enough."""
        enough = len(self._names) >= _SPARES or self._process != os.getpid()
        if not enough:
            self._names.append(name)
        return not enough


class Staging:
    """Made on the first ``add``. Not thread-safe: one run, one staging directory."""

    def __init__(self, area: Path, instance: str, spares: Spares | None = None) -> None:
        """``area/instance`` is where it will be made; ``area`` is trusted and only ours to write."""
        self._parent = area / instance
        self._name = secrets.token_hex(8)
        self._spares = spares or Spares()
        self._on_disk = False
        self._descriptor: int | None = None
        self._count = 0

    @property
    def path(self) -> Path:
        return self._parent / self._name

    @property
    def descriptor(self) -> int:
        """The directory's descriptor, open until ``discard``."""
        if self._descriptor is None:
            self._descriptor = self._spare()
        if self._descriptor is None:
            self._parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.mkdir(mode=0o700)
            self._descriptor = os.open(self.path, DIRECTORY)
        return self._descriptor

    def _spare(self) -> int | None:
        name = self._spares.take()
        if name is None:
            return None
        with suppress(FileNotFoundError):  # swept meanwhile
            descriptor = os.open(self._parent / name, DIRECTORY)
            self._name, self._on_disk = name, True
            return descriptor
        return None

    def fresh_name(self) -> str:
        self._count += 1
        return str(self._count)

    def add(self, source: int, at_most: int) -> Staged:
        """Copy what can be read from ``source``; ``TooLarge`` after ``at_most`` bytes."""
        name = self.fresh_name()
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        with opened(os.open(name, flags, 0o600, dir_fd=self.descriptor)) as target:
            size, sha256 = _copied(source, target, at_most)
        staged = Staged(name, size, sha256)
        if size > at_most:
            self.drop(staged)
            raise TooLarge
        return staged

    def put(self, content: bytes) -> Staged:
        """Take over content that was made here, in the place of what the run wrote."""
        name = self.fresh_name()
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        with opened(os.open(name, flags, 0o600, dir_fd=self.descriptor)) as target:
            write_all(target, content)
        return Staged(name, len(content), hashlib.sha256(content).hexdigest())

    def drop(self, staged: Staged) -> None:
        """Forget content that turned out to be no change."""
        os.unlink(staged.name, dir_fd=self.descriptor)

    def sync_way(self) -> None:
        """Put the way to the directory on disk; what is in it, its journal does."""
        if self._on_disk:
            return
        for directory in (self._parent, *self._unsynced()):
            with opened(os.open(directory, DIRECTORY)) as descriptor:
                os.fsync(descriptor)
        _SYNCED.add(self._parent)
        self._on_disk = True

    def _unsynced(self) -> tuple[Path, ...]:
        return () if self._parent in _SYNCED else (self._parent.parent, self._parent.parent.parent)

    def hand_over(self) -> Staging:
        """The same directory for another owner; to discard this one does nothing any more."""
        other = copy(self)
        self._descriptor = None
        return other

    def leave(self) -> Path:
        """Let go of the directory without removing it: its journal says what is still to be done. Where it is."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        return self.path

    def discard(self) -> None:
        """Remove all that is in the directory, and the directory, unless it can serve again. Idempotent."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        with opened(descriptor):
            if self._on_disk and _emptied(descriptor) and self._spares.give(self._name):
                return
        with suppress(FileNotFoundError), opened(os.open(self._parent, DIRECTORY)) as parent:  # swept meanwhile
            erase(self._name, parent)


def _emptied(directory: int) -> bool:
    """Whether nothing is left in it."""
    try:
        for name in names(directory):
            erase(name, directory)
    except OSError:
        return False
    return not names(directory)


def _copied(source: int, target: int, at_most: int) -> tuple[int, str]:
    """Copy, hash and count; reads one byte more than ``at_most`` at the utmost."""
    digest, size = hashlib.sha256(), 0
    while size <= at_most and (piece := os.read(source, min(CHUNK_BYTES, at_most - size + 1))):
        size += len(piece)
        digest.update(piece)
        write_all(target, piece)
    return size, digest.hexdigest()


def write_all(target: int, piece: bytes) -> None:
    """``os.write`` may write less than it was given."""
    view = memoryview(piece)
    while view:
        view = view[os.write(target, view) :]
