"""A team's own examples of what its policy must allow and deny, held against the policy.

    DIR/allow/...   every skill here must be allowed
    DIR/deny/...    every skill here must be denied

Skills are manifests (.json, .toml) and Python code alone (.py), in directories as deep as one likes. Comment lines at
the top of a .py or .toml file, or the manifest's ``metadata`` (keys of the same names), may say more::

    # expect: ORC101, ORC201     the denial names these rules, among others
    # level: strict              judge it by this level's policy, not by the manifest's (code alone: standard)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from orchestrator.errors import ManifestError
from orchestrator.manifest.model import SkillManifest
from orchestrator.manifest.sources import load_skill, skills_in
from orchestrator.policy.decision import Decision, Host
from orchestrator.policy.policy import Policy
from orchestrator.validation.finding import Finding
from orchestrator.validation.scanner import inspect

Verdict = Literal["allow", "deny"]
VERDICTS: Final[tuple[Verdict, ...]] = ("allow", "deny")
_SAYS: Final = re.compile(r"#\s*(expect|level)\s*:\s*([A-Za-z0-9_, -]{1,500})\s*\Z")


@dataclass(frozen=True, slots=True)
class Example:
    """``rules`` must be among those that deny it; ``level`` "" is the skill's own."""

    file: Path
    verdict: Verdict
    rules: frozenset[str] = frozenset()
    level: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """``surprise`` says how the policy differs from what the example expects; "" when it does not."""

    example: Example
    level: str
    findings: tuple[Finding, ...]
    surprise: str


def examples_in(directory: Path) -> tuple[Example, ...]:
    """Those of ``directory``, sorted by file. Empty where it has neither ``allow`` nor ``deny``. ``ManifestError`` when
    there are too many files."""
    found = []
    for verdict in VERDICTS:
        home = directory / verdict
        files = skills_in([home]) if home.is_dir() else ()
        found += [Example(file, verdict, *_said(_top_comments(file))) for file in files]
    return tuple(found)


def try_examples(
    examples: Iterable[Example], policies: Callable[[str], Policy], host: Host, level: str | None = None
) -> tuple[Outcome, ...]:
    """Each held against its level's policy, enforced even where the policy is only tried. ``level`` replaces every
    other. Raises what ``policies`` raises for a level that has none."""
    return tuple(_try(example, policies, host, level) for example in examples)


def _try(example: Example, policies: Callable[[str], Policy], host: Host, level: str | None) -> Outcome:
    try:
        skill = load_skill(example.file)
    except ManifestError as error:
        return Outcome(example, "", (), f"it cannot be loaded: {error}")
    rules, wanted = _said(_metadata(skill))
    example = replace(example, rules=example.rules | rules, level=example.level or wanted)
    skill = replace(skill, security_level=level or example.level or skill.security_level)
    decision = policies(skill.security_level).evaluate(skill, inspect(skill), host, "enforce")
    return Outcome(example, skill.security_level, decision.violations, _surprise(example, decision))


def _surprise(example: Example, decision: Decision) -> str:
    rules = {finding.rule for finding in decision.violations}
    if example.verdict == "allow":
        return f"it is denied: {', '.join(sorted(rules))}" if rules else ""
    if not rules:
        return "it is allowed"
    missing = example.rules - rules
    return f"it is denied, but not by {', '.join(sorted(missing))}" if missing else ""


def _said(lines: Mapping[str, str]) -> tuple[frozenset[str], str]:
    return frozenset(lines.get("expect", "").replace(",", " ").split()), lines.get("level", "").strip()


def _top_comments(file: Path) -> dict[str, str]:
    if file.suffix == ".json":
        return {}
    said: dict[str, str] = {}
    try:
        with file.open("rb") as opened:
            head = opened.read(4096).decode("utf-8", "replace")
    except OSError:
        return {}  # loading it says so
    for line in head.splitlines():
        if not line.startswith("#"):
            break
        match = _SAYS.match(line)
        if match:
            said[match[1]] = match[2]
    return said


def _metadata(skill: SkillManifest) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in ("expect", "level"):
        value: Any = skill.metadata.get(key, "")
        found[key] = value if isinstance(value, str) else " ".join(str(each) for each in value)
    return found
