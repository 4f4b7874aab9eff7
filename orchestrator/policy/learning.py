"""The least policy for recorded runs: what they used of a level, and no more. Pure; edit.py writes it into a file.

It is a proposal for a person to read. Allow lists become what was used, deny lists lose what was used and keep the
rest, limits become what was asked for, rounded up, and the vault's roots become the grants. Never proposed: anything of
``[container]``, a forbidden path, a mandatory rule, a module that ``[imports] deny`` names. What a run needs of those
is in the notes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from orchestrator.manifest.model import SkillManifest
from orchestrator.policy.code import mode_of
from orchestrator.policy.model import CodeRules
from orchestrator.policy.paths import forbidden_by, is_within, path_problem
from orchestrator.policy.policy import Policy
from orchestrator.policy.requests import DISTRIBUTION_MODULES
from orchestrator.sandbox.spec import Limits
from orchestrator.validation.names import STDLIB_MODULES, STDLIB_SUBMODULES, prefixes
from orchestrator.validation.rules import RULES
from orchestrator.validation.scanner import Inspection

# Limits are rounded up to a multiple of these, so that a proposal does not change with every run.
STEPS: Final = MappingProxyType(
    {
        "memory_mb": 16, "cpu_seconds": 5, "wall_seconds": 5, "pids": 8, "output_kb": 64, "file_mb": 1, "write_mb": 8,
        "files": 100,
    }
)  # fmt: skip
_MODULES: Final = frozenset({"ORC101", "ORC401"})


@dataclass(frozen=True, slots=True)
class Evidence:
    """One recorded run. ``peaks`` are what it used of its limits, as far as that is known: limit -> figure in the
    limit's unit. ``modules`` at run time that the scan cannot see may be named in ``imported``."""

    skill: SkillManifest
    inspection: Inspection
    peaks: Mapping[str, float] = field(default_factory=dict)
    imported: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """The values that the level's file would hold: table -> key -> value. Only keys that the runs say something about.
    ``notes`` are what a person has to know or do."""

    tables: Mapping[str, Mapping[str, tuple[str, ...] | float | str]]
    notes: tuple[str, ...]


def propose(policy: Policy, runs: Sequence[Evidence]) -> Proposal:
    """``runs`` must not be empty; the skills' own levels play no part."""
    if not runs:
        raise ValueError("there is nothing to learn from")
    code, notes = policy.parts.code, list[str]()
    facts = _facts(runs)
    tables: dict[str, Mapping[str, tuple[str, ...] | float | str]] = {
        "imports": {
            "allow": _modules(facts, runs, code, notes),
            "dependencies_allowed": tuple(sorted(_dependencies(runs))),
        },
        "builtins": {"deny": tuple(sorted(code.builtins_deny - facts.get("ORC201", set())))},
        "calls": {"deny": _calls(facts, code)},
        "attributes": {"allow": tuple(sorted(facts.get("ORC301", set())))},
        "rules": dict(_rules(facts, code, notes)),
        "limits": dict(_limits(policy, runs, notes)),
        "vault": {
            "read": _roots((path for run in runs for path in run.skill.vault.read), policy, notes),
            "write": _roots((path for run in runs for path in run.skill.vault.write), policy, notes),
        },
    }
    return Proposal(MappingProxyType(tables), tuple(dict.fromkeys(notes)))


def _facts(runs: Iterable[Evidence]) -> dict[str, set[str]]:
    """Rule -> subjects, over all runs."""
    found: dict[str, set[str]] = {}
    for run in runs:
        for finding in run.inspection.findings:
            found.setdefault(finding.rule, set()).add(finding.subject)
        found.setdefault("ORC101", set()).update(run.imported)
    return found


# --- code ----------------------------------------------------------------------------------------------------------


