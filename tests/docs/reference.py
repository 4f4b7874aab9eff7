"""Writes the generated pages, ``docs/reference/*.md``, from the code; a test compares them with what is there.

Run as ``python -m tests.docs.reference``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Any, Final

from typer.main import get_command

from orchestrator.cli.app import app
from orchestrator.metrics.catalogue import CATALOGUE, LABELS, RECORDED, Metric
from orchestrator.outputs.rules import RULES as OUTPUT_RULES
from orchestrator.policy.rules import GUARD_KINDS, POLICY_RULES
from orchestrator.registry.rules import RULES as REGISTRY_RULES
from orchestrator.results.assemble import RULE_NO_POLICY
from orchestrator.sessions.rules import RULES as SESSION_RULES
from orchestrator.validation.markers import CHECKS as INPUT_CHECKS
from orchestrator.validation.markers import TERMS as INPUT_TERMS
from orchestrator.validation.rules import RULES as SCANNER_RULES
from orchestrator.vault.rules import RULES as VAULT_RULES
from tests.docs.pages import ROOT

REFERENCE: Final = ROOT / "docs" / "reference"
_GENERATED: Final = "<!-- Generated from the code by `python -m tests.docs.reference`; a test compares. -->"


def cell(text: str) -> str:
    """``text`` as it is meant to be read: on one line, with what Markdown would take for markup escaped."""
    plain = text if "`" in text else text.replace("__", "\\_\\_")
    return " ".join(plain.split()).replace("|", "\\|")


def rows(titles: tuple[str, ...], content: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(titles) + " |"
    yield "|" + "---|" * len(titles)
    for row in content:
        yield "| " + " | ".join(map(cell, row)) + " |"


# --- the command line ----------------------------------------------------------------------------------------------


def commands(command: Any, path: str = "orchestrator") -> Iterator[tuple[str, Any]]:
    """Every command with its full name. ``Any``: which Click it is made with depends on Typer's version."""
    yield path, command
    for part, sub in sorted(getattr(command, "commands", {}).items()):
        yield from commands(sub, f"{path} {part}")


def verbs() -> dict[str, Any]:
    """The commands that do something: name -> command."""
    return {path: command for path, command in commands(get_command(app)) if not getattr(command, "commands", {})}


def options(command: Any) -> list[str]:
    return [each for parameter in command.params for each in parameter.opts if each.startswith("-")]


def _usage(path: str, command: Any) -> str:
    arguments = (
        parameter.metavar or parameter.name.upper()
        for parameter in command.params
        if parameter.param_type_name == "argument"
    )
    return " ".join((path, "[OPTIONS]" if options(command) else "", *arguments)).replace("  ", " ").strip()


def _parameters(command: Any) -> Iterator[tuple[str, str]]:
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            yield f"`{parameter.metavar or parameter.name.upper()}`", parameter.help or ""
        elif "--help" not in parameter.opts:
            spelled = ", ".join(f"`{each}`" for each in parameter.opts)
            value = f" `{parameter.metavar}`" if parameter.metavar else ""
            yield spelled + value, parameter.help or ""


def cli_page() -> str:
    lines = ["# The command line", "", _GENERATED, ""]
    lines += ["Exit codes and what each verb is for: [operations](../operations.md#the-command-line).", ""]
    for path, command in commands(get_command(app)):
        group = bool(getattr(command, "commands", {}))
        lines += [f"## {path}", ""]
        if not group:
            lines += [f"    {_usage(path, command)}", ""]
        lines += [inspect.cleandoc(command.help or ""), ""]
        if found := list(_parameters(command)):
            lines += [*rows(("argument or option", "meaning"), found), ""]
    return "\n".join(lines)


# --- the rules -----------------------------------------------------------------------------------------------------


