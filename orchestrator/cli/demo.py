"""``orchestrator demo``: the example skills over a vault of real text, and what became of each.

The text is what the installed Python distributions say of themselves. Vault, records and audit trail are in a temporary
directory: of the user's state only the image is used, and nobody whom the settings name is told of anything.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.cli.cleanup import leftovers
from orchestrator.cli.configuration import load_settings
from orchestrator.cli.console import Spinner, out, safe
from orchestrator.cli.demo_books import (
    register_examples,
    show_dashboard,
    show_quarantine,
    show_registry,
    show_session,
    show_trail,
)
from orchestrator.cli.demo_review import show_review
from orchestrator.cli.exits import FAILED, SUCCEEDED, Exit
from orchestrator.cli.pool import show_stats
from orchestrator.cli.render import megabytes, milliseconds
from orchestrator.cli.run import closing_at_once, exit_of, interruptible
from orchestrator.core import Orchestrator
from orchestrator.examples import EXAMPLES, Example
from orchestrator.image.state import recall, remember
from orchestrator.interruption import Interruption, in_thread
from orchestrator.pool import PoolStats
from orchestrator.results.model import RunResult, Status
from orchestrator.sandbox.discovery import engine_url
from orchestrator.sandbox.docker_engine import DockerEngine
from orchestrator.sandbox.ownership import Instance, state_id
from orchestrator.settings import Settings
from orchestrator.text import one_line

ORDINARY_USER: Final = 1000  # who owns the vault when root runs this: sandboxes never run as root
NOTE_BYTES: Final = 256 * 1024
_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")
_SHOWN: Final = 12  # lines of the written note


@dataclass(frozen=True, slots=True)
class Shown:
    """One example and how it ended."""

    example: Example
    result: RunResult

    @property
    def as_expected(self) -> bool:
        return self.result.status is self.example.expected


def run_demo() -> Exit:
    """Ends well only if every skill ended as it should and nothing is left. Raises what opening one raises."""
    console = out()
    with interruptible() as cancel, tempfile.TemporaryDirectory(prefix="orchestrator-demo-") as directory:
        vault = Path(directory, "notes")
        count = make_vault(vault)
        settings = demo_settings(vault, Path(directory, "state"))
        size = sum(file.stat().st_size for file in vault.rglob("*.md"))
        console.print(
            f"A vault of {count} notes ({megabytes(size)}): what the installed Python packages say of themselves.\n"
        )
        faults = _run_all(settings, vault, console, cancel)
        if cancel.is_set():
            console.print("Cancelled.")
            return exit_of(Status.CANCELLED, cancel)
        _show_vault(vault, console)
        faults += filter(None, [show_trail(settings, console)])
        if left := _left_behind(settings):
            faults.append(f"left behind: {', '.join(left)}")
    console.print(_verdict(faults))
    return FAILED if faults else SUCCEEDED


def demo_settings(vault: Path, state: Path) -> Settings:
    """The user's settings, with records of their own: names that are registered for ever, skills in quarantine and
    alerts about them would outlive the demo. Raises ``SettingsError``, ``ImageError`` or ``EngineUnavailable``."""
    users = load_settings()
    built = recall(users.state_dir)
    state_id(state)  # made now: who looks for containers of this state can read its name
    if built is not None:
        remember(state, built)
    own = {
        "vault": vault,
        "state_dir": state,
        "docker_host": engine_url(users),
        "database": SecretStr(""),
        "review_notes": False,
        "dashboard": True,
        "dashboard_path": "Dashboard.md",
        "audit_anchor_file": None,
        "audit_anchor_command": (),
        "audit_anchor_syslog": False,
        "alert_webhook": SecretStr(""),
        "alert_command": (),
        "alert_note": "",
        "alert_apprise": (),
        "metrics_port": None,
    }
    return users.model_copy(update=own)


# --- the vault -------------------------------------------------------------------------------------------------------


def make_vault(vault: Path) -> int:
    """Write ``Inbox/NAME.md`` for every installed distribution, with YAML front matter; how many there are."""
    inbox = vault / "Inbox"
    inbox.mkdir(parents=True)
    notes = {_NAME.sub("-", each.metadata["Name"] or "unnamed"): note(each) for each in distributions()}
    for name, text in notes.items():
        (inbox / f"{name}.md").write_bytes(text.encode("utf-8", "replace")[:NOTE_BYTES])
    if os.geteuid() == 0:
        for entry in (vault, *vault.rglob("*")):
            os.chown(entry, ORDINARY_USER, ORDINARY_USER)
    return len(notes)


def note(distribution: Distribution) -> str:
    """One distribution as a note. JSON strings and lists are YAML as well."""
    metadata = distribution.metadata
    keywords = metadata["Keywords"] or ""
    head = {
        "name": metadata["Name"] or "unnamed",
        "version": distribution.version,
        "license": (metadata["License-Expression"] or metadata["License"] or "not stated").strip().split("\n")[0][:80],
        "tags": [word for word in re.split(r"[,\s]+", keywords) if word][:20],
    }
    lines = "\n".join(f"{key}: {json.dumps(value)}" for key, value in head.items())
    body = metadata.get_payload() if hasattr(metadata, "get_payload") else ""
    text = metadata["Description"] or body or metadata["Summary"] or ""
    return f"---\n{lines}\n---\n# {head['name']}\n\n{text}\n"


# --- the runs --------------------------------------------------------------------------------------------------------


def _run_all(settings: Settings, vault: Path, console: Console, cancel: Interruption) -> list[str]:
    """What is not as it should be. Without a meaning once somebody cancelled."""
    with Spinner("starting sandboxes") as spinner, closing_at_once(Orchestrator(settings)) as orchestrator:
        began = time.monotonic()
        orchestrator.prime()
        primed = time.monotonic() - began
        register_examples(orchestrator)

        def run(call: Callable[..., RunResult], name: str) -> RunResult:
            return in_thread(partial(call, name, principal="the demo", cancel=cancel), hurry=hurry)

        hurry, shown = partial(orchestrator.close, 0), []
        for example in EXAMPLES:
            spinner.step(f"running {example.name}")
            shown.append(Shown(example, run(orchestrator.run, example.name)))
            if cancel.is_set():
                return []
        spinner.stop()
        console.print(table_of(shown))
        console.print()
        for each in shown:
            console.print(_story(each), soft_wrap=True)
        faults = [f"{each.example.name} did not end as expected" for each in shown if not each.as_expected]
        waits = [each.result for each in shown if each.result.status is Status.HELD]
        undone = [show_review(orchestrator, result, vault, console) for result in waits]
        faults += ["the rollback did not restore the vault"] * (not all(undone))
        for show in (show_quarantine, show_session):
            faults.append(show(orchestrator, run, console))
            if cancel.is_set():
                return []
        faults.append(show_registry(orchestrator, console))
        _show_pool(orchestrator.stats(), primed, console)
        faults.append(show_dashboard(settings, vault, console))
    return [fault for fault in faults if fault]


def _show_pool(stats: PoolStats, primed: float, console: Console) -> None:
    """``primed``: seconds until it was warm."""
    console.print(Text("\nThe pool", style="bold"))
    show_stats(
        stats, f"warm after {primed:.2f} s; leases: {stats.leases_warm_total} warm, {stats.leases_cold_total} cold"
    )


def table_of(shown: list[Shown]) -> Table:
    """The figures: fits 80 columns."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("skill", "status", "wall", "memory", "CPU", "start", "changes"):
        table.add_column(name, justify="left" if name in ("skill", "status", "start") else "right", no_wrap=True)
    for each in shown:
        table.add_row(*_cells(each))
    return table


