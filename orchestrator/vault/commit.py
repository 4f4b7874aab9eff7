"""Committing a ``ChangeSet``: all of it lands in the vault, or none of it does, whatever ends the process meanwhile.

Theory of operation. Under the vault's lock:
1. verify: each parent is reached from the root through plain directories, each touched entry is what the run saw;
2. dress and sync: staged files get the owner and mode they will have, and are on disk before anything refers to them;
3. the journal is written (``journal``): from here on the transaction has happened, and a crash is finished by
   ``recovery``;
4. the steps are taken (``steps``), deletions first, and the touched directories synced;
5. ``keep`` is told, which records the run and keeps what was there before;
6. the journal is removed.
Whatever fails in 4 or 5 takes back the steps that were taken, in reverse.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
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


def commit(
    vault: Vault, changeset: ChangeSet, *, facts: Mapping[str, Any] | None = None, keep: Keep = keep_nothing
) -> tuple[Change, ...]:
    """Carry ``changeset`` out; what was changed. ``facts`` (plain JSON values) go into the journal for ``keep``.

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
        staging = changeset.staging
        stairs = Stairs(root, staging.descriptor, device=vault.device, owner=new_owner(vault))
        path = ""
        try:
            preparation = _Preparation(vault, stairs, staging, changeset.entries)
            for entry in changeset.entries:
                path = entry.change.path
                preparation.prepare(entry)
            steps = preparation.synced()
            record = Journal(vault.identity, steps, dict(facts or {}))
            record.write(staging.descriptor)
        except OSError as error:
            _no_journal(staging)
            raise _not_committed(path, error) from error
        _carry_out(record, stairs, staging, keep)
    return changeset.changes


def new_owner(vault: Vault) -> tuple[int, int] | None:
    """Who new directories are to belong to; None where it is us anyway."""
    return (vault.uid, vault.gid) if os.geteuid() == 0 else None


def _carry_out(record: Journal, stairs: Stairs, staging: Staging, keep: Keep) -> None:
    try:
        record.forward(stairs, staging.descriptor)
        keep(record, staging.descriptor)
    except BaseException as error:
        failed_at = stairs.at
        _undo(record, stairs, staging)
        if isinstance(error, OSError):
            raise _not_committed(failed_at, error) from error
        raise
    try:
        journal.remove(staging.descriptor)
    except OSError as error:  # it is done, and on disk; taking the steps once more will change nothing
        logger.warning("the journal {} stays until the next start: {}", staging.leave(), error)


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

    def synced(self) -> tuple[Step, ...]:
        """The steps in the order in which they are to be taken; all that they refer to is on disk."""
        durable.reached("staging: sync content")
        if len(self._staged) > _FEW:
            durable.sync_file_system(self._staging.descriptor)
        else:
            for name in self._staged:
                with opened(os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._staging.descriptor)) as staged:
                    os.fsync(staged)
        durable.reached("staging: sync the way to it")
        self._staging.sync_way()
        return tuple(_in_order(self._steps))


def _in_order(steps: list[Step]) -> list[Step]:
    """Deletions from the leaves up, then directories from the root down, then files."""
    deletions = sorted((s for s in steps if s.action in ("remove", "rmdir")), key=lambda s: s.path, reverse=True)
    directories = sorted((s for s in steps if s.action == "mkdir"), key=lambda s: s.path)
    return deletions + directories + [s for s in steps if s.action in ("create", "replace")]


def _is_directory(entry: os.stat_result | None) -> bool:
    return entry is not None and stat.S_ISDIR(entry.st_mode)
