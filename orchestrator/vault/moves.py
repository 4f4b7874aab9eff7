"""Telling moves: a created file that has the content of a file which the same run deleted. For people who read a change
set; what lands is the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from orchestrator.vault.changes import ChangeSet, Entry, Identity
from orchestrator.vault.contents import hashed_at
from orchestrator.vault.reach import Reach
from orchestrator.vault.rules import ChangesRefused


def with_moves(changes: ChangeSet, reach: Reach) -> ChangeSet:
    """The same set, its moves marked. Reads deleted files only where a created one is as long."""
    created = [entry for entry in changes.entries if entry.staged and entry.before is None and entry.change.size]
    lengths = {entry.change.size for entry in created}
    origins: dict[str, list[str]] = {}
    for entry in changes.entries if lengths else ():
        if entry.change.kind == "deleted" and entry.before is not None and entry.before.size in lengths:
            origins.setdefault(_digest(entry, entry.before, reach), []).append(entry.change.path)
    origins.pop("", None)
    if not origins:
        return changes
    return replace(changes, entries=tuple(_named(entry, origins) for entry in changes.entries))


def _digest(entry: Entry, before: Identity, reach: Reach) -> str:
    if before.directory:
        return ""
    try:
        with reach.parent(entry.change.path) as place:
            return hashed_at(place)[0]
    except (ChangesRefused, OSError):
        return ""  # gone meanwhile: commit will see that


def _named(entry: Entry, origins: Mapping[str, list[str]]) -> Entry:
    found = origins.get(entry.change.sha256, [])
    if entry.change.kind != "created" or not entry.staged or not found:
        return entry
    return replace(entry, change=replace(entry.change, moved_from=found.pop(0)))