def _cells(each: Shown) -> Iterator[Text]:
    result, usage = each.result, each.result.usage
    started = usage.wall_seconds > 0
    yield safe(each.example.name)
    yield Text(result.status.value, style="green" if each.as_expected else "bold red")
    yield Text(milliseconds(result.timings.total))
    yield Text(megabytes(usage.memory_peak_bytes) if started else "-")
    yield Text(milliseconds(usage.user_cpu_seconds + usage.system_cpu_seconds) if started else "-")
    yield Text(("warm" if result.warm else "cold") if started else "none")
    yield Text(str(len(result.changes)))


def _story(each: Shown) -> Text:
    """What the skill gave back, or why it did not end well; on one line."""
    result = each.result
    if result.ok or result.status is Status.HELD:
        what = "returned " + json.dumps(result.output, ensure_ascii=False)
    else:
        what = str(result.violations[0]) if result.violations else result.reason
    if not each.as_expected:
        what = f"expected {each.example.expected}: {what}"
    return Text.assemble((f"{each.example.name:<18}", "bold"), " ", safe(one_line(what, 400), "dim"))


# --- afterwards ------------------------------------------------------------------------------------------------------


def _show_vault(vault: Path, console: Console) -> None:
    """What skills left in the vault: everything in folders other than the Inbox."""
    console.print(Text("\nWritten to the vault", style="bold"))
    written = sorted(file for file in vault.glob("[!.]*/**/*") if file.is_file() and file.parent.name != "Inbox")
    for file in written:
        lines = file.read_text("utf-8", "replace").splitlines()
        console.print(safe(f"{file.relative_to(vault)}, {file.stat().st_size} bytes:", one_line=True))
        for line in lines[:_SHOWN]:
            console.print(safe(f"  | {one_line(line, 110)}", "dim"), soft_wrap=True)
        if len(lines) > _SHOWN:
            console.print(f"  | ... {len(lines) - _SHOWN} more lines", style="dim")
    if not written:
        console.print("  nothing")


def _left_behind(settings: Settings) -> list[str]:
    """Containers and directories that outlived their orchestrator, ours included: there should be none."""
    with closing(DockerEngine(engine_url(settings))) as engine, closing(_Claim(settings)) as claim:
        found = leftovers(engine, claim.instance, settings)
    return [*found.containers, *found.directories]


class _Claim:
    """An instance that is released by ``close``."""

    def __init__(self, settings: Settings) -> None:
        self.instance = Instance(settings.state_dir)

    def close(self) -> None:
        self.instance.release()


def _verdict(faults: list[str]) -> Text:
    if faults:
        return Text.assemble("\n", ("Not as it should be: ", "bold red"), safe("; ".join(faults), one_line=True))
    return Text(f"\nAll {len(EXAMPLES)} skills ended as they should. Containers left: 0.", style="green")
