"""Whether a change set waits for a person: the review rules of policy and manifest, each looked at by itself."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Final

from orchestrator.manifest.model import ReviewRules, VaultGrants
from orchestrator.text import one_line
from orchestrator.validation.finding import Finding, Severity
from orchestrator.vault.changes import ChangeSet, Entry
from orchestrator.vault.names import shown
from orchestrator.vault.root import Vault
from orchestrator.vault.scope import parts

NOTE_MARK: Final = "review-"
ALERT_MARK: Final = "alert-"
_SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "error")  # least first


def notes_pattern(folder: str, mark: str = NOTE_MARK) -> str:
    """The forbidden pattern (see ``check``) of the notes about what waits, or with ``ALERT_MARK`` of those that warn: a
    skill that changed them could make another one's changes, or itself, look harmless."""
    return "/" + "/".join((*parts(folder), f"* {mark}????????????.md"))


def reasons(
    changes: ChangeSet,
    rules: Sequence[ReviewRules],
    grants: VaultGrants,
    vault: Vault,
    warnings: Sequence[Finding] = (),
) -> tuple[str, ...]:
    """Why these changes wait, a sentence each; empty when they may land at once. ``warnings``: what the policy found in
    the skill's code and let pass."""
    if not changes.entries:
        return ()
    found = [reason for rule in rules for reason in (*_of(rule, changes, grants, vault), *_findings(rule, warnings))]
    return tuple(dict.fromkeys(found))


def _findings(rule: ReviewRules, warnings: Sequence[Finding]) -> Iterator[str]:
    if rule.on_findings is None:
        return
    counted = _SEVERITIES[_SEVERITIES.index(rule.on_findings) :]
    if found := [each for each in warnings if each.severity in counted]:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        yield f"the policy warns of its code: {one_line(str(found[0]), 300)}{more}"


def _of(rule: ReviewRules, changes: ChangeSet, grants: VaultGrants, vault: Vault) -> Iterator[str]:
    entries = changes.entries
    if rule.always:
        yield "every change of this skill is reviewed"
    deleted = [entry.change.path for entry in entries if entry.change.kind == "deleted"]
    if rule.on_deletes and deleted:
        yield f"it deletes {len(deleted)}, {shown(deleted[0])} for one"
    if rule.over_files is not None and len(entries) > rule.over_files:
        yield f"it changes {len(entries)} entries, more than {rule.over_files}"
    outside = [entry.change.path for entry in entries if rule.outside and not _below(entry.change.path, rule.outside)]
    if outside:
        yield f"it touches {shown(outside[0])}, outside {', '.join(map(shown, rule.outside))}"
    yield from _mass_change(rule, entries, grants, vault)


def _below(path: str, directories: Sequence[str]) -> bool:
    here = parts(path)
    return any(here[: len(parts(each))] == parts(each) for each in directories)


def _mass_change(rule: ReviewRules, entries: Sequence[Entry], grants: VaultGrants, vault: Vault) -> Iterator[str]:
    touched = sum(entry.change.kind != "created" and not entry.change.directory for entry in entries)
    if not rule.mass_change_percent or touched < rule.mass_change_files:
        return
    most = touched * 100 // rule.mass_change_percent  # with more files than this, it is no mass change
    if _files(vault, grants, most + 1) <= most:
        yield f"it deletes or rewrites {touched} files, {rule.mass_change_percent} % or more of what it was granted"


def _files(vault: Vault, grants: VaultGrants, enough: int) -> int:
    """How many files lie in the granted directories now; stops counting at ``enough``. It only counts: somebody who
    swaps directories meanwhile gains nothing but a review more or less."""
    found = 0
    for grant in grants.write:
        for _, _, files in os.walk(vault.root.joinpath(*parts(grant))):
            found += len(files)
            if found >= enough:
                return found
    return found
