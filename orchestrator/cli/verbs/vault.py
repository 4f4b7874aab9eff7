"""What was done to the vault, and what is kept about it.

``snapshot`` and ``vault`` are groups; ``rollback`` and ``history`` verbs of their own, as app.py registers them.
"""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.console import Output
from orchestrator.cli.exits import Exit
from orchestrator.cli.failures import ends
from orchestrator.cli.options import LimitOption, OutputOption, VaultOption, label_option, run_id_argument

snapshot_app = typer.Typer(no_args_is_help=True, help="Keep how directories of the vault look, and restore them.")
vault_app = typer.Typer(no_args_is_help=True, help="Check what is kept about the vault.")


@snapshot_app.command("create")
@ends
def snapshot_create(
    directories: Annotated[
        list[str], typer.Argument(metavar="DIR...", help="Directories as seen from the vault; . is all of it.")
    ],
    label: Annotated[str, label_option("A word to know it by.")] = "",
    vault: VaultOption = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Keep how directories of the vault look, content and all."""
    from orchestrator.cli.history import create_snapshot

    return create_snapshot(directories, label=label, vault=vault, output=output)


@snapshot_app.command("list")
@ends
def snapshot_list(vault: VaultOption = None, output: OutputOption = Output.TEXT) -> Exit:
    """List the snapshots, newest first."""
    from orchestrator.cli.history import list_snapshots

    return list_snapshots(vault=vault, output=output)


@snapshot_app.command("restore")
@ends
def snapshot_restore(
    snapshot: Annotated[str, typer.Argument(metavar="ID", help="The snapshot's id, as `snapshot list` shows it.")],
    vault: VaultOption = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Make the directories of a snapshot what they were: all of it or nothing.

    What was added there since is removed. `orchestrator rollback` undoes it like a run.
    """
    from orchestrator.cli.history import restore_snapshot

    return restore_snapshot(snapshot, vault=vault, output=output)


@vault_app.command("verify")
@ends
def vault_verify(vault: VaultOption = None, output: OutputOption = Output.TEXT) -> Exit:
    """Read everything that is kept for rollbacks, reviews and snapshots, and say what is damaged or missing."""
    from orchestrator.cli.history import verify_vault

    return verify_vault(vault=vault, output=output)


@ends
def rollback(
    run_id: Annotated[str, run_id_argument("The run, as `history` shows it.")],
    vault: VaultOption = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Put back exactly what a run changed in the vault.

    Nothing is rolled back where one of those files was changed since.
    """
    from orchestrator.cli.history import roll_back

    return roll_back(run_id, vault=vault, output=output)


@ends
def history(
    path: Annotated[
        str | None, typer.Argument(metavar="[PATH]", help="Only what touched this note or directory of the vault.")
    ] = None,
    limit: LimitOption = 100,
    vault: VaultOption = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """List the runs that changed the vault, or wanted to, newest first."""
    from orchestrator.cli.history import show_history

    return show_history(path, limit=limit, vault=vault, output=output)
