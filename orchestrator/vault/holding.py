"""Whether a change set waits for a person: the review rules of policy and manifest, each looked at by itself."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from orchestrator.manifest.model import ReviewRules, VaultGrants
from orchestrator.vault.changes import ChangeSet, Entry
from orchestrator.vault.names import shown
from orchestrator.vault.root import Vault
from orchestrator.vault.scope import parts


def reasons(changes: ChangeSet, rules: Sequence[ReviewRules], grants: VaultGrants, vault: Vault) -> tuple[str, ...]:
    """Why these changes wait, a sentence each; empty when they may land at once."""
    if not changes.entries:
        return ()
    found = [reason for rule in rules for reason in _of(rule, changes, grants, vault)]
    return tuple(dict.fromkeys(found))


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
