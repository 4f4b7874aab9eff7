"""``Step``: one change of a directory of the vault, as data - so that a journal can hold it and anybody can redo it.

Each step can say how it stands (``Standing``), be taken and be taken back, and all three look at inodes only: a staged
file keeps its inode when it is renamed into the vault. So taking a step twice, or after a crash in the middle of it, is
the same as taking it once.

A file takes its place by an exchange, a deleted one is moved aside: what was there before ends in the staging
directory, out of everybody's reach, where it is looked at once more. If it is not what the run saw, a person's edit
came between, and the step is refused.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, Self

from orchestrator.vault import durable
from orchestrator.vault.changes import Attributes, Identity, plain
from orchestrator.vault.descriptors import lstat, open_directory, opened
from orchestrator.vault.durable import Place, exchange, move, settle_exchange
from orchestrator.vault.reach import ParentGone, Reach
from orchestrator.vault.rules import ChangesRefused, finding

NEW_FILE_MODE, NEW_DIRECTORY_MODE = 0o644, 0o755
Action = Literal["replace", "create", "remove", "mkdir", "rmdir"]


class Standing(Enum):
    TODO = "todo"
    DONE = "done"
    FOREIGN = "foreign"  # neither what the run saw nor what it left: somebody else was here


@dataclass(frozen=True, slots=True)
class Step:
    """``staged``: the name in the staging directory of the new content (replace, create), or of the place where the
    old content goes (remove). ``after``: the new content as it was staged. ``before``: what the run saw there.
    ``was``: what a replaced or removed entry looked like; for mkdir, what it is to look like (None: as new ones do)."""

    action: Action
    path: str
    staged: str = ""
    after: Identity | None = None
    before: Identity | None = None
    was: Attributes | None = None

    def to_json(self) -> dict[str, Any]:
        parts = {"after": self.after, "before": self.before, "was": self.was}
        return {**plain(self), **{name: None if part is None else plain(part) for name, part in parts.items()}}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Raises TypeError for a document that ``to_json`` did not make."""
        after, before, was = document.get("after"), document.get("before"), document.get("was")
        values = {
            "after": None if after is None else Identity(**after),
            "before": None if before is None else Identity(**before),
            "was": None if was is None else Attributes(**was),
        }
        return cls(**{**document, **values})


