"""What a vault holds below some grants, as a digest of names, inodes, sizes and times: no content is read.

It says "the same as before" only where that is certain:

* The change time of an entry moves with every change of content, mode or name, and nobody but the kernel (or root, with
  the clock) sets it. A change within the tick of a stamp may leave it as it is. So an entry that was changed less than
  ``SETTLED_NS`` before the look makes the state unknown: who looks again later has an answer. Now is what the vault's
  own file system says it is, by a file of ours that is touched there; so another machine's clock does no harm.
* Another file system below a grant, an entry that changes under our eyes, more than ``MOST_ENTRIES``: unknown.
* Links are entries like others: the state knows the link, and what it names if that lies below a grant as well. Nothing
  else can be opened in a sandbox. (``stat`` of a guessed path outside of the grants works in the overlay view. A skill
  whose result depends on that is not pure.)

A program that writes through a mapping (mmap) moves the stamp with the first write after each write-back only, so a
result may be recorded that saw half of such a change. Editors and sync programs write files.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Any, Final

from orchestrator.errors import VaultError
from orchestrator.manifest.model import VaultGrants
from orchestrator.vault.changes import Identity
from orchestrator.vault.descriptors import DIRECTORY, lstat, open_directory, opened
from orchestrator.vault.moment import Moment
from orchestrator.vault.root import Vault
from orchestrator.vault.scope import parts

MOST_ENTRIES: Final = 2000  # files and directories; some 10 ms. With more, a run is cheaper than the look
SETTLED_NS: Final = 2_000_000_000  # the coarsest stamps in use are those of FAT: two seconds
_DEPTH: Final = 64


class Unknown(Exception):  # noqa: N818 - an answer, not a fault
    """The state cannot be told for certain now; the message says why."""


def vault_state(vault: Vault, grants: VaultGrants, mark: Path, *, most: int = MOST_ENTRIES) -> str:
    """Hex SHA-256 of what lies below all that ``grants`` name. ``mark``: a directory of ours, on the vault's file
    system. Raises ``Unknown``."""
    try:
        look = _Look(vault.device, _now(mark) - SETTLED_NS, most)
        with opened(vault.open()) as root:
            look.root(os.fstat(root))
            for grant in sorted({parts(each) for each in (*grants.read, *grants.write)}):
                look.grant(grant, root)
    except (OSError, VaultError) as error:
        raise Unknown(f"the vault cannot be looked at: {error}") from error
    return look.digest()


def _now(directory: Path) -> int:
    """What the file system takes for now, in nanoseconds since 1970."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with opened(os.open(directory, DIRECTORY)) as parent:
        return Moment.now(parent).mark_ns


class _Look:
    def __init__(self, device: int, settled_before_ns: int, most: int) -> None:
        self._device, self._settled_before, self._left = device, settled_before_ns, most
        self._hash = hashlib.sha256()

    def digest(self) -> str:
        return self._hash.hexdigest()

    def root(self, entry: os.stat_result) -> None:
        self._add("root", entry.st_dev, entry.st_ino)

    def grant(self, path: tuple[str, ...], root: int) -> None:
        """All below ``path``. Of the directories that lead there, what they are matters, not what else they hold."""
        self._add("grant", *path)
        with opened(os.open(".", DIRECTORY, dir_fd=root)) as here:
            self._descend(path, here)

    def _descend(self, path: tuple[str, ...], here: int) -> None:
        if not path:
            self._directory(here, os.fstat(here), 0)
            return
        entry = lstat(path[0], here)
        if entry is None or not stat.S_ISDIR(entry.st_mode):
            self._add("no directory", None if entry is None else entry.st_ino)
            return
        with opened(open_directory(path[0], here)) as below:
            found = os.fstat(below)
            self._add("way", found.st_dev, found.st_ino, found.st_mode, found.st_uid, found.st_gid)
            self._descend(path[1:], below)

    def _directory(self, descriptor: int, entry: os.stat_result, depth: int) -> None:
        if depth > _DEPTH:
            raise Unknown(f"directories lie more than {_DEPTH} deep")
        self._entry("", entry)
        for name in self._names(descriptor):
            below = lstat(name, descriptor)
            if below is None:
                raise Unknown("the vault is being changed")
            if not stat.S_ISDIR(below.st_mode):
                self._entry(name, below)
                continue
            with opened(open_directory(name, descriptor)) as child:
                found = os.fstat(child)
                if Identity.of(found) != Identity.of(below):
                    raise Unknown("the vault is being changed")
                self._add("into", name)
                self._directory(child, found, depth + 1)
                self._add("out")

    def _names(self, descriptor: int) -> list[str]:
        """Sorted; never more of them are listed than may be counted."""
        names = []
        with os.scandir(descriptor) as entries:
            for entry in entries:
                names.append(entry.name)
                if len(names) > self._left:
                    raise Unknown("more files are granted than are looked at")
        return sorted(names)

    def _entry(self, name: str, entry: os.stat_result) -> None:
        self._left -= 1
        if self._left < 0:
            raise Unknown("more files are granted than are looked at")
        if entry.st_dev != self._device:
            raise Unknown("another file system lies below a grant")
        if entry.st_ctime_ns >= self._settled_before:
            raise Unknown("something was changed a moment ago")
        self._add(
            name, entry.st_mode, entry.st_uid, entry.st_gid, entry.st_ino, entry.st_nlink, entry.st_size,
            entry.st_mtime_ns, entry.st_ctime_ns,
        )  # fmt: skip

    def _add(self, *values: Any) -> None:
        """Each behind its length, so that no two lists give the same bytes."""
        for value in (len(values), *values):
            raw = os.fsencode(value) if isinstance(value, str) else repr(value).encode()
            self._hash.update(b"%d:" % len(raw))
            self._hash.update(raw)
