"""Writes the generated pages, ``docs/reference/*.md``, from the code; a test compares them with what is there.

Run as ``python -m tests.docs.reference``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Any, Final

from typer.main import get_command

from orchestrator.cli.app import app
from orchestrator.policy.rules import POLICY_RULES
from orchestrator.results.assemble import RULE_NO_POLICY
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
        (f"`{rule.id}`", rule.title, rule.why, rule.fix or "the policy's lists decide", "yes" if rule.mandatory else "")
        for rule in SCANNER_RULES.values()
    )
    rules = {RULE_NO_POLICY: "no usable policy for the level", **POLICY_RULES}
    policy = ((f"`{rule}`", title) for rule, title in rules.items())
    vault = ((f"`{rule}`", f"the entry {message}", fix) for rule, (message, fix) in VAULT_RULES.items())
    return "\n".join(
        [
            "# The rules that a denial names", "", _GENERATED, "",
            "Every finding carries its rule, its place, a reason and a fix. These are the rules, to look up.",
            "", "## The scanner (code)", "",
            "`mandatory` rules cannot be loosened by a policy; the others are set in its `[rules]` table.", "",
            *rows(("rule", "what it finds", "why", "what to do", "mandatory"), scanner),
            "", "## The policy (what a manifest asks for)", "", *rows(("rule", "what it finds"), policy),
            "", "## The vault (what a run left behind)", "",
            "One refusal refuses the whole change set: nothing is written.", "",
            *rows(("rule", "what it finds", "what to do"), vault), "",
        ]
    )  # fmt: skip


PAGES: Final = {"cli.md": cli_page, "rules.md": rules_page}


def main() -> None:
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
