"""``orchestrator rules``: what each rule means, and what a level makes of it."""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.text import Text

from orchestrator.cli.catalogue import Entry, entries, treatment
from orchestrator.cli.configuration import load_settings
from orchestrator.cli.console import Output, out, plain_table, put_json, safe
from orchestrator.cli.exits import SUCCEEDED, Exit
from orchestrator.cli.validation import find_policy
from orchestrator.policy import Policy


def show_rules(rule: str | None, *, level: str | None, output: Output) -> Exit:
    """``rule``: an id, or the beginning of some. Raises ``PolicyError`` for a level without a usable policy."""
    chosen = [entry for entry in entries().values() if entry.id.startswith((rule or "").upper())]
    if not chosen:
        raise typer.BadParameter(f"there is no rule {str(safe(rule, one_line=True))!r}; `orchestrator rules` lists all")
    policy = None if level is None else find_policy(level, load_settings())
    if output is Output.JSON:
        put_json([_document(entry, policy) for entry in chosen])
    elif len(chosen) == 1:
        _show_one(chosen[0], policy)
    else:
        _show_all(chosen, policy)
    return SUCCEEDED


def _document(entry: Entry, policy: Policy | None) -> dict[str, object]:
    return asdict(entry) | ({} if policy is None else {"level": policy.level, "treatment": treatment(entry, policy)})


def _show_one(entry: Entry, policy: Policy | None) -> None:
    console = out()
    console.print(Text.assemble((entry.id, "bold"), f"  {entry.title}"), soft_wrap=True)
    lines = [("why", entry.why), ("fix", entry.fix), ("mandatory", "yes" if entry.mandatory else "no")]
    if policy is not None:
        lines.append((policy.level, treatment(entry, policy)))
    for name, value in lines:
        console.print(Text.assemble((f"  {name}: ", "dim"), value), soft_wrap=True)


def _show_all(chosen: list[Entry], policy: Policy | None) -> None:
    table = plain_table("rule", "what it finds", *(() if policy is None else (policy.level,)), "what to do")
    for entry in chosen:
        table.add_row(
            Text(entry.id), Text(entry.title), *(() if policy is None else (Text(treatment(entry, policy)),)), entry.fix
        )
    out().print(table)
