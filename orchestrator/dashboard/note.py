"""``DashboardNote``: the file of the dashboard, in a vault that people and their programs write to at the same time.

It is read through descriptors that follow no link, and written as a transaction of the vault: in one step, on disk,
with the owner, mode and attributes that it had; what somebody wrote since it was read is a conflict, and theirs stays.
What somebody still wrote to the former file, which they had open, is found at a later look and goes in as well.
It is no run's change, so it is in no history. A file that is not plain text of ours to rewrite is left alone.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

from loguru import logger

from orchestrator.dashboard.displaced import Displaced
from orchestrator.dashboard.region import LeaveAlone, body_of, fault, replaced, with_late
from orchestrator.errors import VaultError
from orchestrator.vault.changes import Change, ChangeSet, Entry, Identity
from orchestrator.vault.commit import commit
from orchestrator.vault.descriptors import lstat, open_file, opened
from orchestrator.vault.history import History
from orchestrator.vault.names import shown
from orchestrator.vault.reach import ParentGone, Reach
from orchestrator.vault.restage import root_reach
from orchestrator.vault.rules import ChangesRefused
from orchestrator.vault.scope import parts
from orchestrator.vault.staging import Spares, Staging

MAX_BYTES: Final = 4 * 2**20  # of the file
_CHUNK: Final = 256 * 1024
_FORMER: Final = 4  # former files kept open at most
_BUSY_SECONDS: Final = 1.0  # at the end, how long somebody who still writes to a former file is waited for
_POLL_SECONDS: Final = 0.01


@dataclass(frozen=True, slots=True)
class Written:
    """``left_alone`` and ``conflict`` have a ``reason``; a conflict may be gone the next time. ``too_soon``: it is to
    be written in ``wait_seconds``."""

    state: Literal["written", "unchanged", "left_alone", "conflict", "too_soon"]
    reason: str = ""
    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Found:
    content: bytes = b""
    identity: Identity | None = None  # None: there is no such file
    missing: tuple[str, ...] = ()  # directories to be made for it
    descriptor: int = -1  # of the file


@dataclass(frozen=True, slots=True)
class Seen:
    """``body``: what stands between the markers; None: nothing, or nothing that may be rewritten. ``late``: something
    was written to the former file, and has to go into this one."""

    body: str | None
    late: bool


class DashboardNote:
    """Of one vault. For one thread at a time; other processes may write the same note."""

    def __init__(self, history: History, path: str) -> None:
        """``path``: of the file, as seen from the vault."""
        self.path = "/".join(parts(path))
        self._history = history
        self._spares = Spares()
        self._said = ""  # the last reason for leaving it alone: told once
        self._former: list[Displaced] = []
        self._late: list[tuple[Displaced, bytes]] = []  # found by the last look

    def look(self) -> Seen:
        """How the file is now. Raises ``VaultError`` when the vault fails."""
        self._find_late()
        try:
            with self._reading() as found:
                return Seen(body_of(found.content), bool(self._late))
        except (LeaveAlone, ChangesRefused):
            return Seen(None, bool(self._late))
        except OSError as error:
            raise VaultError(f"the dashboard {shown(self.path)} cannot be read: {error.strerror}") from error

    def write(self, body: str) -> Written:
        """Put ``body`` (lines that end in LF) between the markers. Raises ``VaultError`` when the vault fails."""
        self._history.finished()  # a transaction that cannot be finished holds the vault
        try:
            with self._reading() as found:
                content = _new(self._with_late(found.content), body)
                if found.identity is not None and content == found.content:
                    self._taken()
                    return Written("unchanged")
                self._commit(found, content)
                self._taken()
                self._displaced(found)
        except LeaveAlone as error:
            return self._left_alone(str(error))
        except ChangesRefused as refused:
            logger.info("the dashboard {} is not rewritten now: {}", shown(self.path), refused)
            return Written("conflict", str(refused.findings[0] if refused.findings else refused))
        except OSError as error:
            raise VaultError(f"the dashboard {shown(self.path)} cannot be written: {error.strerror}") from error
        self._said = ""
        return Written("written")

    def fault(self) -> str:
        """Why the file would be left alone; "" when it would not. Changes nothing. Raises ``VaultError``."""
        try:
            with self._reading() as found:
                return fault(found.content)
        except LeaveAlone as error:
            return str(error)
        except ChangesRefused as refused:
            return str(refused.findings[0] if refused.findings else refused)
        except OSError as error:
            raise VaultError(f"the dashboard {shown(self.path)} cannot be read: {error.strerror}") from error

    def _left_alone(self, reason: str) -> Written:
        if reason != self._said:
            logger.warning("the dashboard {} is left alone: {}", shown(self.path), reason)
        self._said = reason
        return Written("left_alone", reason)

    # --- reading ---------------------------------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[_Found]:
        """Raises ``LeaveAlone`` for what is no plain file of notes, ``ChangesRefused`` when it changes meanwhile."""
        with opened(self._history.vault.open()) as root:
            reach = root_reach(root)
            missing = self._missing(reach)
            if missing:
                yield _Found(missing=missing)
                return
            with reach.parent(self.path) as (parent, name):
                descriptor = None if lstat(name, parent) is None else _opened(name, parent)
        if descriptor is None:
            yield _Found()
            return
        with opened(descriptor):
            yield _content(descriptor, self._history.vault.device)

    def _missing(self, reach: Reach) -> tuple[str, ...]:
        """Those of the directories above the file that do not exist, the uppermost first."""
        above = self.path.split("/")[:-1]
        folders = ["/".join(above[: depth + 1]) for depth in range(len(above))]
        missing = []
        for folder in folders:
            try:
                with reach.parent(folder) as (parent, name):
                    entry = lstat(name, parent)
            except ParentGone:
                entry = None
            if entry is None:
                missing.append(folder)
            elif not stat.S_ISDIR(entry.st_mode):
                raise LeaveAlone(f"{shown(folder)} is no directory")
        return tuple(missing)

    # --- what came too late for the former file ----------------------------------------------------------------------

    def finish(self) -> bool:
        """The last look: whether something came that has to be written. Waits a second at most for those who write."""
        ends = time.monotonic() + _BUSY_SECONDS
        while any(each.busy() for each in self._former) and time.monotonic() < ends:
            time.sleep(_POLL_SECONDS)
        self._find_late(last=True)
        return bool(self._late)

    def close(self) -> None:
        """Let go of former files. Idempotent."""
        for each in self._former:
            each.close()
        self._former, self._late = [], []

    def _find_late(self, *, last: bool = False) -> None:
        self._late = []
        for each in self._former:
            try:
                content = each.late(MAX_BYTES, last=last)
            except OSError as error:
                logger.warning("the former dashboard {} cannot be read any more: {}", shown(self.path), error.strerror)
                continue
            if content is not None:
                self._late.append((each, content))

    def _with_late(self, content: bytes) -> bytes:
        for each, late in self._late:
            content = with_late(content, each.content, late)
        return content

    def _taken(self) -> None:
        """What came too late for former files is in the vault now."""
        for each, late in self._late:
            each.content = late
            logger.info("what was written to the dashboard {} as it was replaced is in it now", shown(self.path))
        self._late = []

    def _displaced(self, found: _Found) -> None:
        """``found`` was replaced. Those before it, which were looked at since, are kept while somebody has them."""
        kept = [each for each in self._former if each.busy()][1 - _FORMER :]
        for each in self._former:
            if each not in kept:
                each.close()
        if found.identity is not None:
            kept.append(Displaced.of(found.descriptor, found.content))
        self._former = kept

    # --- writing ---------------------------------------------------------------------------------------------------

    def _commit(self, found: _Found, content: bytes) -> None:
        vault = self._history.vault
        with ChangeSet(staging=Staging(vault.staging_area, self._history.instance, self._spares)) as changes:
            if changes.staging is None:
                raise AssertionError("it was just made")
            staged = changes.staging.put(content)
            kind: Literal["created", "modified"] = "created" if found.identity is None else "modified"
            change = Change(kind, self.path, staged.size, staged.sha256)
            folders = (Entry(Change("created", each, directory=True)) for each in found.missing)
            changes.entries = (*folders, Entry(change, found.identity, staged.name))
            commit(vault, changes)


def _new(old: bytes, body: str) -> bytes:
    content = replaced(old, body)
    if len(content) > MAX_BYTES:
        raise LeaveAlone(f"it would have more than {MAX_BYTES} bytes")
    return content


def _opened(name: bytes, parent: int) -> int:
    try:
        return open_file(name, parent)
    except OSError as error:
        reasons = {
            errno.ELOOP: "it is a link",
            errno.EACCES: "it may not be read",
            errno.ENXIO: "it is no regular file",
        }
        if error.errno in reasons:
            raise LeaveAlone(reasons[error.errno]) from error
        raise


def _content(descriptor: int, device: int) -> _Found:
    entry = os.fstat(descriptor)
    if not stat.S_ISREG(entry.st_mode):
        raise LeaveAlone("it is no regular file")
    if entry.st_nlink != 1:
        raise LeaveAlone("it has another name as well (a hard link)")
    if entry.st_dev != device:
        raise LeaveAlone("it is on another file system")
    content = bytearray()
    while len(content) <= MAX_BYTES and (piece := os.read(descriptor, _CHUNK)):
        content += piece
    if len(content) > MAX_BYTES:
        raise LeaveAlone(f"it has more than {MAX_BYTES} bytes")
    # What is written to it while it is read gives it another identity, which the transaction will not find.
    return _Found(bytes(content), Identity.of(entry), descriptor=descriptor)
