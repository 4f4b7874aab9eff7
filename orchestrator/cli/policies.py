"""``orchestrator policy`` and ``orchestrator schema``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.text import Text

from orchestrator.cli.configuration import load_settings
from orchestrator.cli.console import Output, out, plain_table, put_json, safe
from orchestrator.cli.exits import SETUP, SUCCEEDED, Exit
from orchestrator.cli.render import problem_lines
from orchestrator.cli.validation import find_policy
from orchestrator.manifest import manifest_schema
from orchestrator.policy import CheckReport, Policy, PolicyStore, check, default_policy_dir, policy_schema
from orchestrator.policy.load import read_policy_files


def print_schema(*, policy: bool) -> Exit:
    put_json(policy_schema() if policy else manifest_schema())
    return SUCCEEDED


def check_policies(*, dry_run: bool, output: Output) -> Exit:
    """Raises ``PolicyError`` when a valid set cannot be recorded as accepted."""
    settings = load_settings()
    directory = settings.policy_dir or default_policy_dir()
    report = check(directory)
    accepted = report.ok and not dry_run
    if accepted:
        report = PolicyStore(directory, settings.state_dir).accept()
    if output is Output.JSON:
        put_json(_report_document(report, str(directory), accepted=accepted))
    else:
        _show_report(report, str(directory), accepted=accepted)
    return SUCCEEDED if report.ok else SETUP


def _report_document(report: CheckReport, directory: str, *, accepted: bool) -> dict[str, Any]:
    return {
        "ok": report.ok,
        "accepted": accepted,
        "directory": directory,
        "digest": report.digest,
        "levels": list(report.levels),
        "problems": {name: [asdict(problem) for problem in found] for name, found in report.problems.items()},
    }


def _show_report(report: CheckReport, directory: str, *, accepted: bool) -> None:
    console = out()
    for name, problems in sorted(report.problems.items()):
        console.print(safe(name, "bold", one_line=True))
        for line in problem_lines(problems):
            console.print(line, soft_wrap=True)
    if report.ok:
        end = "in force for new runs" if accepted else "nothing was changed (--dry-run)"
        levels = ", ".join(report.levels)
        console.print(Text.assemble(safe(directory), ": ", ("valid", "green"), f" ({levels}); {end}"), soft_wrap=True)
    else:
        console.print(
            Text.assemble(safe(directory), ": ", ("not valid", "red"), "; the last accepted policies stay in force"),
            soft_wrap=True,
        )


def show_policies(level: str | None, *, output: Output) -> Exit:
    """One level in full, or all in short. Raises ``PolicyError`` for a level without a usable policy."""
    settings = load_settings()
    known = sorted(read_policy_files(settings.policy_dir or default_policy_dir()).levels)
    policies = [find_policy(each, settings) for each in ([level] if level else known)]
    if output is Output.JSON:
        documents = [document(policy) for policy in policies]
        put_json(documents[0] if level else documents)
    elif level:
        _show_one(policies[0])
    else:
        _show_all(policies)
    return SUCCEEDED


def document(policy: Policy) -> dict[str, Any]:
    """Everything the policy says, as plain values with the names of its file's tables; sets sorted."""
    parts = policy.parts
    code = parts.code
    container = asdict(parts.container)
    container["seccomp"] = f"{len(parts.container.seccomp)} characters"  # the profile is a file of its own
    return {
        "level": policy.level,
        "digest": policy.digest,
        "description": parts.description,
        "second_stage": parts.second_stage,
        "container": container,
        "limits": asdict(parts.ceilings),
        "imports": {
            "allow": sorted(code.imports_allow.names),
            "deny": sorted(code.imports_deny.names),
            "dependencies_allowed": sorted(code.dependencies_allowed),
        },
        "builtins": {"deny": sorted(code.builtins_deny)},
        "calls": {"deny": sorted(code.calls_deny.names)},
        "attributes": {"allow": sorted(code.attributes_allow)},
        "rules": dict(code.rules),
        "guards": asdict(parts.guards),
        "vault": asdict(parts.vault),
        "pool": asdict(parts.pool),
    }


def _show_one(policy: Policy) -> None:
    table = plain_table("setting", "value")
    for name, value in _flat(document(policy)):
        table.add_row(safe(name), safe(value))
    out().print(table)


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list | tuple):
        yield prefix, ", ".join(map(str, value)) or "none"
    else:
        yield prefix, str(value)


_COLUMNS = ("level", "memory MB", "CPU s", "wall s", "output KB", "modules", "Landlock", "warm")


def _show_all(policies: list[Policy]) -> None:
    table = plain_table(*_COLUMNS, right=(*_COLUMNS[1:6], "warm"))
    for policy in policies:
        parts, most = policy.parts, policy.parts.ceilings
        row = (
            policy.level, most.memory_mb, f"{most.cpu_seconds:g}", f"{most.wall_seconds:g}", most.output_kb,
            len(parts.code.imports_allow.names), parts.container.landlock, parts.pool.warm_target,
        )  # fmt: skip
        table.add_row(*(safe(cell, one_line=True) for cell in row))
    console = out()
    console.print(table)
    for policy in policies:
        console.print(Text.assemble(safe(policy.level, "bold"), ": ", safe(policy.parts.description)), soft_wrap=True)
