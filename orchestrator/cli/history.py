"""``orchestrator history``, ``rollback``, ``snapshot``, ``vault verify``: what runs did to a vault, and undoing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.text import Text

from orchestrator.cli.configuration import load_settings
from orchestrator.cli.console import Output, out, plain_table, put_json, safe
from orchestrator.cli.desk import desk, plain
from orchestrator.cli.exits import SETUP, SUCCEEDED, Exit
from orchestrator.cli.render import as_changes, change_lines, megabytes, moment
from orchestrator.records import Snapshot, StoredChange, StoredSet
from orchestrator.vault.diff import summary
from orchestrator.vault.snapshots import Snapshots


def show_history(path: str | None, *, limit: int, vault: Path | None, output: Output) -> Exit:
    with desk(load_settings(vault=vault)) as at:
        place = None if path is None else at.path(plain(path))
        found = at.history.sets(place, limit=limit)
    if output is Output.JSON:
        put_json([asdict(each) for each in found])
    elif not found:
        out().print("no run has changed it" if place else "no run has changed this vault")
    else:
        table = plain_table("when", "run", "skill", "state", "what")
        for each in found:
            row = (moment(each.created_at), each.run_id, each.skill, each.state, _what(each, place))
            table.add_row(*(safe(cell, one_line=True) for cell in row))
        out().print(table)
    return SUCCEEDED


def _what(stored: StoredSet, path: str | None) -> str:
    undone = f"rolls back {stored.undoes}: " if stored.undoes else ""
    touched = [each for each in stored.changes if path is None or _touches(each, path)]
    if path is not None and len(touched) == 1:
        return undone + summary(as_changes(touched)).removesuffix("\n")
    return f"{undone}{len(touched)} change{'s' * (len(touched) != 1)}"


def _touches(change: StoredChange, path: str) -> bool:
    return path == "." or any(f"{each}/".startswith(f"{path}/") for each in (change.path, change.moved_from) if each)


def roll_back(run_id: str, *, vault: Path | None, output: Output) -> Exit:
    """Raises ``ChangesRefused`` naming what was changed since, and ``VaultError``; nothing is rolled back then."""
    with desk(load_settings(vault=vault)) as at:
        undone = at.history.roll_back(plain(run_id))
    _show_set(undone, Text.assemble(safe(undone.undoes, "bold", one_line=True), " rolled back"), output)
    return SUCCEEDED


def _show_set(stored: StoredSet, title: Text, output: Output) -> None:
    if output is Output.JSON:
        put_json(asdict(stored))
        return
    console = out()
    end = safe(f", as run {stored.run_id}", one_line=True) if stored.changes else ": nothing was to be changed"
    console.print(Text.assemble(title, end), soft_wrap=True)
    for line in change_lines(as_changes(stored.changes)):
        console.print(line, soft_wrap=True)


def create_snapshot(roots: Sequence[str], *, label: str, vault: Path | None, output: Output) -> Exit:
    with desk(load_settings(vault=vault)) as at:
        made = Snapshots(at.history).create([at.path(each) for each in roots], plain(label, 200))
    files = [each for each in made.entries if not each.directory]
    size = sum(each.size for each in files)
    if output is Output.JSON:
        put_json({**_snapshot(made), "files": len(files), "bytes": size})
    else:
        held = f": {len(files)} files, {megabytes(size)}, of {', '.join(made.roots)}"
        out().print(Text.assemble("snapshot ", safe(made.id, "bold", one_line=True), safe(held)), soft_wrap=True)
    return SUCCEEDED


def list_snapshots(*, vault: Path | None, output: Output) -> Exit:
    with desk(load_settings(vault=vault)) as at:
        found = Snapshots(at.history).list()
    if output is Output.JSON:
        put_json([_snapshot(each) for each in found])
    elif not found:
        out().print("there are no snapshots")
    else:
        table = plain_table("id", "when", "directories", "label")
        for each in found:
            row = (each.id, moment(each.created_at), ", ".join(each.roots), each.label)
            table.add_row(*(safe(cell, one_line=True) for cell in row))
        out().print(table)
    return SUCCEEDED


def restore_snapshot(snapshot_id: str, *, vault: Path | None, output: Output) -> Exit:
    """Raises ``ChangesRefused`` where the vault is in the way, and ``VaultError``; nothing is restored then."""
    with desk(load_settings(vault=vault)) as at:
        restored = Snapshots(at.history).restore(plain(snapshot_id))
    title = Text.assemble("snapshot ", safe(plain(snapshot_id), "bold", one_line=True), " restored")
    _show_set(restored, title, output)
    return SUCCEEDED


def _snapshot(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "id": snapshot.id,
        "created_at": snapshot.created_at,
        "roots": list(snapshot.roots),
        "label": snapshot.label,
    }


def verify_vault(*, vault: Path | None, output: Output) -> Exit:
    """Not well: what is kept has gaps, so some of what was done cannot be undone."""
    with desk(load_settings(vault=vault)) as at:
        problems = Snapshots(at.history).verify()
    if output is Output.JSON:
        put_json({"ok": not problems, "problems": list(problems)})
    else:
        console = out()
        for each in problems:
            console.print(safe(each, "red", one_line=True), soft_wrap=True)
        if not problems:
            console.print("everything that is kept is whole")
    return SETUP if problems else SUCCEEDED
