"""Committing a ``ChangeSet``: all of it lands in the vault, or none of it does, whatever ends the process meanwhile.

Theory of operation. Under the vault's lock:
1. verify: each parent is reached from the root through plain directories, each touched entry is what the run saw;
2. dress and sync: staged files get the owner and mode they will have, and are on disk before anything refers to them;
3. the journal is written (``journal``): from here on the transaction has happened, and a crash is finished by
   ``recovery``;
4. the steps are taken (``steps``), deletions first: everybody sees them, and no crash takes them back any more;
5. the touched directories are synced;
6. ``keep`` is told, which records the run and keeps what was there before;
7. the journal is removed.
``begin`` does 1 to 4 and ``Begun.finish`` the rest, still under the lock, which may be in another thread and after the
answer; ``commit`` does all of it. What fails in 1 to 4, and in ``commit`` what fails at all, takes back the steps that
were taken, in reverse.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from typing import Any, Final

from loguru import logger

from orchestrator.errors import VaultError
from orchestrator.vault import durable, journal
from orchestrator.vault.changes import Attributes, Change, ChangeSet, Entry, Identity
from orchestrator.vault.descriptors import lstat, opened
from orchestrator.vault.durable import Place
from orchestrator.vault.journal import Journal
from orchestrator.vault.names import shown
from orchestrator.vault.root import Vault
from orchestrator.vault.rules import ChangesRefused, finding
from orchestrator.vault.staging import Staging
from orchestrator.vault.steps import NEW_FILE_MODE, Stairs, Step, conflict

_FEW: Final = 8  # files that are synced one by one; more go with their whole file system, in one call

Keep = Callable[[Journal, int], None]
"""Called with the journal and the staging directory's descriptor once every step is taken: what was replaced or removed
lies there, under ``step.staged``. What it raises undoes the transaction, so it moves nothing before it cannot fail."""


def keep_nothing(_journal: Journal, _staging: int) -> None:
    pass


class Begun:
    """A transaction whose steps are taken. It holds the vault's lock until it is finished, undone or left."""

    def __init__(
        self, record: Journal, stairs: Stairs, staging: Staging, *, keep: Keep = keep_nothing, lock: ExitStack
    ) -> None:
        self._record, self._stairs, self._staging, self._keep, self._lock = record, stairs, staging, keep, lock

    def finish(self) -> None:
        """Sync, keep, remove the journal. Raises OSError, and what ``keep`` raises; the lock is held on then."""
        staging = self._staging.descriptor
        self._record.settle(self._stairs, staging)
        self._keep(self._record, staging)
        try:
            journal.remove(staging)
        except OSError as error:  # it is done, and on disk; taking the steps once more will change nothing
            logger.warning("the journal {} stays until the next start: {}", self._staging.leave(), error)
        self._lock.close()

    def undo(self) -> None:
        """Take the steps back. Raises ``VaultError`` where that fails as well."""
        with self._lock:
            _undo(self._record, self._stairs, self._staging)

    def leave(self) -> None:
        """Let others commit; recovery finishes this one at the next start."""
        self._lock.close()
        self._staging.leave()

    def take_over(self) -> None:
        """Own the staging directory from now on: who made the change set may discard it, this calls ``discard``."""
        self._staging = self._staging.hand_over()

    def discard(self) -> None:
        """Remove what was staged and what was replaced, unless it was left for recovery."""
        self._staging.discard()


def commit(
    vault: Vault, changeset: ChangeSet, *, facts: Mapping[str, Any] | None = None, keep: Keep = keep_nothing
) -> tuple[Change, ...]:
    """Carry ``changeset`` out; what was changed. ``facts`` (plain JSON values) go into the journal for ``keep``.

    Raises ``ChangesRefused`` when it may not be carried out (its own refusals, or the vault changed meanwhile) and
    ``VaultError`` when it cannot be; in both cases the vault is as it was. Discarding the set stays with the caller.
    """
    begun = begin(vault, changeset, facts=facts, keep=keep)
    if begun is not None:
        try:
            begun.finish()
        except BaseException as error:
            begun.undo()
            if isinstance(error, OSError):
                raise _not_committed(".", error) from error
            raise
    return changeset.changes


def begin(
    vault: Vault, changeset: ChangeSet, *, facts: Mapping[str, Any] | None = None, keep: Keep = keep_nothing
) -> Begun | None:
    """``commit`` up to the moment from which on nothing can take it back; None where there is nothing to do. What is
    left to do needs the set's staging directory."""
    if changeset.refusals or changeset.conflicts:
        raise ChangesRefused(changeset.refusals + changeset.conflicts)
    if not changeset.entries:
        return None
    if changeset.staging is None:
        raise ValueError("this change set was discarded")
    with ExitStack() as lock:
        root = lock.enter_context(vault.locked())
        staging = changeset.staging
        stairs = Stairs(root, staging.descriptor, device=vault.device, owner=new_owner(vault))
        record = _written(vault, changeset.entries, stairs, staging, facts or {})
        try:
            record.take(stairs, staging.descriptor, fresh=True)
        except BaseException as error:
            failed_at = stairs.at
            _undo(record, stairs, staging)
            if isinstance(error, OSError):
                raise _not_committed(failed_at, error) from error
            raise
        return Begun(record, stairs, staging, keep=keep, lock=lock.pop_all())


def _written(
    vault: Vault, entries: tuple[Entry, ...], stairs: Stairs, staging: Staging, facts: Mapping[str, Any]
) -> Journal:
    """The journal, on disk, with all that it refers to."""
    path = ""
    try:
        preparation = _Preparation(vault, stairs, staging, entries)
        for entry in entries:
            path = entry.change.path
            preparation.prepare(entry)
        on_disk = preparation.syncing()
        try:
            record = Journal(vault.identity, preparation.steps(), dict(facts))
            record.write(staging.descriptor, on_disk)
        finally:
            on_disk()  # nobody may close the directory before
    except OSError as error:
        _no_journal(staging)
        raise _not_committed(path, error) from error
    return record


