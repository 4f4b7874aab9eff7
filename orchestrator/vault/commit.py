"""Committing a ``ChangeSet``: all of it lands in the vault, or none of it does.

Theory of operation. Under the vault's lock:
1. verify: each parent is reached from the root through plain directories, each touched entry is what the run saw;
2. dress and sync: staged files get the owner and mode they will have, and are on disk before anything refers to them;
3. apply: deletions, then directories, then files. A file takes its place by an exchange, a deleted one is moved
   aside, so the replaced content ends in the staging directory, out of everybody's reach, where it is examined once
   more: if it is not what the run saw, a person's edit came between, and everything is undone;
4. sync the touched directories.
Any failure undoes what was applied, in reverse. What this does not survive is the end of the process in step 3; a
journal (of exactly these steps) is a separate matter.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from orchestrator.errors import VaultError
from orchestrator.vault.changes import Change, ChangeSet, Entry, Identity
from orchestrator.vault.descriptors import DIRECTORY, lstat, open_directory, opened
from orchestrator.vault.durable import Place, exchange, move
from orchestrator.vault.names import shown
from orchestrator.vault.root import Vault
from orchestrator.vault.rules import ChangesRefused, finding
from orchestrator.vault.staging import Staging

NEW_FILE_MODE, NEW_DIRECTORY_MODE = 0o644, 0o755


def commit(vault: Vault, changeset: ChangeSet) -> tuple[Change, ...]:
    """Carry ``changeset`` out; what was changed.

    Raises ``ChangesRefused`` when it may not be carried out (its own refusals, or the vault changed meanwhile) and
    ``VaultError`` when it cannot be; in both cases the vault is as it was. Discarding the set stays with the caller.
    """
    if changeset.refusals or changeset.conflicts:
        raise ChangesRefused(changeset.refusals + changeset.conflicts)
    if not changeset.entries:
        return ()
    if changeset.staging is None:
        raise ValueError("this change set was discarded")
    with vault.locked() as root:
        _Transaction(vault, root, changeset.staging).run(changeset.entries)
    return changeset.changes


class _Transaction:
    def __init__(self, vault: Vault, root: int, staging: Staging) -> None:
        self._vault = vault
        self._root = root
        self._staging = staging
        self._undo: list[tuple[str, Callable[[], None]]] = []

    def run(self, entries: tuple[Entry, ...]) -> None:
        deleted = {entry.change.path for entry in entries if entry.change.kind == "deleted"}
        made = {entry.change.path for entry in entries if entry.change.kind == "created" and entry.change.directory}
        path = ""
        try:
            for entry in entries:
                path = entry.change.path
                self._verify(entry, deleted, made)
            for entry in _in_order(entries):
                path = entry.change.path
                self._apply(entry)
            self._sync(entries)
        except OSError as error:
            self._roll_back()
            raise VaultError(
                f"nothing was committed: {shown(path)}: {error.strerror or error}",
                hint="check the vault's space, owner and modes",
            ) from error
        except BaseException:
            self._roll_back()
            raise

    # -- 1 and 2

    def _verify(self, entry: Entry, deleted: set[str], made: set[str]) -> None:
        path = entry.change.path
        parent = path.rpartition("/")[0]
        replaced = None
        if parent not in made:
            with self._parent(path) as (directory, name):
                now = lstat(name, directory)
                if entry.before is None:
                    if now is not None and path not in deleted and not _both_directories(entry, now):
                        raise _conflict(path)
                elif now is None or not (entry.before.same_directory(now) or entry.before == Identity.of(now)):
                    raise _conflict(path)
                if entry.change.kind == "modified" and now is not None:
                    replaced = now
                    self._copy_attributes(entry, (directory, name))
        if entry.staged:
            self._dress(entry, replaced)

    def _dress(self, entry: Entry, replaced: os.stat_result | None) -> None:
        """Give staged content the owner and mode it will have, and put it on disk."""
        mode = stat.S_IMODE(replaced.st_mode) & 0o777 if replaced else NEW_FILE_MODE
        staged = os.open(entry.staged, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._staging.descriptor)
        with opened(staged):
            self._own(staged, replaced, entry.change.path)
            os.fchmod(staged, mode)
            os.fsync(staged)

    def _own(self, descriptor: int, replaced: os.stat_result | None, path: str) -> None:
        have = os.fstat(descriptor)
        if replaced is not None:
            want = (replaced.st_uid, replaced.st_gid)
        elif os.geteuid() == 0:
            want = (self._vault.uid, self._vault.gid)
        else:
            return
        if (have.st_uid, have.st_gid) != want:
            try:
                os.fchown(descriptor, *want)
            except PermissionError as error:
                raise ChangesRefused((finding("VLT303", path),)) from error

    def _copy_attributes(self, entry: Entry, original: Place) -> None:
        """Extended attributes and ACLs of a replaced file, as far as the file system and our rights allow."""
        with suppress(OSError):
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            with (
                opened(os.open(original[1], flags, dir_fd=original[0])) as source,
                opened(os.open(entry.staged, flags, dir_fd=self._staging.descriptor)) as target,
            ):
                for name in os.listxattr(source):
                    if name == "security.capability":
                        continue  # a privilege given to the former content, as write(2) would have dropped it
                    with suppress(OSError):
                        os.setxattr(target, name, os.getxattr(source, name))

    # -- 3

    def _apply(self, entry: Entry) -> None:
        path = entry.change.path
        with self._parent(path) as (directory, name):
            target = (directory, name)
            if entry.change.kind == "deleted":
                (self._remove_directory if entry.change.directory else self._remove_file)(entry, target)
            elif entry.change.directory:
                self._make_directory(entry, target)
            elif entry.before is None:
                try:
                    move(self._staged(entry.staged), target)
                except FileExistsError as error:
                    raise _conflict(path) from error
                self._undo.append((path, lambda: self._move_back(path, self._staged(entry.staged))))
            else:
                self._replace(entry, target)

    def _replace(self, entry: Entry, target: Place) -> None:
        staged, path = self._staged(entry.staged), entry.change.path
        try:
            exchange(staged, target)
        except FileNotFoundError as error:
            raise _conflict(path) from error
        self._undo.append((path, lambda: self._exchange_back(path, staged)))
        self._examine(entry, staged)

    def _remove_file(self, entry: Entry, target: Place) -> None:
        aside, path = self._staged(self._staging.fresh_name() + ".old"), entry.change.path
        try:
            move(target, aside)
        except FileNotFoundError as error:
            raise _conflict(path) from error
        self._undo.append((path, lambda: self._put_back(path, aside)))
        self._examine(entry, aside)

    def _examine(self, entry: Entry, place: Place) -> None:
        """Is what was taken out of the vault what the run saw?"""
        now = lstat(place[1], place[0])
        if now is None or entry.before is None or not entry.before.same_content(now):
            raise _conflict(entry.change.path)

    def _remove_directory(self, entry: Entry, target: Place) -> None:
        path = entry.change.path
        try:
            was = os.stat(target[1], dir_fd=target[0], follow_symlinks=False)
            os.rmdir(target[1], dir_fd=target[0])
        except OSError as error:
            if error.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR}:
                raise _conflict(path) from error
            raise
        self._undo.append((path, lambda: self._remake_directory(path, was)))

    def _make_directory(self, entry: Entry, target: Place) -> None:
        path = entry.change.path
        try:
            os.mkdir(target[1], 0o700, dir_fd=target[0])
        except FileExistsError as error:
            now = lstat(target[1], target[0])
            if now is not None and stat.S_ISDIR(now.st_mode):
                return  # made by somebody else meanwhile: what we would have done
            raise _conflict(path) from error
        self._undo.append((path, lambda: self._unmake_directory(path)))
        with opened(open_directory(target[1], target[0])) as made:
            self._own(made, None, path)
            inherited = os.fstat(made).st_mode & stat.S_ISGID
            os.fchmod(made, NEW_DIRECTORY_MODE | inherited)

    # -- undoing 3

    def _roll_back(self) -> None:
        """Undo what was applied, last first. What cannot be undone is reported, with where its content is kept."""
        lost = []
        while self._undo:
            path, undo = self._undo.pop()
            try:
                undo()
            except (OSError, ChangesRefused):
                lost.append(path)
        if lost:
            kept = self._staging.keep()
            raise VaultError(
                f"a failed commit could not be undone for {', '.join(shown(path) for path in lost)}",
                hint=f"the previous content is kept in {kept}",
            )

    def _exchange_back(self, path: str, staged: Place) -> None:
        with self._parent(path) as (directory, name):
            exchange(staged, (directory, name))

    def _put_back(self, path: str, aside: Place) -> None:
        with self._parent(path) as (directory, name):
            move(aside, (directory, name))

    def _move_back(self, path: str, staged: Place) -> None:
        with self._parent(path) as (directory, name):
            move((directory, name), staged)

    def _unmake_directory(self, path: str) -> None:
        with self._parent(path) as (directory, name):
            os.rmdir(name, dir_fd=directory)

    def _remake_directory(self, path: str, was: os.stat_result) -> None:
        with self._parent(path) as (directory, name):
            os.mkdir(name, 0o700, dir_fd=directory)
            with opened(open_directory(name, directory)) as made:
                if os.geteuid() == 0:
                    os.fchown(made, was.st_uid, was.st_gid)
                os.fchmod(made, stat.S_IMODE(was.st_mode))
                os.utime(made, ns=(was.st_atime_ns, was.st_mtime_ns))

    # -- 4, and places

    def _sync(self, entries: tuple[Entry, ...]) -> None:
        parents = {entry.change.path.rpartition("/")[0] for entry in entries}
        made = {e.change.path for e in entries if e.change.directory and e.change.kind == "created"}
        for path in sorted(parents | made, reverse=True):
            with suppress(ChangesRefused), self._parent(path + "/.") as (directory, _):
                os.fsync(directory)

    def _staged(self, name: str) -> Place:
        return self._staging.descriptor, name.encode()

    @contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int, bytes]]:
        """The directory of ``path``, reached one plain directory at a time, and the last name (as UTF-8)."""
        *parents, name = path.split("/")
        descriptor = os.open(".", DIRECTORY, dir_fd=self._root)
        try:
            for part in filter(None, parents):
                below = self._step(part.encode(), descriptor, path)
                os.close(descriptor)
                descriptor = below
            yield descriptor, name.encode()
        finally:
            os.close(descriptor)

    def _step(self, name: bytes, parent: int, path: str) -> int:
        try:
            below = open_directory(name, parent)
        except OSError as error:
            if error.errno in {errno.ENOTDIR, errno.ELOOP, errno.ENOENT}:
                raise ChangesRefused((finding("VLT302", path),)) from error
            raise
        if os.fstat(below).st_dev != self._vault.device:
            os.close(below)
            raise ChangesRefused((finding("VLT113", path),))
        return below


def _in_order(entries: tuple[Entry, ...]) -> list[Entry]:
    """Deletions from the leaves up, then directories from the root down, then files."""
    deletions = sorted((e for e in entries if e.change.kind == "deleted"), key=lambda e: e.change.path, reverse=True)
    others = [e for e in entries if e.change.kind != "deleted"]
    directories = sorted((e for e in others if e.change.directory), key=lambda e: e.change.path)
    return deletions + directories + [e for e in others if not e.change.directory]


def _both_directories(entry: Entry, now: os.stat_result) -> bool:
    return entry.change.directory and stat.S_ISDIR(now.st_mode)


def _conflict(path: str) -> ChangesRefused:
    return ChangesRefused((finding("VLT301", path),))
