"""Judging what a run wrote before it lands. What is looked for is not known here: a ``Judge`` says it.

Content that the judge replaces is staged anew, so digest and size are of what lands; the former staged file goes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from orchestrator.validation.finding import Finding
from orchestrator.vault.changes import ChangeSet, Entry
from orchestrator.vault.contents import read_at
from orchestrator.vault.descriptors import open_file, opened
from orchestrator.vault.reach import Reach
from orchestrator.vault.rules import ChangesRefused
from orchestrator.vault.staging import Staged, Staging

MAX_BYTES: Final = 16 * 2**20  # of a file that the judge gets; of a longer one it gets the begin
_BEGIN_BYTES: Final = 8000


@dataclass(frozen=True, slots=True)
class Written:
    """A file or directory that a run made or changed. ``content`` of a file is whole, or its begin. ``former`` reads
    what the vault holds there (or where it was moved from) now; None where that is nothing, or too large."""

    path: str
    new: bool
    content: bytes = b""
    whole: bool = True
    former: Callable[[], bytes | None] = lambda: None


@dataclass(frozen=True, slots=True)
class Judged:
    """``content`` takes the place of what was written; None: that stays."""

    content: bytes | None = None
    refused: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()


Judge = Callable[[Written], Judged]


@dataclass(frozen=True, slots=True)
class JudgedSet:
    changes: ChangeSet
    refused: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()


def judged(changes: ChangeSet, judge: Judge, reach: Reach) -> JudgedSet:
    """The set with each entry judged. With ``refused`` it must not land."""
    entries: list[Entry] = []
    refused: list[Finding] = []
    warnings: list[Finding] = []
    for entry in changes.entries:
        verdict = Judged() if entry.change.kind == "deleted" else judge(_written(entry, changes.staging, reach))
        refused += verdict.refused
        warnings += verdict.warnings
        entries.append(_with(entry, verdict.content, changes.staging))
    if all(new is old for new, old in zip(entries, changes.entries, strict=True)):
        return JudgedSet(changes, tuple(refused), tuple(warnings))
    return JudgedSet(replace(changes, entries=tuple(entries)), tuple(refused), tuple(warnings))


def _written(entry: Entry, staging: Staging | None, reach: Reach) -> Written:
    change = entry.change
    new = change.kind == "created"
    if change.directory or staging is None or not entry.staged:
        return Written(change.path, new)
    whole = change.size <= MAX_BYTES
    content = _begin(staging, entry.staged, MAX_BYTES if whole else _BEGIN_BYTES)
    origin = change.moved_from or ("" if new else change.path)
    former = partial(_former, reach, origin) if origin else (lambda: None)
    return Written(change.path, new, content, whole, former)


def _begin(staging: Staging, name: str, at_most: int) -> bytes:
    content = bytearray()
    with opened(open_file(name, staging.descriptor)) as descriptor:
        while len(content) < at_most and (piece := os.read(descriptor, at_most - len(content))):
            content += piece
    return bytes(content)


def _former(reach: Reach, path: str) -> bytes | None:
    try:
        with reach.parent(path) as place:
            return read_at(place, MAX_BYTES)
    except (ChangesRefused, OSError):
        return None  # gone meanwhile: commit will see that


def _with(entry: Entry, content: bytes | None, staging: Staging | None) -> Entry:
    if content is None or staging is None:
        return entry
    staged = staging.put(content)
    staging.drop(Staged(entry.staged, 0, ""))
    change = replace(entry.change, size=staged.size, sha256=staged.sha256, moved_from="")
    return replace(entry, change=change, staged=staged.name)