class Stairs(Reach):
    """Takes steps, and takes them back, in one vault with one staging directory. The caller holds the vault's lock.

    ``staging`` is a descriptor that stays the caller's; ``owner`` is who new directories belong to (None: whoever we
    are). The rest is ``Reach``'s.
    """

    def __init__(self, root: int, staging: int, *, device: int, owner: tuple[int, int] | None) -> None:
        super().__init__(root, device)
        self._staging, self._owner = staging, owner
        self.at = ""  # the path last looked at: for messages

    # how it stands

    def standing(self, step: Step) -> Standing:
        """Raises ``ChangesRefused`` when a parent is no plain directory any more."""
        self.at = step.path
        try:
            with self.parent(step.path) as target:
                self._settle(step, target)
                now = lstat(target[1], target[0])
        except ParentGone:
            # below a directory that is still to be made, or that was removed with all in it
            return Standing.TODO if step.action in ("create", "mkdir") else Standing.DONE
        if step.action in ("replace", "create"):
            return self._of_file(step, now)
        if step.action == "mkdir":
            return Standing.TODO if now is None else _if(stat.S_ISDIR(now.st_mode), Standing.DONE)
        if now is None:
            return Standing.DONE
        same = step.before is not None and (
            step.before.same_directory(now) if step.action == "rmdir" else step.before.same_content(now)
        )
        return _if(same, Standing.TODO)

    def _settle(self, step: Step, target: Place) -> None:
        """Finish what a crash cut off between taking something out of the vault and looking at it: what is not what the
        run saw goes back."""
        staged = self._place(step.staged)
        if step.action == "replace":
            settle_exchange(staged, target)
            if self._ours(step, lstat(target[1], target[0])) and not self._expected(step, lstat(staged[1], staged[0])):
                _put_back(step.after, staged, target)
            elif self._holds_an_edit(step) and step.before is not None and _is(step.before, target):
                _put_back(step.before, staged, target)
        elif step.action == "create":
            if self._holds_an_edit(step):
                _return(staged, target)
        elif step.action == "remove" and not self._expected(step, lstat(staged[1], staged[0])):
            _return(staged, target)

    def _holds_an_edit(self, step: Step) -> bool:
        """Whether what lies where our new content was staged is something else: a step was being taken back, and what
        came out of the vault was an edit of that content."""
        entry = lstat(step.staged, self._staging)
        return entry is not None and step.after is not None and not step.after.same_content(entry)

    def _ours(self, step: Step, entry: os.stat_result | None) -> bool:
        return entry is not None and step.after is not None and entry.st_ino == step.after.inode

    def _expected(self, step: Step, entry: os.stat_result | None) -> bool:
        """Nothing, or what the run saw."""
        return entry is None or (step.before is not None and step.before.same_content(entry))

    def _of_file(self, step: Step, now: os.stat_result | None) -> Standing:
        if self._ours(step, now):
            return Standing.DONE
        if step.action == "create":
            return _if(now is None, Standing.TODO)
        return _if(now is not None and step.before is not None and step.before.same_content(now), Standing.TODO)

    def evident(self, step: Step) -> bool:
        """Whether ``step`` left what only we can have left: our file in its place, or the old one in ours."""
        if step.action not in ("create", "replace", "remove"):
            return False
        try:
            with self.parent(step.path) as target:
                self._settle(step, target)
                now = lstat(target[1], target[0])
        except ChangesRefused:
            now = None
        return self._ours(step, now) or (step.action == "remove" and self._is_staged(step))

    def _is_staged(self, step: Step) -> bool:
        return lstat(step.staged, self._staging) is not None

    def taken(self, step: Step) -> bool:
        """Whether we took ``step`` and nobody has touched what it left since: only then may it be taken back."""
        try:
            with self.parent(step.path) as target:
                self._settle(step, target)
                now = lstat(target[1], target[0])
            if step.action == "remove":
                return now is None and self._is_staged(step)
            if step.action in ("replace", "create"):
                return now is not None and step.after is not None and step.after.same_content(now)
            return self.standing(step) is Standing.DONE
        except ChangesRefused:  # its parent is gone, or no plain directory any more
            return False

    # forwards

    def take(self, step: Step) -> None:
        """Raises ``ChangesRefused`` (and has then changed nothing) when it meets something else than the run saw."""
        with self.parent(step.path) as target:
            try:
                getattr(self, f"_{step.action}")(step, target)
            except (FileNotFoundError, FileExistsError, NotADirectoryError) as error:
                raise conflict(step.path) from error
            except OSError as error:
                if error.errno == errno.ENOTEMPTY:
                    raise conflict(step.path) from error
                raise

    def _replace(self, step: Step, target: Place) -> None:
        staged = self._place(step.staged)
        exchange(staged, target)
        durable.reached("step: look at what was replaced")
        if not self._expected(step, lstat(staged[1], staged[0])):
            _put_back(step.after, staged, target)
            raise conflict(step.path)

    def _create(self, step: Step, target: Place) -> None:
        move(self._place(step.staged), target)

    def _remove(self, step: Step, target: Place) -> None:
        aside = self._place(step.staged)
        move(target, aside)
        durable.reached("step: look at what was removed")
        if not self._expected(step, lstat(aside[1], aside[0])):
            _return(aside, target)
            raise conflict(step.path)

    def _rmdir(self, step: Step, target: Place) -> None:
        os.rmdir(target[1], dir_fd=target[0])

    def _mkdir(self, step: Step, target: Place) -> None:
        self._make(step, target, step.was)

    def _make(self, step: Step, target: Place, was: Attributes | None) -> None:
        """Made and dressed in the staging directory, so that it is complete where it appears."""
        with suppress(FileExistsError):
            os.mkdir(step.staged, 0o700, dir_fd=self._staging)
        with opened(open_directory(step.staged, self._staging)) as made:
            self._dress(was, made, os.fstat(target[0]))
        try:
            move(self._place(step.staged), target)
        except FileExistsError:
            now = lstat(target[1], target[0])
            if now is None or not stat.S_ISDIR(now.st_mode):
                raise
            os.rmdir(step.staged, dir_fd=self._staging)  # made by somebody else meanwhile: what we would have done

    def _dress(self, was: Attributes | None, made: int, parent: os.stat_result) -> None:
        if was is not None:
            was.dress(made)
            if os.geteuid() != 0:  # or nothing could be put into it
                os.fchmod(made, was.mode | stat.S_IRWXU)
            return
        uid, gid = self._owner or (-1, -1)
        inherited = parent.st_mode & stat.S_ISGID
        with suppress(PermissionError):  # a group that we are not in
            os.fchown(made, uid, parent.st_gid if inherited else gid)
        os.fchmod(made, NEW_DIRECTORY_MODE | inherited)

    # backwards

    def take_back(self, step: Step) -> None:
        """Undo a step that stands as taken. What somebody has put there meanwhile stays."""
        staged = self._place(step.staged)
        with self.parent(step.path) as target:
            if step.action == "replace":
                former = _identity(staged)
                exchange(staged, target)
                if self._holds_an_edit(step):
                    _put_back(former, staged, target)
            elif step.action == "create":
                move(target, staged)
                if self._holds_an_edit(step):
                    _return(staged, target)
            elif step.action == "remove":
                _return(staged, target)
            elif step.action == "mkdir":
                self._unmake(target)
            else:
                self._make(step, target, step.was)

    def _unmake(self, target: Place) -> None:
        try:
            os.rmdir(target[1], dir_fd=target[0])
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.ENOENT):
                raise

    # places

    def sync(self, steps: tuple[Step, ...]) -> None:
        """Put the touched directories of the vault on disk; the journal's removal does so for the staging directory."""
        parents = {step.path.rpartition("/")[0] for step in steps}
        made = {step.path for step in steps if step.action == "mkdir"}
        for path in sorted(parents | made, reverse=True):
            try:
                with self.parent(path + "/.") as (directory, _):
                    os.fsync(directory)
            except ChangesRefused:
                continue  # it was removed by a later step; its own parent is synced as well

    def _place(self, name: str) -> Place:
        return self._staging, name.encode()


def conflict(path: str) -> ChangesRefused:
    return ChangesRefused((finding("VLT301", path),))


def _if(holds: bool, standing: Standing) -> Standing:
    return standing if holds else Standing.FOREIGN


def _identity(place: Place) -> Identity | None:
    entry = lstat(place[1], place[0])
    return None if entry is None else Identity.of(entry)


def _is(identity: Identity, place: Place) -> bool:
    entry = lstat(place[1], place[0])
    return entry is not None and identity.same_content(entry)


def _put_back(expected: Identity | None, staged: Place, target: Place) -> None:
    """Exchange until the newest is in the vault and ``expected``, which we had put there, is out again: the person
    whose edit we hold may have saved once more meanwhile, and then what comes out is newer still."""
    while expected is not None:
        put = _identity(staged)
        exchange(staged, target)
        if _identity(staged) is None or _is(expected, staged):
            return
        expected = put


def _return(held: Place, target: Place) -> None:
    """Put back what we hold, unless something newer stands in its place by now."""
    with suppress(FileExistsError):
        move(held, target)
