"""``orchestrator validate``: manifest, code and policy held against each other, without an engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from rich.text import Text

from orchestrator.cli.configuration import load_settings
from orchestrator.cli.console import Output, out, put_json, safe
from orchestrator.cli.exits import DENIED, MISTAKE, SUCCEEDED, Exit
from orchestrator.cli.render import finding_lines, problem_lines
from orchestrator.errors import ImageError, ManifestError, PolicyError, Problem
from orchestrator.image.state import recall
from orchestrator.manifest import SkillManifest, load_manifest
from orchestrator.manifest.code import MAX_CODE_BYTES, decode_code
from orchestrator.manifest.files import Unreadable, read_file
from orchestrator.policy import Decision, Host, Policy, default_policy_dir, load_policy
from orchestrator.policy.load import read_policy_files
from orchestrator.settings import Settings
from orchestrator.validation.finding import Finding
from orchestrator.validation.scanner import inspect

_NO_IMAGE: Final = "sha256:" + "0" * 64
_NOBODY: Final = 65532
_DEPENDENCY_RULES: Final = frozenset({"POL404", "POL405"})  # what the image holds


@dataclass(frozen=True, slots=True)
class Validation:
    """``problems`` are the manifest's; with any there is no decision. ``notes`` say what could not be judged here."""

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
            "valid": self.exit is SUCCEEDED,
            "skill": f"{self.skill.name}@{self.skill.version}" if self.skill else None,
            "level": decision.level if decision else None,
            "policy_digest": decision.policy_digest if decision else None,
            "problems": [asdict(problem) for problem in self.problems],
            "violations": [asdict(finding) for finding in decision.violations] if decision else [],
            "warnings": [asdict(finding) for finding in decision.warnings] if decision else [],
            "notes": list(self.notes),
        }


def validate_file(file: Path, *, level: str | None, output: Output) -> Exit:
    """Raises ``PolicyError`` where the level has no usable policy."""
    found = judge(file, level, load_settings())
    if output is Output.JSON:
        put_json(found.document())
    else:
        show(found, file)
    return found.exit


def judge(file: Path, level: str | None, settings: Settings) -> Validation:
    try:
        skill = load_code(file) if file.suffix == ".py" else load_manifest(file)
    except ManifestError as error:
        return Validation(problems=error.problems)
    skill = replace(skill, security_level=level or skill.security_level)
    policy = find_policy(skill.security_level, settings)
    host, notes = _assumed_host(settings)
    decision = policy.evaluate(skill, inspect(skill), host)
    if notes:
        decision = _without(_DEPENDENCY_RULES, decision)
    return Validation(skill, decision, notes=notes if skill.dependencies else ())


def load_code(file: Path) -> SkillManifest:
    """Python code alone, as a skill that asks for nothing: its code is judged by the same rules."""
    try:
        text, fault = decode_code(read_file(file, MAX_CODE_BYTES))
    except Unreadable as error:
        raise ManifestError("code", (Problem("", f"the file {error.reason}", error.expected),)) from None
    if fault:
        raise ManifestError("code", (Problem("", f"the file {fault}", "Python source in UTF-8"),))
    return load_manifest({"manifest_version": 1, "name": "code", "version": "0.0.0", "code": text, "entrypoint": None})


def find_policy(level: str, settings: Settings) -> Policy:
    files = read_policy_files(settings.policy_dir or default_policy_dir())
    if level not in files.levels:
        known = ", ".join(sorted(files.levels)) or "none"
        raise PolicyError(f"there is no policy for level {level!r}", hint=f"levels with a policy: {known}")
    return load_policy(level, files.levels[level], files.profiles)


def _assumed_host(settings: Settings) -> tuple[Host, tuple[str, ...]]:
    """An installation with everything a skill may ask for, but for the packages, which the built image decides."""
    try:
        image = recall(settings.state_dir)
    except ImageError:
        image = None
    packages: Mapping[str, str] = {} if image is None else image.packages
    notes = ("dependencies were not checked: no sandbox image was built yet",) if image is None else ()
    host = Host(
        image_id=_NO_IMAGE if image is None else image.image_id,
        packages=packages,
        uid=_NOBODY,
        gid=_NOBODY,
        views=("overlay", "copy"),
        landlock=True,
    )
    return host, notes


def _without(rules: frozenset[str], decision: Decision) -> Decision:
    left = tuple(finding for finding in decision.violations if finding.rule not in rules)
    return replace(decision, violations=left, allowed=not left)


def show(found: Validation, file: Path) -> None:
    console = out()
    for line in problem_lines(found.problems):
        console.print(line, soft_wrap=True)
    if found.skill is not None and found.decision is not None:
        for finding in (*found.decision.violations, *found.decision.warnings):
            for line in finding_lines(finding, found.skill.code, _shown_name(finding, found.skill, file)):
                console.print(line, soft_wrap=True)
    for note in found.notes:
        console.print(Text.assemble(("  note: ", "yellow"), note), soft_wrap=True)
    console.print(_verdict(found, file), soft_wrap=True)


def _shown_name(finding: Finding, skill: SkillManifest, file: Path) -> str:
    """The file that a finding of the code points into; nothing for what the manifest asks for."""
    return (file.name if file.suffix == ".py" else skill.filename) if finding.line else ""


def _verdict(found: Validation, file: Path) -> Text:
    name = safe(file, one_line=True)
    if found.decision is None:
        count = len(found.problems)
        return Text.assemble(name, ": ", ("not a valid manifest", "red"), f", {count} problem{'s' * (count != 1)}")
    decision = found.decision
    if not decision.allowed:
        count = len(decision.violations)
        return Text.assemble(
            name,
            ": ",
            ("denied", "red"),
            " by the policy ",
            safe(decision.level),
            f", {count} violation{'s' * (count != 1)}",
        )
    return Text.assemble(name, ": ", ("allowed", "green"), " by the policy ", safe(decision.level))
