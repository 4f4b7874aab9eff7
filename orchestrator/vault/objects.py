"""``Objects``: contents of notes, each kept once under its SHA-256, so that a commit can be undone later.

Responsible for the contents (what was there before, what is held back, snapshots), not for who needs them: ``prune``
is told. An object appears whole by a rename, so a reader never sees half of one, and threads and processes need no
agreement but one: a shelf is locked while an object is put on it (shared) and while old ones are taken off
(exclusive), because "it is there already" must still be true when the caller relies on it.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator.errors import VaultError
from orchestrator.vault.descriptors import DIRECTORY, FILE, chunks, lstat, names, opened, unlock
from orchestrator.vault.durable import Place
from orchestrator.vault.names import shown
from orchestrator.vault.staging import write_all

_DIGEST = re.compile("[0-9a-f]{64}")
_SHELF = re.compile("[0-9a-f]{2}")
_UNFINISHED = "new-"  # in the top directory, so that a shelf holds nothing but objects
_ABANDONED_SECONDS = 3600.0  # an unfinished copy that nobody wrote to for so long was left by a crash
_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class Objects:
    """``directory/ab/cdef...``, files 0600. Thread-safe and multi-process-safe.

    Every method raises ``OSError`` for what the file system refuses, and ``ValueError`` for a digest that is not 64
    lower-case hexadecimal digits.
    """

    def __init__(self, directory: Path) -> None:
        """Made (0700) if missing, as are its parents. ``VaultError`` when it is not a directory that only we write."""
        self.directory = directory
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with opened(self._top()) as top:
                entry = os.fstat(top)
        except OSError as error:
            raise VaultError(
                f"the object store {shown(str(directory))} cannot be opened: {error.strerror}",
                hint="it must be a directory, not a link; move away what is there",
            ) from error
        if entry.st_uid != os.geteuid() or entry.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise VaultError(
                f"the object store {shown(str(directory))} is writable by others",
                hint="make it yours with mode 0700",
            )

    def add(self, source: int, *, sync: bool = True) -> tuple[str, int]:
        """Copy what can be read from ``source``, from its offset on; the digest and the size (bytes) of the copy.

        With ``sync`` the object survives a power cut once this returns, also when it was there already. An object
        of another size under the same digest is damaged, and replaced.
        """
        unfinished = _UNFINISHED + secrets.token_hex(16)
        with opened(self._top()) as top:
            try:
                with opened(os.open(unfinished, _NEW, 0o600, dir_fd=top)) as target:
                    sha256, size = _copied(source, target)
                    prefix, name = _checked(sha256)
                    with self._shelf(prefix, make=True) as shelf:
                        fcntl.flock(shelf, fcntl.LOCK_SH)
                        if not _renewed(name, shelf, size, sync=sync):
                            if sync:
                                os.fsync(target)
                            os.rename(unfinished, name, src_dir_fd=top, dst_dir_fd=shelf)
                        if sync:
                            os.fsync(shelf)
                            os.fsync(top)  # somebody else may have made the shelf, and not have got this far
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(unfinished, dir_fd=top)
        return sha256, size

    def add_bytes(self, content: bytes, *, sync: bool = True) -> tuple[str, int]:
        """``add`` of what is in memory."""
        with opened(os.memfd_create("content", os.MFD_CLOEXEC)) as source:
            write_all(source, content)
            os.lseek(source, 0, os.SEEK_SET)
            return self.add(source, sync=sync)

    def adopt(self, place: Place, sha256: str) -> None:
        """Take the file at ``place`` away as the content of ``sha256``, which the caller has computed. It is ours,
        in a directory that only we write; when the content is there already it is just removed.

        Nothing is flushed: after a power cut the file is at one of both places, with the content the caller flushed.
        A file on another file system, or with another hard link (whoever has that could change our object), is
        copied instead; ``ValueError`` (and the file stays) when the copy has another digest, or for no regular file.
        """
        parent, origin = place
        prefix, name = _checked(sha256)
        entry = os.stat(origin, dir_fd=parent, follow_symlinks=False)
        if not stat.S_ISREG(entry.st_mode):
            raise ValueError("only a regular file can become an object")
        with self._shelf(prefix, make=True) as shelf:
            fcntl.flock(shelf, fcntl.LOCK_SH)
            taken = _renewed(name, shelf, entry.st_size, sync=False)
            if not taken and entry.st_nlink == 1 and _moved(place, (shelf, os.fsencode(name))):
                return
        if not taken:
            with opened(os.open(origin, FILE, dir_fd=parent)) as source:
                if self.add(source, sync=False)[0] != sha256:
                    raise ValueError("the file's content is not that of the digest")
        os.unlink(origin, dir_fd=parent)

    def open(self, sha256: str) -> int:
        """A descriptor to read the object, which the caller closes. ``FileNotFoundError`` when there is none.

        The content is not verified.
        """
        prefix, name = _checked(sha256)
        with self._shelf(prefix) as shelf:
            return _regular(name, shelf)

    def read(self, sha256: str, at_most: int) -> bytes | None:
        """The verified content; None when it is missing, damaged, or longer than ``at_most`` bytes."""
        try:
            descriptor = self.open(sha256)
        except FileNotFoundError:
            return None
        with opened(descriptor):
            if os.fstat(descriptor).st_size > at_most:
                return None
            content = b"".join(chunks(descriptor))  # nobody but us could have made it longer meanwhile
        return content if hashlib.sha256(content).hexdigest() == sha256 else None

    def has(self, sha256: str) -> bool:
        """Whether there is such an object, damaged or not."""
        try:
            os.close(self.open(sha256))
        except FileNotFoundError:
            return False
        return True

    def discard(self, sha256: str) -> None:
        """Remove the object, whoever may need it. Nothing there is success."""
        prefix, name = _checked(sha256)
        with suppress(FileNotFoundError), self._shelf(prefix) as shelf:
            os.unlink(name, dir_fd=shelf)

    def digests(self) -> Iterator[str]:
        """The digests of all objects, in order. What comes or goes meanwhile may be in it or not."""
        return (sha256 for sha256, _ in self._entries())

    def damaged(self) -> Iterator[str]:
        """The digests whose content is another one, or cannot be read from the disk. Reads everything there is."""
        return (sha256 for sha256 in self.digests() if not self._intact(sha256))

    def size_bytes(self) -> int:
        """The sum of the objects' sizes."""
        return sum(entry.st_size for _, entry in self._entries())

    def prune(self, keep: Container[str], *, grace_seconds: float = 60.0) -> int:
        """Remove the objects that are not in ``keep``; how many bytes that freed.

        Objects that were put here (or found to be here already) within ``grace_seconds`` stay: somebody may be about
        to refer to them. What a crash left unfinished goes, after an hour.
        """
        freed = 0
        for prefix in self._prefixes():
            with self._shelf(prefix) as shelf:
                doomed = [name for name in names(shelf) if prefix + name not in keep]  # may be slow: before the lock
                fcntl.flock(shelf, fcntl.LOCK_EX)
                freed += sum(_removed_if_older(name, shelf, grace_seconds) for name in doomed)
        with opened(self._top()) as top:
            unfinished = [name for name in names(top) if name.startswith(_UNFINISHED)]
            return freed + sum(_removed_if_older(name, top, _ABANDONED_SECONDS) for name in unfinished)

    def _top(self) -> int:
        return os.open(self.directory, DIRECTORY)

    @contextmanager
    def _shelf(self, prefix: str, *, make: bool = False) -> Iterator[int]:
        """The directory of the digests that start with ``prefix``; ``FileNotFoundError`` when nothing ever did."""
        with opened(self._top()) as top:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(prefix, 0o700, dir_fd=top)
            shelf = os.open(prefix, DIRECTORY, dir_fd=top)
        with opened(shelf):
            yield shelf

    def _prefixes(self) -> list[str]:
        with opened(self._top()) as top:
            return sorted(name for name in names(top) if _SHELF.fullmatch(name))

    def _entries(self) -> Iterator[tuple[str, os.stat_result]]:
        """No descriptor stays open between two of them: whoever iterates may take their time, or stop."""
        for prefix in self._prefixes():
            with self._shelf(prefix) as shelf:
                found = [(prefix + name, lstat(name, shelf)) for name in sorted(names(shelf))]
            for sha256, entry in found:
                if entry is not None and stat.S_ISREG(entry.st_mode) and _DIGEST.fullmatch(sha256):
                    yield sha256, entry

    def _intact(self, sha256: str) -> bool:
        digest = hashlib.sha256()
        try:
            with opened(self.open(sha256)) as descriptor:
                for piece in chunks(descriptor):
                    digest.update(piece)
        except FileNotFoundError:
            return True  # removed since it was listed
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False
        return digest.hexdigest() == sha256


