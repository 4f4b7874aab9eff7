"""Manifest, code and policy held against each other, for one file at a time, without an engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from orchestrator.cli.exits import DENIED, MISTAKE, SUCCEEDED, Exit
from orchestrator.errors import ImageError, ManifestError, PolicyError, Problem
from orchestrator.image.state import recall
from orchestrator.manifest import SkillManifest
from orchestrator.manifest.sources import load_skill
from orchestrator.policy import Decision, Host, Policy, default_policy_dir, load_policy
from orchestrator.policy.decision import RECIPE_PYTHON
from orchestrator.policy.given import with_inputs
from orchestrator.policy.load import read_policy_files
from orchestrator.policy.model import EnforcementMode
from orchestrator.schemas import thaw
from orchestrator.settings import Settings
from orchestrator.validation.scanner import inspect

_NO_IMAGE: Final = "sha256:" + "0" * 64
_NOBODY: Final = 65532


@dataclass(frozen=True, slots=True)
class Validation:
    """``problems`` are the manifest's; with any there is no decision. ``notes`` say what could not be judged here."""

    file: Path
    skill: SkillManifest | None = None
    decision: Decision | None = None
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def exit(self) -> Exit:
        if self.decision is None:
            return MISTAKE
        return SUCCEEDED if self.decision.allowed else DENIED

    def document(self) -> dict[str, Any]:
        decision = self.decision
        return {
            "file": str(self.file),
            "valid": self.exit is SUCCEEDED,
            "skill": f"{self.skill.name}@{self.skill.version}" if self.skill else None,
            "level": decision.level if decision else None,
            "policy_digest": decision.policy_digest if decision else None,
            "enforcement": decision.enforcement if decision else None,
            "problems": [asdict(problem) for problem in self.problems],
            "violations": [asdict(finding) for finding in decision.violations] if decision else [],
            "would_deny": [asdict(finding) for finding in decision.would_deny] if decision else [],
            "warnings": [asdict(finding) for finding in decision.warnings] if decision else [],
            "notes": list(self.notes),
        }


def judge(
    file: Path,
    level: str | None,
    policies: Callable[[str], Policy],
    host: tuple[Host, tuple[str, ...]],
    enforcement: EnforcementMode | None = None,
) -> Validation:
    """``host`` with what is not known about it: ``assumed_host``. Raises ``PolicyError`` where ``policies`` does."""
    try:
        skill = load_skill(file)
    except ManifestError as error:
        return Validation(file, problems=error.problems)
    skill = replace(skill, security_level=level or skill.security_level)
    decision = policies(skill.security_level).evaluate(skill, inspect(skill), host[0], enforcement)
    decision = with_inputs(decision, thaw(skill.inputs))  # the defaults; a run's own are judged when it starts
    return Validation(file, skill, decision, notes=host[1] if skill.dependencies else ())


def find_policy(level: str, settings: Settings) -> Policy:
    """The policy of ``level`` as its file says now. Raises ``PolicyError``."""
    return policy_in(settings.policy_dir or default_policy_dir(), level)


def policy_in(directory: Path, level: str) -> Policy:
    """The policy of ``level`` in a directory of policies. Raises ``PolicyError``."""
    files = read_policy_files(directory)
    if level not in files.levels:
        known = ", ".join(sorted(files.levels)) or "none"
        raise PolicyError(f"there is no policy for level {level!r}", hint=f"levels with a policy: {known}")
    return load_policy(level, files.levels[level], files.profiles)


def assumed_host(settings: Settings) -> tuple[Host, tuple[str, ...]]:
    """An installation with everything a skill may ask for, but for the packages, which the built image decides; and
    what of it is not known."""
    try:
        image = recall(settings.state_dir)
    except ImageError:
        image = None
    notes = ("dependencies were not checked: no sandbox image was built yet",) if image is None else ()
    host = Host(
        image_id=_NO_IMAGE if image is None else image.image_id,
        packages=None if image is None else image.packages,
        uid=_NOBODY,
        gid=_NOBODY,
        views=("overlay", "copy"),
        landlock=True,
        python=RECIPE_PYTHON if image is None else image.python,
    )
    return host, notes
