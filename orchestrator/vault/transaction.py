"""One run's dealings with the vault, from lease to landing: ``begin``, then collect, check, and one of commit, hold for
a person, or nothing. The stages are modules of their own: ``collect``, ``check``, ``holding``, ``commit``, ``history``.
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from orchestrator.errors import VaultError
from orchestrator.manifest.model import ReviewRules, VaultGrants
from orchestrator.records import StoredSet
from orchestrator.sandbox.slot import Slot as AnySlot
from orchestrator.sandbox.spec import Limits
from orchestrator.validation.finding import Finding
from orchestrator.vault.changes import Change, ChangeSet
from orchestrator.vault.check import check
from orchestrator.vault.collect import collect
from orchestrator.vault.commit import commit
from orchestrator.vault.content import Judge, judged
from orchestrator.vault.descriptors import opened
from orchestrator.vault.history import History, RunFacts
from orchestrator.vault.holding import reasons
from orchestrator.vault.moves import with_moves
from orchestrator.vault.restage import root_reach
from orchestrator.vault.root import Vault
from orchestrator.vault.rules import ChangesRefused, finding
from orchestrator.vault.scope import parts
from orchestrator.vault.slots import Slot
from orchestrator.vault.tally import Quotas


class OnRecord(Protocol):
    def hurry(self) -> None:
        """``wait`` will be called soon."""

    def wait(self) -> None:
        """Until what must be on record is on the disk. What it raises goes through: nothing lands then."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a run's changes land. ``review``: rules that may make them wait; ``warnings``: what the policy let
    pass with a warning, which some of them ask about. ``commit`` False: a dry run.
    ``hold_conflicts``: keep a set that met a conflict, for a person to decide. ``history`` None: nothing is remembered
    (and then nothing can be held). ``judge``: looks at what was written, and may change or refuse it. ``on_record``:
    that the run's begin is, for good, before anything lands."""

    grants: VaultGrants
    forbidden: Sequence[str] = ()
    review: Sequence[ReviewRules] = ()
    warnings: Sequence[Finding] = ()
    commit: bool = True
    hold_conflicts: bool = True
    history: History | None = None
    facts: RunFacts = field(default_factory=lambda: RunFacts("", ""))
    judge: Judge | None = None
    on_record: OnRecord | None = None


@dataclass(frozen=True, slots=True)
class Landed:
    """What reached the vault, or why nothing did. ``conflict``: the vault changed meanwhile, not the skill's fault.
    ``reasons``: why the changes wait. ``held``: the set that was kept for a person. ``diff`` is there for what did not
    land."""

    changes: tuple[Change, ...] = ()
    refused: tuple[Finding, ...] = ()
    conflict: bool = False
    reasons: tuple[str, ...] = ()
    held: StoredSet | None = None
    diff: str = ""
    warnings: tuple[Finding, ...] = ()  # of the judge


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


def land(slot: AnySlot, limits: Limits, terms: Terms) -> Landed:
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
        changes = _without_unused_grants(collected, terms.grants)
        if not changes.entries and not changes.refusals and not changes.conflicts:
            return Landed()
        if terms.on_record is not None and terms.commit:
            terms.on_record.hurry()
        with opened(slot.vault.open()) as root:
            reach = root_reach(root)
            changes = with_moves(changes, reach)
            if findings := check(replace(changes, conflicts=()), terms.grants, terms.forbidden):
                return Landed(refused=findings)
            if terms.judge is None:
                return _decide(slot.vault, changes, terms)
            found = judged(changes, terms.judge, reach)
        if found.refused:
            return Landed(refused=found.refused, warnings=found.warnings)
        return replace(_decide(slot.vault, found.changes, terms), warnings=found.warnings)


def _decide(vault: Vault, changes: ChangeSet, terms: Terms) -> Landed:
    if changes.conflicts:
        return _conflict(changes, changes.conflicts, terms)
    if not terms.commit:
        return Landed(changes.changes, diff=_diff(changes, terms))
    waits = reasons(changes, terms.review, terms.grants, vault, terms.warnings)
    return _held(changes, waits, terms) if waits else _commit(vault, changes, terms)


def _commit(vault: Vault, changes: ChangeSet, terms: Terms) -> Landed:
    if terms.on_record is not None:
        terms.on_record.wait()
    try:
        if terms.history is None:
            return Landed(commit(vault, changes))
        return Landed(terms.history.land(changes, terms.facts))
    except ChangesRefused as refused:
        return _conflict(changes, refused.findings, terms)


def _held(changes: ChangeSet, waits: tuple[str, ...], terms: Terms) -> Landed:
    if terms.history is None:
        raise VaultError(f"these changes need a review, and there is nowhere to keep them: {waits[0]}")
    diff = terms.history.diff(changes)
    held = terms.history.hold(changes, terms.facts, "; ".join(waits))
    return Landed(changes.changes, reasons=waits, held=held, diff=diff)


def _conflict(changes: ChangeSet, findings: tuple[Finding, ...], terms: Terms) -> Landed:
    if terms.history is None or not terms.hold_conflicts or not terms.commit or not changes.entries:
        return Landed(refused=findings, conflict=True)
    diff = terms.history.diff(changes)
    held = terms.history.hold(changes, terms.facts, "; ".join(str(each) for each in findings[:5]))
    return Landed(refused=findings, conflict=True, held=held, diff=diff)


def _diff(changes: ChangeSet, terms: Terms) -> str:
    return "" if terms.history is None else terms.history.diff(changes)


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
