"""From stored changes back to a ``ChangeSet`` that can be committed: for an approval, a rollback, a snapshot's return.

Each stored change says what must be in the vault for it to apply (by content, not by time stamps). What differs is a
conflict, named by its path; one conflict and none of the set is carried out.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from orchestrator.errors import VaultError
from orchestrator.records import StoredChange
from orchestrator.vault.changes import Attributes, Change, ChangeSet, Entry, Identity
from orchestrator.vault.contents import hashed_at
from orchestrator.vault.descriptors import lstat, names, open_directory, opened
from orchestrator.vault.durable import Place
from orchestrator.vault.names import shown
from orchestrator.vault.objects import Objects
from orchestrator.vault.reach import Reach
from orchestrator.vault.rules import ChangesRefused, finding
from orchestrator.vault.staging import Staging

_MOST_BYTES = 1 << 40  # of one file: it was within a quota when it was stored


@dataclass(frozen=True, slots=True)
class Wanted:
    """``expected``: hex SHA-256 of the file that must be there now ("" for a directory); None: nothing may be there."""

    change: Change
    expected: str | None
    attributes: Attributes | None = None


def landing(changes: Iterable[StoredChange]) -> list[Wanted]:
    """What carries held changes out."""
    return [
        Wanted(
            Change(each.kind, each.path, each.size, each.sha256, each.directory, each.moved_from),
            None if each.kind == "created" else each.before_sha256,
        )
        for each in changes
    ]


def undoing(changes: Iterable[StoredChange]) -> list[Wanted]:
    """What takes carried-out changes back: content, modes, owners and times as they were."""
    return [_undone(each) for each in changes]


def _undone(each: StoredChange) -> Wanted:
    if each.kind == "created":
        return Wanted(Change("deleted", each.path, directory=each.directory), each.sha256)
    kind, expected = ("created", None) if each.kind == "deleted" else ("modified", each.sha256)
    change = Change("created" if kind == "created" else "modified", each.path, 0, each.before_sha256, each.directory)
    return Wanted(change, expected, _attributes(each))


def _attributes(each: StoredChange) -> Attributes | None:
    facts = (each.before_mode, each.before_uid, each.before_gid, each.before_mtime_ns)
    mode, uid, gid, mtime_ns = facts
    if mode is None or uid is None or gid is None or mtime_ns is None:
        return None
    return Attributes(mode, uid, gid, mtime_ns)


def restaged(wanted: Sequence[Wanted], reach: Reach, staging: Staging, objects: Objects) -> ChangeSet:
    """The set, or one with conflicts. ``VaultError`` when content is not kept any more. The caller discards it."""
    going = {each.change.path for each in wanted if each.change.kind == "deleted"}
    made = {each.change.path for each in wanted if each.change.kind == "created" and each.change.directory}
    entries: list[Entry] = []
    conflicts: list[str] = []
    for each in sorted(wanted, key=lambda each: each.change.path, reverse=True):  # what is in a directory before it
        path = each.change.path
        try:
            if path.rpartition("/")[0] in made and each.change.kind == "created":
                found: Identity | None = None
            else:
                with reach.parent(path) as place:
                    found = _found(each, place, going)
        except _Kept:
            going.discard(path)
            continue
        except (ChangesRefused, FileNotFoundError, NotADirectoryError):
            conflicts.append(path)
            continue
        entries.append(_staged(each, found, staging, objects))
    if conflicts:
        return ChangeSet(conflicts=tuple(finding("VLT301", path) for path in sorted(conflicts)), staging=staging)
    entries.sort(key=lambda entry: (entry.change.path, entry.change.kind != "deleted"))
    return ChangeSet(tuple(entries), staging=staging)


class _Kept(Exception):  # noqa: N818 - control flow
    """Nothing is to be done: a directory holds what is not ours to remove, or is there already."""


def _found(each: Wanted, place: Place, going: set[str]) -> Identity | None:
    """What is there, if it is what is expected; else FileNotFoundError."""
    now = lstat(place[1], place[0])
    path = each.change.path
    if each.expected is None:
        if now is None or path in going:
            return None
        if each.change.directory and stat.S_ISDIR(now.st_mode):
            raise _Kept
        raise FileNotFoundError(path)
    if each.change.directory:
        if now is None or not stat.S_ISDIR(now.st_mode):
            raise FileNotFoundError(path)
        with opened(open_directory(place[1], place[0])) as directory:
            if any(f"{path}/{name}" not in going for name in names(directory)):
                raise _Kept
        return Identity.of(now)
    digest, identity, _ = hashed_at(place)
    if digest != each.expected:
        raise FileNotFoundError(path)
    return identity


def _staged(each: Wanted, found: Identity | None, staging: Staging, objects: Objects) -> Entry:
    change = each.change
    if change.directory or change.kind == "deleted":
        return Entry(change, found, attributes=each.attributes)
    try:
        source = objects.open(change.sha256)
    except (FileNotFoundError, ValueError) as error:
        raise VaultError(
            f"the content of {shown(change.path)} is not kept any more",
            hint="settings keep_days and keep_mb say how long and how much is kept",
        ) from error
    with opened(source):
        staged = staging.add(source, _MOST_BYTES)
    if staged.sha256 != change.sha256:
        raise VaultError(f"the kept content of {shown(change.path)} is damaged", hint="restore it from a backup")
    return Entry(replace(change, size=staged.size), found, staged.name, each.attributes)


def root_reach(root: int) -> Reach:
    return Reach(root, os.fstat(root).st_dev)
