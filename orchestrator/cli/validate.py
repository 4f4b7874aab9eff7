"""``orchestrator validate``: everything that is wrong with skills, as text, JSON or SARIF."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.text import Text

from orchestrator.cli.configuration import load_settings
from orchestrator.cli.console import Enforcement, Report, out, put_json, safe
from orchestrator.cli.exits import DENIED, MISTAKE, SUCCEEDED, Exit
from orchestrator.cli.render import finding_lines, problem_lines
from orchestrator.cli.sarif import sarif_log
from orchestrator.cli.validation import Validation, assumed_host, find_policy, judge
from orchestrator.manifest import SkillManifest
from orchestrator.manifest.sources import skills_in
from orchestrator.validation.finding import Finding


def validate_files(
    files: Sequence[Path], *, level: str | None, enforcement: Enforcement | None, report: Report
) -> Exit:
    """Raises ``PolicyError`` where a level has no usable policy. Ends with the gravest of what the files end with: a
    manifest that is not valid, then a denial."""
    settings = load_settings()
    policies = functools.cache(lambda wanted: find_policy(wanted, settings))
    host, mode = assumed_host(settings), None if enforcement is None else enforcement.mode
    found = [judge(file, level, policies, host, mode) for file in skills_in(files)]
    if not found:
        raise typer.BadParameter("there is no skill in what was given")
    end = next((worst for worst in (MISTAKE, DENIED) if any(each.exit is worst for each in found)), SUCCEEDED)
    if report is Report.SARIF:
        put_json(sarif_log(found, exit_code=end.code, root=Path.cwd()))
    elif report is Report.TEXT:
        for each in found:
            show(each)
    elif len(files) == len(found) == 1 and not files[0].is_dir():
        put_json(found[0].document())
    else:
        put_json({"valid": end is SUCCEEDED, "files": [each.document() for each in found]})
    return end


def show(found: Validation) -> None:
    console = out()
    for line in problem_lines(found.problems):
        console.print(line, soft_wrap=True)
    skill, decision = found.skill, found.decision
    if skill is not None and decision is not None:
        for findings, word in (
            (decision.violations, ""),
            (decision.would_deny, "would deny"),
            (decision.warnings, "warning"),
        ):
            for finding in findings:
                name = _shown_name(finding, skill)
                for line in finding_lines(finding, skill.code, name, warning=bool(word), word=word):
                    console.print(line, soft_wrap=True)
    for note in found.notes:
        console.print(Text.assemble(("  note: ", "yellow"), note), soft_wrap=True)
    console.print(_verdict(found), soft_wrap=True)


def _shown_name(finding: Finding, skill: SkillManifest) -> str:
    """The file that a finding of the code points into; nothing for what the manifest asks for."""
    return skill.filename if finding.line else ""


def _verdict(found: Validation) -> Text:
    name, decision = safe(found.file, one_line=True), found.decision
    if decision is None:
        return Text.assemble(
            name, ": ", ("not a valid manifest", "red"), f", {_counted(len(found.problems), 'problem')}"
        )
    by = Text.assemble(" by the policy ", safe(decision.level))
    if not decision.allowed:
        return Text.assemble(name, ": ", ("denied", "red"), by, f", {_counted(len(decision.violations), 'violation')}")
    if decision.enforcement == "audit":
        tried = f", which is only tried (audit): it would deny {_counted(len(decision.would_deny), 'finding')}"
        return Text.assemble(name, ": ", ("let through", "yellow"), by, tried)
    return Text.assemble(name, ": ", ("allowed", "green"), by)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
