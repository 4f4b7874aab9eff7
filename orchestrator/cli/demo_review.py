"""The part of ``orchestrator demo`` about changes that wait: the diff, the approval, the history, the rollback."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from orchestrator.cli.console import safe
from orchestrator.core import Orchestrator
from orchestrator.results.model import RunResult

_SHOWN: Final = 18  # lines of the diff


def show_review(orchestrator: Orchestrator, result: RunResult, vault: Path, console: Console) -> bool:
    """Show, approve and roll back the changes of a run that was held; whether the vault is then as it was before."""
    before = contents(vault)
    console.print(Text("\nHeld for a review", style="bold"))
    console.print(safe(f"{result.skill}: {result.reason} (review {result.review})", one_line=True), soft_wrap=True)
    lines = orchestrator.reviews.diff(result.review).splitlines()
    for line in lines[:_SHOWN]:
        console.print(safe(f"  | {line}", "dim"), soft_wrap=True)
    if len(lines) > _SHOWN:
        console.print(f"  | ... {len(lines) - _SHOWN} more lines", style="dim")
    landed = orchestrator.reviews.approve(result.review, by="the demo")
    console.print(f"approved: {len(landed)} changes are in the vault")
    undone = orchestrator.rollback(result.run_id)
    console.print(f"rolled back: run {result.run_id}, by {undone.run_id}")
    for stored in orchestrator.history("Archive"):
        console.print(safe(f"  {stored.run_id}  {stored.skill}  {stored.state}", "dim", one_line=True))
    same = contents(vault) == before
    console.print("the notes are as they were" if same else "THE NOTES ARE NOT AS THEY WERE")
    return same


def contents(vault: Path) -> dict[str, bytes]:
    """Of the notes in the vault's folders. Beside them is the dashboard, which is kept at the same time."""
    return {str(note.relative_to(vault)): note.read_bytes() for note in vault.glob("[!.]*/**/*") if note.is_file()}