def new_owner(vault: Vault) -> tuple[int, int] | None:
    """Who new directories are to belong to; None where it is us anyway."""
    return (vault.uid, vault.gid) if os.geteuid() == 0 else None


def _undo(record: Journal, stairs: Stairs, staging: Staging) -> None:
    try:
        record.backward(stairs, staging.descriptor)
        journal.remove(staging.descriptor)
    except (OSError, ChangesRefused) as error:
        raise VaultError(
            f"a transaction could neither be finished nor undone now ({error}): part of it may be in the vault",
            hint=f"see to the disk; the next start settles it, with what is kept in {staging.leave()}",
        ) from error


def _no_journal(staging: Staging) -> None:
    """Nothing was changed yet: nothing may be finished later either. Where even that fails, the journal would have to
    be taken back by a disk that does not work: then recovery finds steps that can all still be taken."""
    with suppress(OSError):
        journal.remove(staging.descriptor)


def _not_committed(path: str, error: OSError) -> VaultError:
    return VaultError(
        f"nothing was committed: {shown(path)}: {error.strerror or error}",
        hint="check the vault's space, owner and modes",
    )


class _Preparation:
    """Steps 1 and 2: from entries to steps whose content is on disk."""

    def __init__(self, vault: Vault, stairs: Stairs, staging: Staging, entries: tuple[Entry, ...]) -> None:
        self._vault, self._stairs, self._staging = vault, stairs, staging
        self._deleted = {entry.change.path for entry in entries if entry.change.kind == "deleted"}
        self._made = {e.change.path for e in entries if e.change.kind == "created" and e.change.directory}
        self._steps: list[Step] = []
        self._staged: list[str] = []

    def prepare(self, entry: Entry) -> None:
        path = entry.change.path
        now = None
        if path.rpartition("/")[0] not in self._made:
            with self._stairs.parent(path) as place:
                now = lstat(place[1], place[0])
                self._verify(entry, now)
                if entry.change.kind == "modified":
                    self._copy_attributes(entry, place)
        if path in self._made and _is_directory(now) and path not in self._deleted:
            return  # somebody has made it already
        after = self._dress(entry, now) if entry.staged else None
        self._steps.append(self._step(entry, now, after))

    def _verify(self, entry: Entry, now: os.stat_result | None) -> None:
        path = entry.change.path
        if entry.before is None:
            both = entry.change.directory and _is_directory(now)
            if now is not None and path not in self._deleted and not both:
                raise conflict(path)
        elif now is None or not (entry.before.same_directory(now) or entry.before == Identity.of(now)):
            raise conflict(path)

    def _step(self, entry: Entry, now: os.stat_result | None, after: Identity | None) -> Step:
        path, directory = entry.change.path, entry.change.directory
        was = None if now is None else Attributes.of(now)
        if entry.change.kind == "deleted":
            staged = self._staging.fresh_name() + (".dir" if directory else ".old")
            return Step("rmdir" if directory else "remove", path, staged, before=entry.before, was=was)
        if directory:
            return Step("mkdir", path, self._staging.fresh_name() + ".dir", was=entry.attributes)
        if entry.before is None:
            return Step("create", path, entry.staged, after)
        return Step("replace", path, entry.staged, after, entry.before, was)

    def _dress(self, entry: Entry, now: os.stat_result | None) -> Identity:
        """Give staged content the owner and mode it will have."""
        replaced = now if entry.change.kind == "modified" else None
        staged = os.open(entry.staged, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._staging.descriptor)
        with opened(staged):
            self._own(staged, replaced, entry.change.path)
            if entry.attributes is not None:
                entry.attributes.dress(staged)
            else:
                os.fchmod(staged, stat.S_IMODE(replaced.st_mode) & 0o777 if replaced else NEW_FILE_MODE)
            self._staged.append(entry.staged)
            return Identity.of(os.fstat(staged))

    def _own(self, descriptor: int, replaced: os.stat_result | None, path: str) -> None:
        have = os.fstat(descriptor)
        want = (replaced.st_uid, replaced.st_gid) if replaced is not None else new_owner(self._vault)
        if want is not None and (have.st_uid, have.st_gid) != want:
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

    def steps(self) -> tuple[Step, ...]:
        """In the order in which they are to be taken."""
        return tuple(_in_order(self._steps))

    def syncing(self) -> Callable[[], None]:
        """Begin to put all that the steps refer to on disk; the function that is returned waits for that."""
        durable.reached("staging: sync the way to it")
        self._staging.sync_way()
        durable.reached("staging: sync content")
        return durable.behind(self._sync)

    def _sync(self) -> None:
        if len(self._staged) > _FEW:
            durable.sync_file_system(self._staging.descriptor)
            return
        for name in self._staged:
            with opened(os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._staging.descriptor)) as staged:
                os.fsync(staged)


def _in_order(steps: list[Step]) -> list[Step]:
    """Deletions from the leaves up, then directories from the root down, then files."""
    deletions = sorted((s for s in steps if s.action in ("remove", "rmdir")), key=lambda s: s.path, reverse=True)
    directories = sorted((s for s in steps if s.action == "mkdir"), key=lambda s: s.path)
    return deletions + directories + [s for s in steps if s.action in ("create", "replace")]


def _is_directory(entry: os.stat_result | None) -> bool:
    return entry is not None and stat.S_ISDIR(entry.st_mode)
