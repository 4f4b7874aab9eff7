"""One run's dealings with the vault, from lease to landing: ``begin``, then collect, check and commit - or nothing.

The stages stay separate modules (``collect``, ``check``, ``commit``): a journal, review and rollback go between them.
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestrator.errors import VaultError
from orchestrator.manifest.model import VaultGrants
from orchestrator.sandbox.slot import Slot as AnySlot
from orchestrator.sandbox.spec import Limits
from orchestrator.validation.finding import Finding
from orchestrator.vault.changes import Change, ChangeSet
from orchestrator.vault.check import check
from orchestrator.vault.collect import collect
from orchestrator.vault.commit import commit
from orchestrator.vault.root import Vault
from orchestrator.vault.rules import ChangesRefused, finding
from orchestrator.vault.scope import parts
from orchestrator.vault.slots import Slot
from orchestrator.vault.tally import Quotas


@dataclass(frozen=True, slots=True)
class Landed:
    """What reached the vault, or why nothing did. ``conflict``: the vault changed meanwhile, not the skill's fault."""

    changes: tuple[Change, ...] = ()
    refused: tuple[Finding, ...] = ()
    conflict: bool = False


def unusable_grants(vault: Vault, grants: VaultGrants) -> tuple[Finding, ...]:
    """Grants that name, or lead through, something in the vault that is no directory. What is missing is no trouble."""
    found = []
    for grant in dict.fromkeys((*grants.read, *grants.write)):
        path = vault.root
        for part in parts(grant):
            path = path / part
            try:
                mode = path.lstat().st_mode
            except FileNotFoundError:
                break
            if not stat.S_ISDIR(mode):
                found.append(finding("VLT205", grant))
                break
    return tuple(found)


def begin(slot: AnySlot, grants: VaultGrants, forbidden: Sequence[str]) -> None:
    """Make a leased sandbox's view this run's: mark its begin and, for a copy, fill it. Raises ``VaultError``."""
    if isinstance(slot, Slot):
        slot.populate(grants, forbidden=forbidden)


def land(slot: AnySlot, limits: Limits, grants: VaultGrants, forbidden: Sequence[str]) -> Landed:
    """Collect what the run left, check it and commit it: all of it, or nothing. Every process of the run is dead."""
    if not isinstance(slot, Slot):
        return Landed()
    try:
        collected = collect(slot, quotas=Quotas.of(limits))
    except OSError as error:
        raise VaultError(
            f"nothing was committed: the changes cannot be collected: {error}",
            hint="check the state_dir's and vault's space",
        ) from error
    with collected:
        changes = _without_unused_grants(collected, grants)
        findings = check(changes, grants, forbidden)
        if findings:
            return Landed(refused=findings, conflict=bool(changes.conflicts) and not changes.refusals)
        try:
            return Landed(changes=commit(slot.vault, changes))
        except ChangesRefused as refused:
            return Landed(refused=refused.findings, conflict=True)


def _without_unused_grants(changes: ChangeSet, grants: VaultGrants) -> ChangeSet:
    """Leave out directories that were made because a grant names them, and then were not used."""
    paths = [entry.change.path for entry in changes.entries]
    unused = {
        path
        for path in paths
        if any(grant == path or grant.startswith(path + "/") for grant in grants.write)
        and not any(other.startswith(path + "/") and other not in grants.write for other in paths)
    }
    if not unused:
        return changes
    kept = tuple(
        entry
        for entry in changes.entries
        if not (entry.change.directory and entry.change.kind == "created" and entry.change.path in unused)
    )
    return replace(changes, entries=kept)
