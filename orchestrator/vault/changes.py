"""``Change``: one difference between the vault before a run and what the run left.

Also what the stages hand on: ``collect`` makes a ``ChangeSet`` of ``Entry``s, ``check`` reads it, ``commit`` carries
it out. It is data (paths, hashes, identities and a private staging directory), so a later stage can keep it.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from orchestrator.validation.finding import Finding
    from orchestrator.vault.staging import Staging


def plain(value: Any) -> dict[str, Any]:
    """A flat dataclass with slots as a dict; ``asdict`` copies deeply, which costs a commit more than its renames."""
    return {name: getattr(value, name) for name in value.__slots__}


@dataclass(frozen=True, slots=True)
class Change:
    """``path`` is POSIX, relative to the vault. ``size`` (bytes) and ``sha256`` (hex) describe the new content;
    they are 0 and "" for deletions and directories. ``moved_from``: a created file has the content of one that the
    same set deletes there."""

    kind: Literal["created", "modified", "deleted"]
    path: str
    size: int = 0
    sha256: str = ""
    directory: bool = False
    moved_from: str = ""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What an entry of the vault looks like apart from its content. ``mode`` is permission bits, times are
    nanoseconds since 1970."""

    mode: int
    uid: int
    gid: int
    mtime_ns: int

    @classmethod
    def of(cls, entry: os.stat_result) -> Attributes:
        return cls(stat.S_IMODE(entry.st_mode), entry.st_uid, entry.st_gid, entry.st_mtime_ns)

    def dress(self, descriptor: int) -> None:
        """Give them to an open entry; an owner only where we are root."""
        if os.geteuid() == 0:
            os.fchown(descriptor, self.uid, self.gid)
        os.fchmod(descriptor, self.mode)
        os.utime(descriptor, ns=(self.mtime_ns, self.mtime_ns))


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells whether an entry of the vault is still the one that was seen. Times are nanoseconds since 1970."""

    directory: bool
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, entry: os.stat_result) -> Identity:
        return cls(stat.S_ISDIR(entry.st_mode), entry.st_ino, entry.st_size, entry.st_mtime_ns, entry.st_ctime_ns)

    def same_directory(self, entry: os.stat_result) -> bool:
        """A directory stays itself whatever happens to its content."""
        return self.directory and stat.S_ISDIR(entry.st_mode) and entry.st_ino == self.inode

    def same_content(self, entry: os.stat_result) -> bool:
        """All but the change time, which the rename that took the file aside has set."""
        now = Identity.of(entry)
        return (self.directory, self.inode, self.size, self.mtime_ns) == (
            now.directory, now.inode, now.size, now.mtime_ns,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """A change and what carrying it out needs. ``before`` is what the vault held (None: nothing); ``staged`` is the
    name of the new content in the staging directory ("" for deletions and directories). ``attributes``: what it is to
    look like, where something is put back as it was (None: as what it replaces, or as new notes of the owner do)."""

    change: Change
    before: Identity | None = None
    staged: str = ""
    attributes: Attributes | None = None


@dataclass(slots=True)
class ChangeSet:
    """What one run changed. With ``refusals`` or ``conflicts`` it cannot be committed; with conflicts alone it still
    has its entries, so that a person can decide about them.

    A context manager: leaving it discards the staged content (and, after a commit, the replaced content).
    """

    entries: tuple[Entry, ...] = ()
    refusals: tuple[Finding, ...] = ()
    conflicts: tuple[Finding, ...] = ()
    staging: Staging | None = None

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(entry.change for entry in self.entries)

    def discard(self) -> None:
        """Remove the staged content. Idempotent."""
        if self.staging is not None:
            self.staging.discard()
            self.staging = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.discard()
