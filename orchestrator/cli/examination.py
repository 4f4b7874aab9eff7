"""``orchestrator doctor``: the examination, told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from orchestrator.cli.configuration import load_settings
from orchestrator.cli.console import Output, Spinner, out, put_json, safe
from orchestrator.cli.exits import SETUP, SUCCEEDED, Exit
from orchestrator.doctor import Outcome, Report, Result, Severity, examine_installation

_SECTIONS: Final = {
    "engine": "Engine", "kernel": "Kernel", "host": "This machine", "state": "State directory", "vault": "Vault",
    "image": "Image", "policy": "Policies", "leftovers": "Leftovers", "probe": "Live probe",
}  # fmt: skip
_WIDTH: Final = 44  # of a title
_MOOT: Final = 3  # so many unknown for one and the same reason are told once


def run_doctor(*, vault: Path | None, output: Output) -> Exit:
    settings = load_settings(vault=vault)
    with Spinner("examining") as spinner:
        report = examine_installation(settings, spinner.step)
    if output is Output.JSON:
        put_json(report.document())
    else:
        show(report, out())
    return SUCCEEDED if report.fit else SETUP


def show(report: Report, console: Console) -> None:
    """Every finding with its evidence; what is many and alike is counted."""
    for section, results in groupby(report.results, key=lambda result: result.id.split(".")[0]):
        console.print(Text(_SECTIONS.get(section, section), style="bold"))
        _show_section(list(results), console)
    console.print(_verdict(report))


def _show_section(results: list[Result], console: Console) -> None:
    refused = Counter(result.id.split(".")[1] for result in results if _is_refusal(result))
    moot = Counter(result.evidence for result in results if result.outcome is Outcome.UNKNOWN)
    moot = Counter({evidence: count for evidence, count in moot.items() if count > _MOOT})
    for result in results:
        if not _is_refusal(result) and not (result.outcome is Outcome.UNKNOWN and result.evidence in moot):
            for line in result_lines(result):
                console.print(line, soft_wrap=True)
    for evidence, count in moot.items():
        console.print(Text.assemble("  ", ("unknown ", "yellow"), f"{count} checks: ", safe(evidence, one_line=True)))
    for level, count in refused.items():
        console.print(
            Text.assemble("  ", ("ok      ", "green"), f"{level}: {count} attempts to break out, all refused")
        )


def _is_refusal(result: Result) -> bool:
    """An attempt of the live probe that was refused: many and alike."""
    part = result.id.split(".")
    return part[0] == "probe" and result.outcome is Outcome.PASS and part[-1] not in ("start", "limits", "gone")


def result_lines(result: Result) -> Iterable[Text]:
    word, style = _word(result)
    title = f"{result.title:<{_WIDTH}}"
    yield Text.assemble("  ", (f"{word:<8}", style), title, " ", safe(result.evidence, "dim", one_line=True))
    if result.fix:
        yield Text.assemble(" " * 10, ("fix: ", "bold"), safe(result.fix, one_line=True))


def _word(result: Result) -> tuple[str, str]:
    if result.outcome is Outcome.PASS:
        return "ok", "green"
    if result.severity is Severity.FATAL:
        return ("FAIL" if result.outcome is Outcome.FAIL else "unknown"), "bold red"
    if result.severity is Severity.INFO:
        return "note", ""
    return ("warn" if result.outcome is Outcome.FAIL else "unknown"), "yellow"


def _verdict(report: Report) -> Text:
    blocking = sum(result.blocks for result in report.results)
    weak = sum(result.outcome is not Outcome.PASS and result.severity is Severity.WARNING for result in report.results)
    warnings = f"{weak} warning{'s' * (weak != 1)}"
    if report.fit:
        return Text.assemble(("Fit to run skills", "bold green"), f"; {warnings}.")
    return Text.assemble(
        ("Not fit to run skills", "bold red"), f": {blocking} checks failed or stayed unknown; {warnings}."
    )
