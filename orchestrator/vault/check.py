"""Checking a change set against what the skill was granted and what the policy forbids. Pure; no I/O.

Rules, each for every changed path:
VLT204  nothing in our own hidden directory
VLT201  it lies within a write grant (a missing directory that leads to one may be made)
VLT203  a granted directory itself may be made and filled, not removed or replaced
VLT202  no component, and no run of components, matches a forbidden pattern

Patterns are globs over components, like a .gitignore: ``.git``, ``*.desktop``, ``.obsidian/plugins`` match at any depth
and cover all below; a leading "/" ties one to the vault's root; ``**`` stands for any number of components. They
match however a name is spelled: case, Unicode form, invisible characters, trailing dots and spaces, NTFS streams
and 8.3 short names make no difference.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from orchestrator.manifest.model import VaultGrants
from orchestrator.validation.finding import Finding
from orchestrator.vault.changes import Change, ChangeSet
from orchestrator.vault.names import may_be_short_for, protected_key
from orchestrator.vault.root import HIDDEN
from orchestrator.vault.rules import finding
from orchestrator.vault.scope import Scope, parts

_GLOB = frozenset("*?[")


def check(
    changes: ChangeSet | Sequence[Change], grants: VaultGrants, forbidden: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """Why these changes may not be committed; empty when they may. A set's own refusals and conflicts come first."""
    findings: list[Finding] = []
    if isinstance(changes, ChangeSet):
        findings += changes.refusals + changes.conflicts
        changes = changes.changes
    if not changes:
        return tuple(findings)  # the usual case, and then no pattern need be parsed
    scope = Scope(grants)
    patterns = _parsed(tuple(forbidden))
    granted = {parts(grant) for grant in grants.write}
    for change in changes:
        path = tuple(change.path.split("/"))
        rule = _scope_rule(change, path, scope, granted)
        if rule:
            findings.append(finding(rule, change.path))
        folded = tuple(protected_key(part) for part in path)
        findings += [finding("VLT202", change.path, each.text) for each in patterns if each.matches(folded)]
    return tuple(findings)


def _scope_rule(change: Change, path: tuple[str, ...], scope: Scope, granted: set[tuple[str, ...]]) -> str:
    if protected_key(path[0]) == HIDDEN:
        return "VLT204"
    makes_directory = change.kind == "created" and change.directory
    if makes_directory and scope.leads_to_write(path):
        return ""
    if scope.access(path) != "write":
        return "VLT201"
    return "VLT203" if path in granted else ""


@lru_cache(maxsize=8)  # one for each policy
def _parsed(forbidden: tuple[str, ...]) -> tuple[Pattern, ...]:
    return tuple(Pattern.parse(text) for text in forbidden)


@dataclass(frozen=True, slots=True)
class Pattern:
    """One forbidden pattern, ready to match. ``text`` is as the policy spells it."""

    text: str
    anchored: bool
    components: tuple[str, ...]  # folded; "**" stands for itself

    @classmethod
    def parse(cls, text: str) -> Pattern:
        components = [part if part == "**" else _folded_glob(part) for part in text.split("/") if part]
        while components and components[-1] == "**":
            components.pop()  # a directory that matches covers what is below anyway
        return cls(text, text.startswith("/"), tuple(components))

    def matches(self, path: tuple[str, ...]) -> bool:
        """Whether ``path`` (folded components) or a directory above it matches."""
        starts = (0,) if self.anchored else range(len(path))
        return any(_run_matches(self.components, path[start:]) for start in starts)


def _folded_glob(glob: str) -> str:
    """Fold as names are folded; a trailing "." or a ":" would otherwise never match."""
    return protected_key(glob) if not _GLOB & set(glob) else glob.casefold()


def _run_matches(pattern: tuple[str, ...], path: tuple[str, ...]) -> bool:
    """Whether some prefix of ``path`` matches all of ``pattern``. Exponential in the number of ``**`` only."""
    if not pattern:
        return True
    if pattern[0] == "**":
        return any(_run_matches(pattern[1:], path[skip:]) for skip in range(len(path) + 1))
    return bool(path) and _component_matches(pattern[0], path[0]) and _run_matches(pattern[1:], path[1:])


@lru_cache(maxsize=8192)  # the directories of a change set are the same again and again
def _component_matches(glob: str, name: str) -> bool:
    if not _GLOB & set(glob):
        return name == glob or may_be_short_for(name, glob)
    return _compiled(glob).match(name) is not None


@lru_cache(maxsize=1024)
def _compiled(glob: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(glob))
