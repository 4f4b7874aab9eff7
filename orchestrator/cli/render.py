"""How results, findings and problems look. Everything in them may be hostile; see console.py."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from rich.text import Text

from orchestrator.cli.console import json_text, safe
from orchestrator.errors import Problem
from orchestrator.records import StoredChange
from orchestrator.results.model import RunResult, Status
from orchestrator.text import escape_controls, one_line
from orchestrator.validation.finding import Finding
from orchestrator.vault.changes import Change

_SHOWN_CHANGES = 20
_FALLBACK_CHARACTERS = 200
_EXCERPT_WIDTH = 100  # characters of one source line
_MARKS = {"created": "+", "modified": "~", "deleted": "-"}
_DIFF_STYLES = {"+++": "bold", "---": "bold", "@": "cyan", "+": "green", "-": "red"}  # the first that fits


def status_text(status: Status) -> Text:
    style = {Status.SUCCEEDED: "green", Status.HELD: "yellow"}.get(status, "red")
    return Text(status.value, style=style)


def result_value(result: RunResult) -> str:
    """What the skill returned, for standard output: text as text, everything else as JSON."""
    if isinstance(result.output, str):
        return escape_controls(result.output)
    return json_text(result.output)


def result_lines(result: RunResult, source: str) -> Iterator[Text]:
    """The summary of a run: how it ended, what it used, what it changed, and why not."""
    by_policy = result.reason.startswith(f"the {result.level} policy denies it")  # the findings follow
    reason = f"by the policy {result.level}" if by_policy else result.reason
    yield Text.assemble(safe(result.skill, "bold", one_line=True), " ", status_text(result.status), ": ", safe(reason))
    if result.cached:
        yield Text.assemble(("  recorded: ", "bold yellow"), "nothing ran; `--fresh` runs it again")
    elif result.status is not Status.DENIED or result.usage.wall_seconds:
        yield usage_line(result)
    yield from change_lines(result.changes)
    yield from recovery_lines(result)
    if result.error is not None and result.error.traceback:
        yield safe(result.error.traceback.rstrip(), "dim")
    for finding in result.violations:
        yield from finding_lines(finding, source)
    yield from audit_lines(result, source)
    for finding in result.warnings:
        yield from finding_lines(finding, source, warning=True)


def recovery_lines(result: RunResult) -> Iterator[Text]:
    """The attempts before the last one, and what stands in for a run that failed."""
    for reason in result.attempt_reasons:
        yield Text.assemble(("  retried: ", "bold yellow"), safe(reason, one_line=True))
    if result.fallback_of is not None:
        yield Text.assemble(
            ("  degraded: ", "bold yellow"), safe(f"stands in for {result.fallback_of.skill}", one_line=True)
        )
    elif result.degraded:
        value = one_line(json_text(result.fallback_value), _FALLBACK_CHARACTERS)
        yield Text.assemble(("  degraded: ", "bold yellow"), f"the manifest's fallback is {value}")


def audit_lines(result: RunResult, source: str) -> Iterator[Text]:
    """That the policy was only tried, and what it would have denied."""
    if result.enforcement != "audit":
        return
    count = len(result.would_deny)
    what = f"would have denied this run: {count} finding{'s' * (count != 1)}" if count else "would have denied nothing"
    yield Text.assemble(("  audit: ", "bold yellow"), f"the policy was not enforced; it {what}")
    for finding in result.would_deny:
        yield from finding_lines(finding, source, warning=True, word="would deny")


def usage_line(result: RunResult) -> Text:
    usage = result.usage
    cpu = usage.user_cpu_seconds + usage.system_cpu_seconds
    start = "warm" if result.warm else "cold"
    return Text(
        f"  {milliseconds(usage.wall_seconds)} in the sandbox, {milliseconds(result.timings.total)} in all ({start}), "
        f"{milliseconds(cpu)} of CPU, {megabytes(usage.memory_peak_bytes)} peak memory, level {result.level}",
        style="dim",
    )


def dry_run_lines(result: RunResult) -> Iterator[Text]:
    """What a run that was not to change the vault would have changed."""
    yield Text("  dry run: nothing was written to the vault")
    yield from diff_lines(result.diff)


def next_step_lines(result: RunResult, vault: Path | None) -> Iterator[Text]:
    """The verbs for the review item that a run left. ``vault``: the option that they need again."""
    if not result.review:
        return
    where = "" if vault is None else f" --vault {shlex.quote(str(vault))}"
    held = result.status in (Status.HELD, Status.CONFLICT)
    steps = (("diff", "shows the changes"), ("approve", "lets them land")) if held else (("show", "says more"),)
    for verb, what in steps:
        command = safe(f"`orchestrator review {verb} {result.review}{where}`", one_line=True)
        yield Text.assemble(("  next: ", "bold"), command, f" {what}")


def diff_lines(diff: str) -> Iterator[Text]:
    """A unified diff, coloured."""
    for line in diff.removesuffix("\n").split("\n") if diff else ():
        style = next((style for start, style in _DIFF_STYLES.items() if line.startswith(start)), "")
        yield safe(line, style)


def as_changes(stored: Iterable[StoredChange]) -> tuple[Change, ...]:
    return tuple(
        Change(each.kind, each.path, each.size, each.sha256, each.directory, each.moved_from) for each in stored
    )


def change_lines(changes: tuple[Change, ...]) -> Iterator[Text]:
    for change in changes[:_SHOWN_CHANGES]:
        size = "" if change.directory or change.kind == "deleted" else f"  {change.size} bytes"
        slash = "/" if change.directory else ""
        yield Text.assemble(f"  {_MARKS[change.kind]} ", safe(change.path + slash, one_line=True), (size, "dim"))
    if len(changes) > _SHOWN_CHANGES:
        yield Text(f"  and {len(changes) - _SHOWN_CHANGES} more changes")


def problem_lines(problems: Iterable[Problem]) -> Iterator[Text]:
    for problem in problems:
        yield Text.assemble(
            "  ", safe(problem.pointer or "(document)", "bold", one_line=True), ": ", safe(problem.message)
        )
        if problem.expected:
            yield Text.assemble(("    expected: ", "dim"), safe(problem.expected))


def finding_lines(
    finding: Finding, source: str, filename: str = "", *, warning: bool = False, word: str = ""
) -> Iterator[Text]:
    """Place, rule and reason; the line of ``source`` with a caret; the fix. ``warning``: it did not deny; ``word`` says
    it in another word."""
    at = f"{finding.line}:{finding.column}" if finding.line else ""
    place = ":".join(part for part in (filename, at) if part) or finding.subject
    word, style = (word or "warning", "yellow") if warning else ("error", "red")
    yield Text.assemble(
        "  ",
        safe(place, one_line=True),
        ": ",
        (word, style),
        f" {finding.rule}: ",
        safe(finding.message, one_line=True),
    )
    yield from excerpt(source, finding.line, finding.column)
    if finding.fix:
        yield Text.assemble(("    fix: ", "dim"), safe(finding.fix))


def excerpt(source: str, line: int, column: int) -> Iterator[Text]:
    """The source line and, under it, a caret at ``column`` (both count from 1; 0: none). Long lines are cut around it.

    Escapes make a line longer than it is, so the caret is placed by the escaped text before it.
    """
    lines = source.split("\n")
    if not 0 < line <= len(lines):
        return
    text = lines[line - 1].rstrip("\r")
    start = max(0, column - 1 - _EXCERPT_WIDTH // 2) if len(text) > _EXCERPT_WIDTH else 0
    shown = escape_controls(text[start : start + _EXCERPT_WIDTH], keep_newlines=False)
    before = escape_controls(text[start : max(start, column - 1)], keep_newlines=False)
    lead = "…" if start else ""
    yield Text(f"      {lead}{shown}")
    if column > 0:
        width = Text(before).cell_len + len(lead)
        yield Text("      " + " " * width + "^", style="bold")


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"


def megabytes(count: int) -> str:
    return f"{count / 2**20:.1f} MB"


def moment(seconds: float) -> str:
    """Unix ``seconds`` as local time."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float) -> str:
    """Roughly, in the largest unit of which there is one."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"