def _modules(
    facts: Mapping[str, set[str]], runs: Iterable[Evidence], code: CodeRules, notes: list[str]
) -> tuple[str, ...]:
    """Modules that are used. Of one that the policy does not allow as a whole, only the names that are used."""
    own = {module for run in runs for module in _dependency_modules(run.skill)}
    used = {name for rule in _MODULES for name in facts.get(rule, ())}
    chosen: set[str] = set()
    for name in sorted(facts.get("ORC101", ())):
        if any(prefix in own for prefix in prefixes(name)):
            continue  # its distribution is listed
        if code.imports_deny.cover(name):
            notes.append(f"{name} is used and [imports] deny names it: it stays denied until a person takes it off")
        elif code.imports_allow.cover(name):
            module = next((prefix for prefix in prefixes(name) if _is_module(prefix)), name)
            chosen.add(module if code.imports_allow.cover(module) else name)
        else:
            chosen |= _parts(name, used, code) or {name}
    return tuple(sorted(chosen))


def _is_module(name: str) -> bool:
    return name in STDLIB_MODULES or name in STDLIB_SUBMODULES


def _parts(module: str, used: set[str], code: CodeRules) -> set[str]:
    parts = {name for name in used if name.startswith(module + ".")}
    return {name for name in parts if not code.imports_deny.cover(name) and name not in STDLIB_SUBMODULES}


def _dependency_modules(skill: SkillManifest) -> Iterator[str]:
    for name in _distributions(skill):
        yield from DISTRIBUTION_MODULES.get(name, (name.replace("-", "_"),))


def _distributions(skill: SkillManifest) -> Iterator[str]:
    for text in skill.dependencies:
        try:
            yield canonicalize_name(Requirement(text).name)
        except InvalidRequirement:
            continue


def _dependencies(runs: Iterable[Evidence]) -> set[str]:
    return {name for run in runs for name in _distributions(run.skill)}


def _calls(facts: Mapping[str, set[str]], code: CodeRules) -> tuple[str, ...]:
    """The deny list without the entries that what is used falls under."""
    used = {prefix for rule in _MODULES for name in facts.get(rule, ()) for prefix in prefixes(name)}
    return tuple(sorted(code.calls_deny.names - used))


def _rules(facts: Mapping[str, set[str]], code: CodeRules, notes: list[str]) -> Iterator[tuple[str, str]]:
    for rule_id, rule in RULES.items():
        if rule_id not in facts or rule.is_fact:
            continue
        if rule.mandatory:
            notes.append(f"{rule_id} ({rule.title}) was found: no policy can allow it")
        elif mode_of(rule_id, code) == "deny":
            yield rule_id, "warn"


# --- limits and vault ----------------------------------------------------------------------------------------------


def _limits(policy: Policy, runs: Sequence[Evidence], notes: list[str]) -> Iterator[tuple[str, float]]:
    for limit in fields(Limits):
        name = limit.name
        asked = max(getattr(run.skill.limits, name) for run in runs)
        ceiling = getattr(policy.parts.ceilings, name)
        step = STEPS.get(name, 1)
        rounded = math.ceil(asked / step) * step
        value = ceiling if asked <= ceiling < rounded else rounded
        if name == "file_mb" and value > policy.parts.container.file_mb:
            notes.append(f"limits.file_mb: {asked:g} is asked for, the container has {policy.parts.container.file_mb}")
            value = ceiling
        peaks = [run.peaks[name] for run in runs if name in run.peaks]
        if peaks and len(peaks) == len(runs) and max(peaks) * 2 < asked:
            notes.append(
                f"limits.{name}: {asked:g} is asked for, at most {max(peaks):g} was used; manifests could ask less"
            )
        yield name, value


def _roots(paths: Iterable[str], policy: Policy, notes: list[str]) -> tuple[str, ...]:
    """The outermost of ``paths`` that a policy may grant."""
    chosen: list[str] = []
    for path in sorted(set(paths), key=lambda path: (path != ".", path.count("/"), path)):
        pattern = forbidden_by(path, policy.parts.vault.forbidden)
        if path_problem(path) or pattern:
            notes.append(f"the directory {path!r} is not granted: it is forbidden ({pattern or 'no plain path'})")
        elif not is_within(path, chosen):
            chosen.append(path)
    return tuple(sorted(chosen))
