"""``Tally``: what collecting has found so far, and how much more it may find.

Keeps the quotas, the findings and the entries of one change set, and turns them into the ``ChangeSet``. It knows
nothing of directories or views.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Self

from orchestrator.sandbox.spec import Limits
from orchestrator.validation.finding import Finding
from orchestrator.vault.baseline import Known
from orchestrator.vault.changes import Change, ChangeSet, Entry
from orchestrator.vault.rules import finding
from orchestrator.vault.staging import Staged, Staging, TooLarge

_FINDINGS = 20  # then stop looking: the set is refused anyway


@dataclass(frozen=True, slots=True)
class Quotas:
    """``total_bytes`` and ``file_bytes`` count new content, ``files`` entries that differ, ``depth`` components of a
    path and ``path_bytes`` its length as UTF-8."""

    files: int = 1000
    total_bytes: int = 64 * 2**20
    file_bytes: int = 16 * 2**20
    depth: int = 32
    path_bytes: int = 1024

    @classmethod
    def of(cls, limits: Limits) -> Self:
        return cls(limits.files, limits.write_mb * 2**20, limits.file_mb * 2**20)


class Stop(Exception):  # noqa: N818 - control flow between this module and collect
    """Enough is known to refuse the set."""


class Tally:
    def __init__(self, quotas: Quotas, staging: Staging) -> None:
        self._quotas = quotas
        self._staging = staging
        self._files_left = quotas.files
        self._bytes_left = quotas.total_bytes
        self._entries: list[Entry] = []
        self._refusals: list[Finding] = []
        self._conflicts: list[Finding] = []

    def result(self) -> ChangeSet:
        """The set, sorted by path, deletions before what takes their place."""
        if self._refusals:
            self._staging.discard()
            return ChangeSet((), tuple(self._refusals), tuple(self._conflicts))
        if not self._entries:
            self._staging.discard()
            return ChangeSet(conflicts=tuple(self._conflicts))
        self._entries.sort(key=lambda entry: (entry.change.path, entry.change.kind != "deleted"))
        return ChangeSet(tuple(self._entries), conflicts=tuple(self._conflicts), staging=self._staging)

    def path(self, prefix: str, raw: str, depth: int) -> str | None:
        """``prefix`` and a name as the system gave it, as a path; None after refusing it. ``depth`` counts from 0."""
        try:
            path = prefix + os.fsencode(raw).decode("utf-8")
        except UnicodeDecodeError:
            self.refuse("VLT105", prefix + raw)
            return None
        if len(path.encode()) > self._quotas.path_bytes or depth >= self._quotas.depth:
            self.refuse("VLT107", path)
            return None
        return path

    def charge(self, path: str) -> None:
        """Count one changed entry."""
        self._files_left -= 1
        if self._files_left < 0:
            self.refuse("VLT109", path)
            raise Stop

    def refuse(self, rule: str, path: str) -> None:
        self._refusals.append(finding(rule, path))
        if len(self._refusals) >= _FINDINGS:
            raise Stop

    def conflict(self, path: str) -> None:
        self._conflicts.append(finding("VLT301", path))
        if len(self._conflicts) >= _FINDINGS:
            raise Stop

    def add_directory(self, path: str) -> None:
        self._entries.append(Entry(Change("created", path, directory=True)))

    def add_file(self, path: str, staged: Staged, replaced: Known | None) -> None:
        if replaced is None:
            self._entries.append(Entry(Change("created", path, staged.size, staged.sha256), None, staged.name))
            return
        change = Change("modified", path, staged.size, staged.sha256)
        self._entries.append(Entry(change, replaced.identity, staged.name))

    def delete(self, path: str, known: Known) -> None:
        """Note the deletion of one entry of the vault."""
        self.charge(path)
        if known.foreign or known.kind == "other":
            self.refuse("VLT113" if known.foreign else "VLT112", path)
            return
        if known.touched and known.kind == "file":  # a directory is touched by whatever comes or goes in it
            self.conflict(path)
        self._entries.append(Entry(Change("deleted", path, directory=known.kind == "directory"), known.identity))

    def stage(self, descriptor: int, claimed: int, path: str) -> Staged | None:
        """Take the content over, or refuse it. ``claimed`` (bytes) only saves reading what is too large anyway:
        what is read is what counts."""
        at_most = min(self._quotas.file_bytes, self._bytes_left)
        if claimed <= at_most:
            try:
                staged = self._staging.add(descriptor, at_most)
            except TooLarge:
                pass
            else:
                self._bytes_left -= staged.size
                return staged
        self.refuse("VLT111" if at_most == self._quotas.file_bytes else "VLT110", path)
        return None

    def take_back(self, staged: Staged, *, refund: bool) -> None:
        """It was no change after all. ``refund``: nor was it the run that made us look."""
        self._staging.drop(staged)
        if refund:
            self._bytes_left += staged.size
            self._files_left += 1