def _checked(sha256: str) -> tuple[str, str]:
    """The shelf and the name of an object."""
    if not _DIGEST.fullmatch(sha256):
        raise ValueError("a digest is 64 lower-case hexadecimal digits")
    return sha256[:2], sha256[2:]


def _regular(name: str, shelf: int) -> int:
    """A descriptor to read the regular file ``name``; anything else counts as not there (``FileNotFoundError``)."""
    try:
        descriptor = os.open(name, FILE, dir_fd=shelf)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:  # a link, a socket
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from error
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _renewed(name: str, shelf: int, size: int, *, sync: bool) -> bool:
    """Whether the object is there, with that size; then it counts as new, so that ``prune`` spares it. One that we
    may not touch is as good as none: a rename replaces it."""
    try:
        with opened(_regular(name, shelf)) as descriptor:
            if os.fstat(descriptor).st_size != size:
                return False
            os.fchmod(descriptor, 0o600)  # sets the change time, also where the mode is that already
            if sync:
                os.fsync(descriptor)  # whoever put it here may not have done so
    except (FileNotFoundError, PermissionError):
        return False
    return True


def _moved(place: Place, target: Place) -> bool:
    """Rename a file to where it replaces anything, made ours first. False when that is another file system."""
    parent, origin = place
    with suppress(PermissionError):  # another owner's, and we are not root: it stays as it is
        if os.geteuid() == 0:
            os.chown(origin, os.geteuid(), os.getegid(), dir_fd=parent, follow_symlinks=False)
        unlock(origin, parent, 0o600)
    try:
        os.rename(origin, target[1], src_dir_fd=parent, dst_dir_fd=target[0])
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return False
    return True


def _removed_if_older(name: str, directory: int, seconds: float) -> int:
    """The size (bytes) of the file that was removed; 0 when it stays, or is no file."""
    entry = lstat(name, directory)
    if entry is None or not stat.S_ISREG(entry.st_mode) or time.time() - entry.st_ctime < seconds:
        return 0
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return 0
    return entry.st_size


def _copied(source: int, target: int) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    for piece in chunks(source):
        size += len(piece)
        digest.update(piece)
        write_all(target, piece)
    return digest.hexdigest(), size
