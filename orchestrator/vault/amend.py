"""Changing the content of a held change set: which of its files are text that a person can edit, and the set with what
the person made of them. Paths stay what they are; nothing lands here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from orchestrator.errors import ReviewError
from orchestrator.records import StoredChange
from orchestrator.validation.finding import Finding
from orchestrator.vault.changes import Change
from orchestrator.vault.diff import MAX_BYTES
from orchestrator.vault.names import shown
from orchestrator.vault.objects import Objects
from orchestrator.vault.rules import finding
from orchestrator.vault.tally import Quotas


@dataclass(frozen=True, slots=True)
class Draft:
    """A changed file as a person would edit it. ``content`` is None where that cannot be; ``fault`` says why."""

    path: str
    content: bytes | None = None
    fault: str = ""


def drafts(changes: Iterable[StoredChange], objects: Objects) -> tuple[Draft, ...]:
    """One for each file; directories have no content. Raises OSError."""
    return tuple(_draft(each, objects) for each in changes if not each.directory)


def _draft(change: StoredChange, objects: Objects) -> Draft:
    if change.kind == "deleted":
        return Draft(change.path, fault="is deleted: there is nothing to edit")
    if change.size > MAX_BYTES:
        return Draft(change.path, fault=_too_large(change.size))
    content = objects.read(change.sha256, MAX_BYTES)
    if content is None:
        return Draft(change.path, fault="is not kept any more, or damaged")
    fault = text_fault(content)
    return Draft(change.path, fault=fault) if fault else Draft(change.path, content)


def text_fault(content: bytes) -> str:
    """Why ``content`` is nothing to edit as text; "" when it is."""
    if len(content) > MAX_BYTES:
        return _too_large(len(content))
    if b"\0" in content:
        return "is binary"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "is not UTF-8"
    return ""


def _too_large(size: int) -> str:
    return f"has {size} bytes, more than the {MAX_BYTES} that can be edited"


def amended(
    changes: tuple[StoredChange, ...], contents: Mapping[str, bytes], objects: Objects
) -> tuple[StoredChange, ...]:
    """The changes with ``contents`` (by path) in the place of what the run wrote, which is put into ``objects`` first.

    Raises ``ReviewError`` for a path that is not in the set, or whose old or new content is not text to edit; then
    nothing was put anywhere. Raises OSError.
    """
    wanted = {each.path: each for each in drafts(changes, objects) if each.path in contents}
    if unknown := sorted(set(contents) - {each.path for each in changes}):
        raise ReviewError(f"{shown(unknown[0])} is not among the changes", hint="paths cannot be changed, only content")
    for path, content in contents.items():
        fault = wanted[path].fault if path in wanted else "is a directory"
        fault = fault or text_fault(content)
        if fault:
            raise ReviewError(f"{shown(path)} {fault}", hint="reject the changes, or approve them as they are")
    return tuple(_with(each, contents.get(each.path), objects) for each in changes)


def _with(change: StoredChange, content: bytes | None, objects: Objects) -> StoredChange:
    if content is None or change.kind == "deleted":
        return change
    sha256, size = objects.add_bytes(content)
    if sha256 == change.sha256:
        return change
    return replace(change, sha256=sha256, size=size, moved_from="")  # a move has the content of what was moved


def over_quotas(changes: Iterable[Change], quotas: Quotas) -> Iterator[Finding]:
    """What a run may not write either, however much of it a person wrote."""
    total = 0
    for change in changes:
        total += change.size
        if change.size > quotas.file_bytes:
            yield finding("VLT111", change.path)
        if total > quotas.total_bytes:
            yield finding("VLT110", change.path)
            return
