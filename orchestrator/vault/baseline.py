"""What a run saw of the vault, one directory at a time: the "before" that a view is compared with.

Two kinds, one interface: ``LowerDirectory`` is the vault itself (overlay view, always current), ``CopiedDirectory``
is what ``populate`` recorded (copy view). ``NOTHING`` is the before of a directory that was not there.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from orchestrator.vault.changes import Identity
from orchestrator.vault.descriptors import chunks, lstat, names, open_directory, open_file, opened
from orchestrator.vault.moment import Moment

Kind = Literal["file", "directory", "other"]  # other: links and special files, which no skill may touch


@dataclass(frozen=True, slots=True)
class Known:
    """One entry of the before. ``touched``: changed by somebody else since the run began, as far as stamps tell."""

    kind: Kind
    identity: Identity
    mode: int = 0  # st_mode
    foreign: bool = False  # on another file system
    touched: bool = False
    copy: Identity | None = None  # the copy that was made of it (copy view)


class Before(Protocol):
    """One directory of the before. Names are as the operating system gave them (surrogateescape)."""

    def get(self, name: str) -> Known | None: ...

    def names(self) -> Iterable[str]: ...

    def digest(self, name: str) -> str:
        """Hex SHA-256 of a file's content."""
        ...

    def child(self, name: str) -> Before: ...

    def touched(self) -> bool:
        """Whether entries came or went since the run began, as far as stamps tell."""
        ...

    def close(self) -> None: ...


class Nothing:
    """The before of a directory that the run made."""

    def get(self, name: str) -> Known | None:
        return None

    def names(self) -> Iterable[str]:
        return ()

    def digest(self, name: str) -> str:
        raise KeyError(name)

    def child(self, name: str) -> Before:
        return self

    def touched(self) -> bool:
        return False

    def close(self) -> None:
        pass


NOTHING = Nothing()


class LowerDirectory:
    """A directory of the vault, by descriptor."""

    def __init__(self, descriptor: int, moment: Moment) -> None:
        """Takes over ``descriptor``."""
        self._descriptor = descriptor
        self._moment = moment
        entry = os.fstat(descriptor)
        self._device = entry.st_dev
        self._touched = moment.touched_since(entry)

    def get(self, name: str) -> Known | None:
        entry = lstat(name, self._descriptor)
        if entry is None:
            return None
        return Known(
            kind_of(entry.st_mode),
            Identity.of(entry),
            entry.st_mode,
            foreign=entry.st_dev != self._device,
            touched=self._moment.touched_since(entry),
        )

    def names(self) -> Iterable[str]:
        return names(self._descriptor)

    def digest(self, name: str) -> str:
        with opened(open_file(name, self._descriptor)) as descriptor:
            digest = hashlib.sha256()
            for piece in chunks(descriptor):
                digest.update(piece)
            return digest.hexdigest()

    def child(self, name: str) -> Before:
        return LowerDirectory(open_directory(name, self._descriptor), self._moment)

    def touched(self) -> bool:
        return self._touched

    def close(self) -> None:
        os.close(self._descriptor)


@dataclass(slots=True)
class CopiedDirectory:
    """What was copied into a slot, with identities on both sides."""

    entries: dict[str, Known] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    directories: dict[str, CopiedDirectory] = field(default_factory=dict)

    def get(self, name: str) -> Known | None:
        return self.entries.get(name)

    def names(self) -> Iterable[str]:
        return tuple(self.entries)

    def digest(self, name: str) -> str:
        return self.digests[name]

    def child(self, name: str) -> Before:
        return self.directories[name]

    def touched(self) -> bool:
        return False  # commit compares identities instead

    def close(self) -> None:
        pass


def kind_of(mode: int) -> Kind:
    return "file" if stat.S_ISREG(mode) else "directory" if stat.S_ISDIR(mode) else "other"
