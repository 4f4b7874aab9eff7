"""The redo journal: what a transaction is about to do, written beside its staged content before it does any of it.

Theory of operation. A transaction's staging directory holds its new content. Once all of that is on disk, a file
``journal`` appears in it (written aside, synced, renamed, the directory synced): that is the moment at which the
transaction has happened. Then, in the name of that same file:

    journal         take the steps that are still to be taken, and rename it to
    journal.taken   all were taken, and whoever asked may have been told so: sync the touched directories; rename it to
    journal.done    everything is on disk: it is recorded and what was there before is kept; then it is removed
    journal.undo    a step could not be taken, because somebody changed the vault: those taken are taken back

A staging directory without any of them belongs to a transaction that never happened, or is over, and can be thrown
away. ``recovery`` goes on from whichever it finds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from orchestrator.errors import VaultError
from orchestrator.vault import durable
from orchestrator.vault.descriptors import CHUNK_BYTES, lstat, open_file, opened
from orchestrator.vault.rules import ChangesRefused
from orchestrator.vault.staging import write_all
from orchestrator.vault.steps import Stairs, Standing, Step, conflict

NAME, TAKEN, DONE, UNDO = "journal", "journal.taken", "journal.done", "journal.undo"
NAMES = (NAME, TAKEN, DONE, UNDO)
_TEMPORARY = "journal.new"
_VERSION = 1
_MOST_BYTES = 64 * 2**20  # of a journal; 20,000 steps with the longest paths are half of it


@dataclass(frozen=True, slots=True)
class Journal:
    """``facts`` are the caller's, kept for whoever finishes the transaction: plain JSON values."""

    root: tuple[int, int]  # st_dev and st_ino of the vault
    steps: tuple[Step, ...]
    facts: dict[str, Any] = field(default_factory=dict)

    def write(self, staging: int, content_on_disk: Callable[[], None]) -> None:
        """Make the transaction happen, once ``content_on_disk`` has returned. Raises OSError, or ``VaultError`` when it
        is too large; nothing has happened then, unless OSError came of the last sync."""
        document = {
            "version": _VERSION,
            "root": list(self.root),
            "steps": [step.to_json() for step in self.steps],
            "facts": self.facts,
        }
        content = json.dumps(document, ensure_ascii=True).encode()
        if len(content) > _MOST_BYTES:
            raise VaultError(f"a change of {len(self.steps)} entries is too large for one transaction")
        durable.reached("journal: write")
        flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
        with opened(os.open(_TEMPORARY, flags, 0o600, dir_fd=staging)) as target:
            write_all(target, content)
            durable.reached("journal: sync")
            os.fsync(target)
        content_on_disk()
        durable.reached("journal: publish")
        os.rename(_TEMPORARY, NAME, src_dir_fd=staging, dst_dir_fd=staging)
        durable.reached("journal: sync directory")
        os.fsync(staging)

    def take(self, stairs: Stairs, staging: int, *, fresh: bool = False) -> None:
        """Take every step that is still to be taken; ``ChangesRefused`` or OSError at the first that cannot be.
        ``fresh``: none was, for the journal has just been written."""
        for step in self.steps[0 if fresh else self._begun(stairs) :]:
            durable.reached(f"step: {step.action}")
            standing = stairs.standing(step)
            if standing is Standing.FOREIGN:
                raise conflict(step.path)
            if standing is Standing.TODO:
                stairs.take(step)  # and looks once more at what it meets
        rename(staging, NAME, TAKEN)

    def retake(self, stairs: Stairs) -> None:
        """Take again the steps that were taken and that the disk has lost. Whoever asked was told that they are taken,
        so what does not fit any more is what somebody has made of it since."""
        for step in self.steps:
            durable.reached(f"step again: {step.action}")
            with suppress(ChangesRefused):
                if stairs.standing(step) is Standing.TODO:
                    stairs.take(step)

    def settle(self, stairs: Stairs, staging: int) -> None:
        """Put what the steps did on disk. Raises OSError."""
        durable.reached("sync directories")
        stairs.sync(self.steps)
        rename(staging, TAKEN, DONE)

    def _begun(self, stairs: Stairs) -> int:
        """Where to go on: behind the last step that left something only we can have left. Those before it were taken,
        whatever their places look like now: later steps, and people, have been there since."""
        for index in range(len(self.steps) - 1, -1, -1):
            if stairs.evident(self.steps[index]):
                return index + 1
        return 0

    def backward(self, stairs: Stairs, staging: int) -> None:
        """Take back every step that was taken, last first, where nobody has been since. Raises OSError."""
        state = state_of(staging)
        if state not in ("", UNDO):
            rename(staging, state, UNDO)
        for step in reversed(self.steps):
            durable.reached(f"step back: {step.action}")
            if stairs.taken(step):
                stairs.take_back(step)
        durable.reached("sync directories after undoing")
        stairs.sync(self.steps)


def rename(staging: int, state: str, new_state: str) -> None:
    """The order of renames in one directory is that in which they reach the disk; the removal syncs them."""
    durable.reached(f"journal: {state} becomes {new_state}")
    os.rename(state, new_state, src_dir_fd=staging, dst_dir_fd=staging)


def remove(staging: int) -> None:
    """The transaction is over."""
    durable.reached("journal: remove")
    for name in NAMES:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=staging)
    durable.reached("journal: sync removal")
    os.fsync(staging)


def state_of(staging: int) -> str:
    """Which of ``NAMES`` is there; "" for none."""
    return next((name for name in NAMES if lstat(name, staging) is not None), "")


def read(staging: int) -> Journal | None:
    """The journal of a staging directory, or None. Raises ``VaultError`` for one that cannot be read: only a damaged
    disk or a hand that should not be there makes such a thing, since it appears whole or not at all."""
    name = state_of(staging)
    if not name:
        return None
    with opened(open_file(name, staging)) as descriptor:
        raw = bytearray()
        while len(raw) <= _MOST_BYTES and (piece := os.read(descriptor, CHUNK_BYTES)):
            raw += piece
    try:
        document = json.loads(raw)
        device, inode = document["root"]
        steps = tuple(Step.from_json(step) for step in document["steps"])
        if document["version"] == _VERSION:
            return Journal((device, inode), steps, dict(document["facts"]))
    except (ValueError, KeyError, TypeError) as error:
        raise VaultError(f"the journal of an unfinished transaction cannot be read: {error!r}") from error
    raise VaultError("the journal of an unfinished transaction is of another version of this program")