def rules_page() -> str:
    scanner = (
        (
            f"`{rule.id}`",
            rule.title,
            rule.why,
            rule.fix or "the policy's lists decide",
            "yes" if rule.mandatory else "warns" if rule.severity == "warning" else "",
        )
        for rule in SCANNER_RULES.values()
    )
    rules = {RULE_NO_POLICY: "no usable policy for the level", **POLICY_RULES}
    policy = ((f"`{rule}`", title) for rule, title in rules.items())
    inputs = [(f"`{c.id}`", f"`{c.name}`: the text {c.title}", c.why, c.fix) for c in INPUT_CHECKS.values()]
    terms = ("the policy's own terms", "give what the finding asks for")
    inputs += [(f"`{rule}`", title, *terms) for rule, title in INPUT_TERMS.items()]
    guards = ((f"`{rule}`", title, fix) for rule, title, fix in GUARD_KINDS.values())
    outputs = ((f"`{rule.id}`", rule.title, rule.why, rule.fix) for rule in OUTPUT_RULES.values())
    around = [(f"`{r.id}`", r.title, r.why, r.fix) for each in (REGISTRY_RULES, SESSION_RULES) for r in each.values()]
    vault = ((f"`{rule}`", f"the entry {message}", fix) for rule, (message, fix) in VAULT_RULES.items())
    return "\n".join(
        [
            "# The rules that a denial names", "", _GENERATED, "",
            "Every finding carries its rule, its place, a reason and a fix. These are the rules, to look up.",
            "", "## The scanner (code)", "",
            "`mandatory` rules cannot be loosened by a policy; the others are set in its `[rules]` table. A rule that",
            "is not set there denies; those with `warns` in the last column warn then.", "",
            *rows(("rule", "what it finds", "why", "what to do", "mandatory"), scanner),
            "", "## The policy (what a manifest asks for)", "", *rows(("rule", "what it finds"), policy),
            "", "## The inputs of a run", "",
            "A policy's `[inputs]` says for each check, everywhere and by field: deny, warn or off.", "",
            *rows(("rule", "what it finds", "why", "what to do"), inputs),
            "", "## The guards (while the code runs)", "",
            "In audit mode they note what they would deny, and the result says so under these rules.", "",
            *rows(("rule", "what it finds", "what to do"), guards),
            "", "## The vault (what a run left behind)", "",
            "One refusal refuses the whole change set: nothing is written.", "",
            *rows(("rule", "what it finds", "what to do"), vault),
            "", "## What a run hands out (output, streams, error, notes)", "",
            "The policy's tables `[secrets]` (OUT1xx) and `[content]` (OUT2xx) say what a finding leads to. It names a "
            "kind and a place, never a value.", "",
            *rows(("rule", "what it finds", "why", "what to do"), outputs), "",
            "## The registry (REG) and sessions (SES)", "",
            "They refuse a run that the policy may allow. No policy loosens them.", "",
            *rows(("rule", "what it finds", "why", "what to do"), around), "",
        ]
    )  # fmt: skip


# --- the metrics ---------------------------------------------------------------------------------------------------


def _metric(metric: Metric) -> tuple[str, ...]:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"`{metric.name}`", metric.kind, labels, metric.help


def _edge(edge: float, unit: str) -> str:
    return f"{edge / 2**20:g} MiB" if unit == "bytes" else f"{edge:g}"


def metrics_page() -> str:
    sets = [(f"`{label}`", ", ".join(f"`{value}`" for value in values)) for label, values in LABELS.items()]
    sets += [
        ("`rule`", "a rule that is listed in [the rules](rules.md), else `other`"),
        ("`skill`", "the first names, as many as `metrics_skills` says; then `other`"),
    ]
    edges = {metric.buckets: metric.name.rpartition("_")[2] for metric in CATALOGUE if metric.buckets}
    buckets = [(unit, ", ".join(_edge(edge, unit) for edge in found)) for found, unit in edges.items()]
    titles = ("metric", "kind", "labels", "meaning")
    return "\n".join(
        [
            "# The metrics", "", _GENERATED, "",
            "How to scrape them: [operations](../operations.md#metrics). A histogram `NAME` is scraped as",
            "`NAME_bucket`, `NAME_sum` and `NAME_count`.", "",
            "## What an orchestrator serves", "", *rows(titles, map(_metric, CATALOGUE)), "",
            "| label | values |", "|---|---|", *(f"| {label} | {values} |" for label, values in sets), "",
            "| buckets of | upper edges |", "|---|---|", *(f"| {unit} | {found} |" for unit, found in buckets), "",
            "## What `orchestrator metrics` prints", "", *rows(titles, map(_metric, RECORDED)), "",
        ]
    )  # fmt: skip


PAGES: Final = {"cli.md": cli_page, "metrics.md": metrics_page, "rules.md": rules_page}


def main() -> None:
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
