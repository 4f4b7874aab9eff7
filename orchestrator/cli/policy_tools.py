"""``orchestrator policy test``, ``diff`` and ``learn``: what a team does with its policy before it enforces it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import typer
from rich.text import Text

from orchestrator.audit.evidence import peaks_of, skill_of
from orchestrator.audit.query import Reader
from orchestrator.cli.configuration import load_settings
from orchestrator.cli.console import Output, out, plain_table, put_json, safe, say
from orchestrator.cli.exits import FAILED, SUCCEEDED, Exit
from orchestrator.cli.render import diff_lines, finding_lines
from orchestrator.cli.validation import assumed_host, find_policy, policy_in
from orchestrator.errors import ManifestError
from orchestrator.manifest import SkillManifest, load_manifest
from orchestrator.manifest.sources import load_skill, skills_in
from orchestrator.policy import Policy, default_policy_dir, load_policy
from orchestrator.policy.difference import Difference, difference
from orchestrator.policy.edit import edited, unified
from orchestrator.policy.examples import Outcome, examples_in, try_examples
from orchestrator.policy.learning import Evidence, propose
from orchestrator.policy.load import read_policy_files
from orchestrator.records import Database, Records
from orchestrator.records.database import nothing_kept
from orchestrator.settings import Settings
from orchestrator.validation.scanner import inspect

# --- test ----------------------------------------------------------------------------------------------------------


def test_policy(directory: Path, *, level: str | None, output: Output) -> Exit:
    """Raises ``PolicyError`` for a level without a usable policy. Ends with 1 if an example is judged otherwise than it
    expects."""
    settings = load_settings()
    examples = examples_in(directory)
    if not examples:
        raise typer.BadParameter(f"{safe(directory, one_line=True)} has no skills in allow/ or deny/")
    policies = functools.cache(lambda wanted: find_policy(wanted, settings))
    outcomes = try_examples(examples, policies, assumed_host(settings)[0], level)
    surprises = [outcome for outcome in outcomes if outcome.surprise]
    if output is Output.JSON:
        put_json({"ok": not surprises, "examples": [_document(outcome) for outcome in outcomes]})
    else:
        for outcome in outcomes:
            _show_outcome(outcome)
        out().print(f"{len(outcomes)} examples, {len(surprises)} surprises")
    return FAILED if surprises else SUCCEEDED


def _document(outcome: Outcome) -> dict[str, Any]:
    return {
        "file": str(outcome.example.file),
        "expected": outcome.example.verdict,
        "expected_rules": sorted(outcome.example.rules),
        "level": outcome.level,
        "rules": sorted({finding.rule for finding in outcome.findings}),
        "surprise": outcome.surprise,
    }


def _show_outcome(outcome: Outcome) -> None:
    console, example = out(), outcome.example
    mark = ("SURPRISE", "red") if outcome.surprise else ("ok", "green")
    rules = ", ".join(sorted({finding.rule for finding in outcome.findings}))
    said = outcome.surprise or (f"denied by {rules}" if rules else "allowed")
    line = Text.assemble(
        mark, f"  {example.verdict}  ", safe(example.file, one_line=True), ": ", safe(said, one_line=True)
    )
    console.print(line, soft_wrap=True)
    if outcome.surprise and outcome.findings and example.verdict == "allow":
        for finding in outcome.findings:
            for each in finding_lines(finding, load_skill(example.file).code):
                console.print(each, soft_wrap=True)


# --- diff ----------------------------------------------------------------------------------------------------------

_TITLES: Final = (
    ("looser", "allowed by B, not by A"),
    ("stricter", "allowed by A, not by B"),
    ("other", "different, neither more nor less"),
)


def diff_policies(a: str, b: str, *, output: Output) -> Exit:
    """Raises ``PolicyError``. Ends with 1 where they differ, like diff."""
    settings = load_settings()
    found = difference(_policy_of(a, settings), _policy_of(b, settings))
    if output is Output.JSON:
        groups = {effect: [_told(each) for each in found if each.effect == effect] for effect, _ in _TITLES}
        put_json({"same": not found, "allowed_by_b": groups["looser"], "allowed_by_a": groups["stricter"],
                  "different": groups["other"]})  # fmt: skip
    else:
        _show_differences(found)
    return FAILED if found else SUCCEEDED


def _told(each: Difference) -> dict[str, str]:
    return {name: value for name, value in asdict(each).items() if name != "effect"}


def _policy_of(text: str, settings: Settings) -> Policy:
    """A level in force here, a ``.toml`` file (its profiles beside it, in seccomp/), or DIR:LEVEL."""
    if text.endswith(".toml"):
        return policy_in(Path(text).parent, Path(text).stem)
    directory, colon, level = text.rpartition(":")
    return policy_in(Path(directory), level) if colon else find_policy(text, settings)


def _show_differences(found: Sequence[Difference]) -> None:
    console = out()
    for effect, title in _TITLES:
        group = [each for each in found if each.effect == effect]
        if not group:
            continue
        console.print(Text(f"{title}:", style="bold"))
        table = plain_table("table", "what", "A", "B")
        for each in group:
            table.add_row(*(safe(cell, one_line=True) for cell in (each.table, each.subject, each.a, each.b)))
        console.print(table)
    if not found:
        console.print("the policies say the same")


# --- learn ---------------------------------------------------------------------------------------------------------


def learn_policy(runs: Sequence[str], *, level: str | None, output: Output) -> Exit:
    """Prints a proposal as a unified diff; writes nothing. Raises ``PolicyError`` and ``ManifestError``."""
    settings = load_settings()
    evidence = _evidence(runs, settings)
    levels = {level} if level else {each.skill.security_level for each in evidence}
    if len(levels) != 1:
        raise typer.BadParameter(f"these runs are of several levels ({', '.join(sorted(levels))}); say --level")
    (wanted,) = levels
    files = read_policy_files(settings.policy_dir or default_policy_dir())
    policy = find_policy(wanted, settings)
    before = files.levels[wanted].decode("utf-8")
    proposal = propose(policy, evidence)
    after = edited(before, proposal.tables)
    load_policy(wanted, after.encode(), files.profiles)  # or it would be no proposal
    diff = unified(before, after, f"{wanted}.toml")
    if output is Output.JSON:
        put_json({"level": wanted, "runs": len(evidence), "diff": diff, "notes": list(proposal.notes)})
        return SUCCEEDED
    for note in proposal.notes:
        say(Text.assemble(("note: ", "yellow"), safe(note, one_line=True)))
    for line in diff_lines(diff):
        out().print(line, soft_wrap=True)
    say(
        f"learnt from {len(evidence)} of level {wanted}; "
        + ("nothing was written" if diff else "the policy fits already")
    )
    return SUCCEEDED


def _evidence(runs: Sequence[str], settings: Settings) -> list[Evidence]:
    """Of recorded runs, and of the skills in files and directories."""
    found = []
    held = functools.cache(lambda: _recorded(settings))
    for run in runs:
        if Path(run).exists():
            skills = [load_skill(file) for file in skills_in([Path(run)])]
            found += [Evidence(skill, inspect(skill)) for skill in skills]
        else:
            found.append(_of_run(run, settings, held))
    if not found:
        raise typer.BadParameter("there is no skill in what was given")
    return found


def _of_run(run_id: str, settings: Settings, held: Callable[[], dict[str, SkillManifest]]) -> Evidence:
    """From the audit trail, which has every run; else from what a review keeps."""
    run = None
    if not nothing_kept(settings):
        with Database.of(settings) as database:
            run = Reader(database).show(run_id)
    skill = (None if run is None else skill_of(run)) or held().get(run_id)
    if skill is None:
        shown = safe(run_id, one_line=True)
        raise typer.BadParameter(
            f"no file and no recorded run with its manifest is called {shown}; name manifest files"
        )
    return Evidence(skill, inspect(skill), {} if run is None else peaks_of(run))


def _recorded(settings: Settings) -> dict[str, SkillManifest]:
    """Run id -> the skill as it ran, where a manifest was kept: for runs that were held for a review, or failed."""
    if nothing_kept(settings):
        return {}
    found = {}
    with Database.of(settings) as database:
        for review in Records(database).reviews(None):
            try:
                found[review.run_id] = load_manifest(review.manifest)
            except ManifestError:
                continue  # of an earlier release; whoever names it is told that it is not there
    return found
