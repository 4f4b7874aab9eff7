"""Audit mode: which violations are reported and let through, and which are denied in either mode.

A policy is tried before it is enforced: what its *lists* judge - code, directories to grant, dependencies - is reported
as what would be denied, and the skill runs all the same. Still denied is what is the boundary or cannot work: code that
could not be examined, limits over their ceilings, forbidden paths, packages the image does not hold, an unfit
installation. A rule that this module does not know is denied. Only a policy file or the program that calls ``run`` says
"audit"; a manifest cannot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from orchestrator.policy.model import CodeRules, EnforcementMode
from orchestrator.policy.requests import Dependencies, judge_dependencies
from orchestrator.policy.rules import GUARD_KINDS, guard_finding
from orchestrator.text import one_line
from orchestrator.validation.finding import Finding
from orchestrator.validation.rules import RULES

# POL301, POL302: a directory outside the policy's roots. POL403: a dependency that the image holds, not allowed.
AUDITED: Final = frozenset({"POL301", "POL302", "POL403"})


def is_audited(finding: Finding) -> bool:
    """Whether audit mode lets this violation through."""
    rule = RULES.get(finding.rule)
    return finding.rule in AUDITED if rule is None else not rule.mandatory


def split(violations: Iterable[Finding], mode: EnforcementMode) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """(what denies in this mode, what would deny if the policy were enforced)."""
    found = tuple(violations)
    if mode != "audit":
        return found, ()
    return tuple(f for f in found if not is_audited(f)), tuple(f for f in found if is_audited(f))


def dependencies_in(
    mode: EnforcementMode, texts: Iterable[str], code: CodeRules, packages: Mapping[str, str] | None
) -> Dependencies:
    """The judgement of dependencies. In audit mode one that is not allowed is held against the image as well, and its
    modules count as dependencies: the skill is going to run with it."""
    wanted = tuple(texts)
    judged = judge_dependencies(wanted, code.dependencies_allowed, packages)
    if mode != "audit":
        return judged
    as_allowed = judge_dependencies(wanted, frozenset({"*"}), packages)
    not_allowed = tuple(finding for finding in judged.violations if finding.rule in AUDITED)
    return Dependencies((*not_allowed, *as_allowed.violations), as_allowed.modules)


def noted_by_guards(notes: Iterable[str], known: Iterable[Finding]) -> tuple[Finding, ...]:
    """What the executor noted (untrusted text, ``kind name``), as findings; without what ``known`` says already."""
    said = {finding.subject for finding in known}
    found = []
    for note in notes:
        kind, _, name = note.partition(" ")
        if kind in GUARD_KINDS and not any(subject == name or subject.startswith(name + ".") for subject in said):
            found.append(guard_finding(kind, one_line(name, 200)))
    return tuple(found)
