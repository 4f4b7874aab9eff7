"""Collecting what a run left in its view, as a ``ChangeSet``: the place where hostile bytes first meet the host.

Rules of this module:
* the run's processes are dead; still nothing here trusts that, and a live one could only get the set refused;
* everything is opened relative to a directory descriptor, never through a link, and judged by what was opened;
* only regular files and directories pass; anything else refuses the whole set;
* content decides what changed, not time stamps; it is read once, bounded by what was streamed, not by what a size says;
* modes, owners, times and attributes of the view are ignored.

It does not know what the skill was granted: that is ``check``.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from orchestrator.errors import VaultError
from orchestrator.vault.baseline import NOTHING, Before, Known, LowerDirectory
from orchestrator.vault.changes import ChangeSet, Identity
from orchestrator.vault.descriptors import DIRECTORY, lstat, open_directory, open_file, opened
from orchestrator.vault.moment import Moment
from orchestrator.vault.names import sibling_key, unsafe
from orchestrator.vault.overlay import OPAQUE, ORIGIN, marked
from orchestrator.vault.slots import COPY, UPPER, Slot
from orchestrator.vault.staging import Staged
from orchestrator.vault.tally import Quotas, Stop, Tally


def collect(slot: Slot, *, quotas: Quotas) -> ChangeSet:
    """All changes of the run that used ``slot``, sorted by path; staged, so that ``slot`` may be removed.

    Never raises for what the run did: that is ``refusals`` and ``conflicts``. ``OSError`` and ``VaultError`` are
    faults of the host, ``ValueError`` a slot that was never populated. The caller discards the set.
    """
    if slot.view == "none":
        return ChangeSet()
    if slot.moment is None:
        raise ValueError("this slot was never populated")
    with opened(os.open(slot.path, DIRECTORY)) as parent:
        top = open_directory(COPY if slot.view == "copy" else UPPER, parent, force=True)
    if slot.before is None and _empty(top):
        os.close(top)
        return ChangeSet()
    tally = Tally(quotas, slot.staging)
    walk = _Walk(slot.moment, tally, copied=slot.before is not None)
    view = os.fstat(top)
    try:
        walk.run(top, slot.before or LowerDirectory(slot.vault.open(), slot.moment))
        _require_in_place(slot, view)
    except BaseException:
        slot.staging.discard()
        raise
    return tally.result()


def _require_in_place(slot: Slot, view: os.stat_result) -> None:
    """Whoever removes a slot (close, a sweep) first moves its view away: then what is missing was not deleted by the
    run, and nothing that was collected counts."""
    now = None
    with suppress(FileNotFoundError), opened(os.open(slot.path, DIRECTORY)) as parent:
        now = lstat(COPY if slot.view == "copy" else UPPER, parent)
    if now is None or (now.st_dev, now.st_ino) != (view.st_dev, view.st_ino):
        raise VaultError("the run's view was removed while it was collected; nothing was committed")


def _empty(directory: int) -> bool:
    with os.scandir(directory) as entries:
        return next(entries, None) is None


@dataclass(slots=True)
class _Frame:
    """A directory of the view and its before. ``complete``: what is missing here was deleted (opaque, or a copy);
    otherwise only a whiteout deletes. Names are as the system gave them."""

    descriptor: int
    before: Before
    prefix: str  # "" or with a trailing slash
    depth: int
    complete: bool
    waiting: list[tuple[str, str, bool]] = field(default_factory=list)  # subdirectories: name, path, made by the run
    seen: set[str] = field(default_factory=set)
    new: dict[str, str] = field(default_factory=dict)  # sibling key -> name of what the run made

    def close(self) -> None:
        os.close(self.descriptor)
        self.before.close()


@dataclass(slots=True)
class _Below:
    """A directory of the before that was deleted. ``waiting``: its subdirectories, once listed."""

    before: Before
    prefix: str
    depth: int
    waiting: list[str] | None = None


class _Walk:
    """Depth first and not recursive: the descriptors held are those of one path."""

    def __init__(self, moment: Moment, tally: Tally, *, copied: bool) -> None:
        self._moment = moment
        self._tally = tally
        self._copied = copied
        self._device = 0

    def run(self, top: int, before: Before) -> None:
        """Takes over ``top`` and ``before``."""
        self._device = os.fstat(top).st_dev
        stack = [_Frame(top, before, "", 0, complete=self._copied)]
        try:
            self._scan(stack[-1])
            while stack:
                if not stack[-1].waiting:
                    stack.pop().close()
                elif (child := self._descend(stack[-1])) is not None:
                    stack.append(child)
                    self._scan(child)
        except Stop:
            pass
        finally:
            for frame in stack:
                frame.close()

    # -- directories

    def _scan(self, frame: _Frame) -> None:
        with os.scandir(frame.descriptor) as entries:
            for entry in entries:
                frame.seen.add(entry.name)
                self._entry(frame, entry.name)
        for name in self._missing(frame):
            self._deleted(frame, name)
        if frame.new:
            self._collisions(frame)

    def _missing(self, frame: _Frame) -> list[str]:
        """What the before has and this directory has not. What was never copied is not missing from a copy."""
        if not frame.complete:
            return []
        gone = [name for name in frame.before.names() if name not in frame.seen]
        return [name for name in gone if not self._copied or not self._uncopied(frame, name)]

    def _uncopied(self, frame: _Frame, name: str) -> bool:
        known = frame.before.get(name)
        return known is None or known.kind == "other"

    def _descend(self, frame: _Frame) -> _Frame | None:
        name, path, made = frame.waiting.pop()
        try:
            descriptor = open_directory(name, frame.descriptor, force=True)
        except OSError:
            self._tally.refuse("VLT114", path)
            return None
        before = NOTHING if made else self._child(frame.before, name, path)
        complete = frame.complete or before is NOTHING or marked(descriptor, OPAQUE) == b"y"
        child = _Frame(descriptor, before, path + "/", frame.depth + 1, complete)
        if os.fstat(descriptor).st_dev != self._device:
            child.close()
            self._tally.refuse("VLT113", path)
            return None
        return child

    def _collisions(self, frame: _Frame) -> None:
        """New names against the names that stay. Costs a listing of the directory, so only where something is new."""
        for name in frame.before.names():
            twin = frame.new.get(sibling_key(name))
            if twin is not None and self._stays(frame, name):
                self._tally.refuse("VLT108", frame.prefix + twin)

    def _stays(self, frame: _Frame, name: str) -> bool:
        """Whether an entry of the before is still there after the run."""
        if name in frame.seen:
            entry = lstat(name, frame.descriptor)
            return entry is not None and not self._is_whiteout(entry)
        return self._uncopied(frame, name) if self._copied else not frame.complete

    # -- entries

    def _entry(self, frame: _Frame, name: str) -> None:
        path = self._tally.path(frame.prefix, name, frame.depth)
        if path is None:
            return
        entry = lstat(name, frame.descriptor)
        if entry is None:
            self._tally.refuse("VLT114", path)
            return
        known = frame.before.get(name)
        if self._is_whiteout(entry):
            self._deleted(frame, name)
        elif not self._unchanged_copy(entry, known):
            rule = self._rule_against(entry, known, frame) or (self._name_rule(frame, name) if known is None else "")
            if rule:
                self._tally.charge(path)
                self._tally.refuse(rule, path)
            elif stat.S_ISDIR(entry.st_mode):
                self._directory(frame, name, path, known)
            else:
                self._tally.charge(path)
                self._file(frame, name, path, known)

    def _is_whiteout(self, entry: os.stat_result) -> bool:
        """The overlay's mark for "deleted". Sandboxes cannot make one there; in a copy it is but a device."""
        return not self._copied and stat.S_ISCHR(entry.st_mode) and entry.st_rdev == 0

    def _unchanged_copy(self, entry: os.stat_result, known: Known | None) -> bool:
        """Whether a copy is still as we made it. Nothing inside can set a change time back; one within the begin's
        own clock tick proves nothing, and then the content is compared."""
        copy = known.copy if known is not None else None
        return copy is not None and copy == Identity.of(entry) and copy.ctime_ns < self._moment.mark_ns

    def _rule_against(self, entry: os.stat_result, known: Known | None, frame: _Frame) -> str:
        mode = entry.st_mode
        if stat.S_ISLNK(mode):
            return "VLT101"
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            return "VLT103"
        if entry.st_dev != self._device or (known is not None and known.foreign):
            return "VLT113"
        if stat.S_ISREG(mode) and entry.st_nlink > 1:
            return "VLT102"
        if special := mode & (stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX):
            allowed = known.mode if known is not None else 0
            if stat.S_ISDIR(mode):  # a directory inherits setgid from the one it is made in
                allowed |= os.fstat(frame.descriptor).st_mode & stat.S_ISGID
            if special & ~allowed:
                return "VLT104"
        return "VLT112" if known is not None and known.kind == "other" else ""

    def _name_rule(self, frame: _Frame, name: str) -> str:
        if unsafe(name):
            return "VLT106"
        return "" if frame.new.setdefault(sibling_key(name), name) == name else "VLT108"

    def _directory(self, frame: _Frame, name: str, path: str, known: Known | None) -> None:
        if known is not None and known.kind == "directory":
            frame.waiting.append((name, path, False))
            return
        self._tally.charge(path)
        self._make_way(frame, name, path, known)
        self._tally.add_directory(path)
        frame.waiting.append((name, path, True))

    def _file(self, frame: _Frame, name: str, path: str, known: Known | None) -> None:
        staged = self._stage(frame, name, path)
        if staged is None:
            return
        if known is None or known.kind == "directory":
            self._make_way(frame, name, path, known)
            self._tally.add_file(path, staged, None)
        elif self._same(frame.before, name, known, staged):
            self._tally.take_back(staged, refund=self._copied)
        else:
            if known.touched:
                self._tally.conflict(path)
            self._tally.add_file(path, staged, known)

    def _stage(self, frame: _Frame, name: str, path: str) -> Staged | None:
        """The content of a regular file, or None after refusing it."""
        try:
            descriptor = open_file(name, frame.descriptor, force=True)
        except OSError:
            self._tally.refuse("VLT115", path)
            return None
        with opened(descriptor):
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode) or before.st_nlink > 1 or before.st_dev != self._device:
                self._tally.refuse("VLT114", path)  # not what it was a moment ago
                return None
            staged = self._tally.stage(descriptor, before.st_size, path)
            if staged is not None and Identity.of(os.fstat(descriptor)) != Identity.of(before):
                self._tally.refuse("VLT114", path)
            return staged

    def _same(self, before: Before, name: str, known: Known, staged: Staged) -> bool:
        if known.identity.size != staged.size:
            return False
        try:
            return before.digest(name) == staged.sha256
        except OSError:  # gone or unreadable meanwhile: commit will see that it is not what it was
            return False

    # -- what was there before

    def _make_way(self, frame: _Frame, name: str, path: str, known: Known | None) -> None:
        """Something new stands at ``path``: delete what was there, or notice that a person just did."""
        if known is not None:
            self._deleted(frame, name)
        elif self._vanished(frame, name):
            self._tally.conflict(path)

    def _vanished(self, frame: _Frame, name: str) -> bool:
        """Whether this was copied up from a lower entry that somebody removed from the vault meanwhile.

        Copied up, nothing of that name below, and the directory below has changed since. (Copied up and
        nothing below alone is also what a rename inside the view leaves.)
        """
        if self._copied or not frame.before.touched():
            return False
        try:
            descriptor = open_file(name, frame.descriptor, force=True)
        except OSError:
            return False
        with opened(descriptor):
            return bool(marked(descriptor, ORIGIN))

    def _deleted(self, frame: _Frame, name: str) -> None:
        """Note the deletion of ``name`` and, if it was a directory, of all below it. Nothing there: nothing to do."""
        known = frame.before.get(name)
        path = self._tally.path(frame.prefix, name, frame.depth)
        if known is None or path is None:
            return
        if known.kind == "directory" and not known.foreign:
            for below, each in self._below(frame.before, name, path, frame.depth + 1):
                self._tally.delete(below, each)
        self._tally.delete(path, known)

    def _below(self, before: Before, name: str, path: str, depth: int) -> Iterator[tuple[str, Known]]:
        """Everything below a directory of the before; descriptors as in ``run``."""
        stack = [_Below(self._child(before, name, path), path + "/", depth)]
        try:
            while stack:
                here = stack[-1]
                if here.waiting is None:
                    here.waiting = []
                    yield from self._listed(here, here.waiting)
                elif here.waiting:
                    each = here.waiting.pop()
                    child = self._child(here.before, each, here.prefix + each)
                    stack.append(_Below(child, f"{here.prefix}{each}/", here.depth + 1))
                else:
                    stack.pop().before.close()
        finally:
            for here in stack:
                here.before.close()

    def _listed(self, here: _Below, directories: list[str]) -> Iterator[tuple[str, Known]]:
        for name in here.before.names():
            known = here.before.get(name)
            path = self._tally.path(here.prefix, name, here.depth)
            if known is not None and path is not None:
                yield path, known
                if known.kind == "directory" and not known.foreign:
                    directories.append(name)

    def _child(self, before: Before, name: str, path: str) -> Before:
        try:
            return before.child(name)
        except OSError:  # no plain directory any more: somebody changes the vault right now
            self._tally.conflict(path)
            return NOTHING
