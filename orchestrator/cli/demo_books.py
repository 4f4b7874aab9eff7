"""The part of ``orchestrator demo`` about what is kept of runs: registry, quarantine, session, dashboard, audit trail.

Each function shows one of them and says what is not as it should be; "" when all is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from orchestrator.cli.audit import show_verdict, verified
from orchestrator.cli.console import safe
from orchestrator.cli.skills import skills_table
from orchestrator.cli.status import refreshed
from orchestrator.core import Orchestrator
from orchestrator.dashboard.region import BEGIN, END
from orchestrator.examples import EXAMPLES
from orchestrator.manifest import load_manifest
from orchestrator.manifest.sources import load_skill
from orchestrator.registry.health import FAILURES_IN_A_ROW
from orchestrator.results.model import RunResult, Status
from orchestrator.settings import Settings
from orchestrator.text import one_line

Run = Callable[..., RunResult]
"""``run(call, *arguments)`` calls ``Orchestrator.run``, or a session's, so that Ctrl-C ends it."""

SESSION_RUNS: Final = 2
_BY: Final = "the demo"
_BROKEN: Final = {
    "manifest_version": 1,
    "name": "always-fails",
    "version": "1.0.0",
    "description": "Has a mistake that every run meets.",
    "code": "def main():\n    return {}['no such key']\n",
}
_COLUMNS: Final = ("skill", "health", "runs", "well", "p50", "peak memory", "tags")
_SHOWN: Final = 60  # lines of the dashboard
_TRIES: Final = 3


def register_examples(orchestrator: Orchestrator) -> None:
    for example in EXAMPLES:
        orchestrator.skills.register(load_skill(example.manifest), tags=("example",), by=_BY)
    orchestrator.skills.register(load_manifest(_BROKEN), tags=("broken",), by=_BY)


def show_quarantine(orchestrator: Orchestrator, run: Run, console: Console) -> str:
    """A skill that fails again and again does not go on for ever."""
    name = str(_BROKEN["name"])
    *failed, refused = _several(run, orchestrator.run, name, FAILURES_IN_A_ROW + 1)
    console.print(Text("\nA skill that fails again and again", style="bold"))
    console.print(safe(_statuses(name, failed), "dim", one_line=True), soft_wrap=True)
    _show_refusal(refused, console)
    return "" if _rules(refused) == {"REG103"} else f"{name} is not in quarantine"


def show_session(orchestrator: Orchestrator, run: Run, console: Console) -> str:
    """Several runs have one budget, and the one after its end is refused."""
    name = EXAMPLES[0].name
    with orchestrator.session(runs=SESSION_RUNS, label=_BY) as session:
        *within, beyond = _several(run, session.run, name, SESSION_RUNS + 1)
    console.print(Text(f"\nA session with a budget of {SESSION_RUNS} runs", style="bold"))
    console.print(safe(_statuses(name, within), "dim", one_line=True), soft_wrap=True)
    _show_refusal(beyond, console)
    good = all(each.ok for each in within) and _rules(beyond) == {"SES101"}
    return "" if good else "the session did not end with its budget"


def show_registry(orchestrator: Orchestrator, console: Console) -> str:
    """The table of ``orchestrator skills list``, in part."""
    found = orchestrator.skills.known()
    console.print(Text("\nThe registry", style="bold"))
    console.print(skills_table(found, _COLUMNS))
    conditions = {each.standing.name: each.standing.health.condition for each in found}
    return "" if conditions.get(str(_BROKEN["name"])) == "quarantined" else "the registry knows of no quarantine"


def show_dashboard(settings: Settings, vault: Path, console: Console) -> str:
    """Written now, as by ``orchestrator dashboard``; what is between its markers."""
    for _ in range(_TRIES):  # the running orchestrator keeps it too, and may be writing just now
        path, written = refreshed(settings)
        if written.state != "conflict":
            break
    console.print(safe(f"\n{path}, between its markers", "bold"))
    lines = _between((vault / path).read_text("utf-8", "replace").splitlines())
    for line in lines[:_SHOWN]:
        console.print(safe(f"  | {one_line(line, 150)}", "dim"), soft_wrap=True)
    if len(lines) > _SHOWN:
        console.print(f"  | ... {len(lines) - _SHOWN} more lines", style="dim")
    return "" if written.state in ("written", "unchanged") and lines else f"the dashboard was not written: {written}"


def show_trail(settings: Settings, console: Console) -> str:
    """The line of ``orchestrator audit verify``."""
    verdict = verified(settings)
    console.print(Text("\nThe audit trail", style="bold"))
    show_verdict(verdict)
    return "" if verdict.ok and verdict.records else "the audit trail is not whole"


def _several(run: Run, call: Callable[..., RunResult], name: str, count: int) -> list[RunResult]:
    """At least one; none after one that was cancelled."""
    results = [run(call, name)]
    while len(results) < count and results[-1].status is not Status.CANCELLED:
        results.append(run(call, name))
    return results


def _statuses(name: str, results: list[RunResult]) -> str:
    reasons = "; ".join(dict.fromkeys(each.reason for each in results if not each.ok))
    return f"{name}: {', '.join(each.status for each in results)}" + (f" ({reasons})" if reasons else "")


def _show_refusal(result: RunResult, console: Console) -> None:
    why = result.violations[0] if result.violations else result.reason
    text = safe(f"then {result.status}: {why}", one_line=True)
    text.stylize("yellow" if result.status is Status.DENIED else "bold red")
    console.print(text, soft_wrap=True)


def _rules(result: RunResult) -> set[str]:
    return {each.rule for each in result.violations} if result.status is Status.DENIED else set()


def _between(lines: list[str]) -> list[str]:
    """Without the empty ones."""
    if BEGIN not in lines or END not in lines:
        return []
    return [line for line in lines[lines.index(BEGIN) + 1 : lines.index(END)] if line]
