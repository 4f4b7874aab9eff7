"""``orchestrator db``: the database of records."""

from __future__ import annotations

import typer

from orchestrator.cli.console import Output
from orchestrator.cli.exits import Exit
from orchestrator.cli.failures import ends
from orchestrator.cli.options import OutputOption, VaultOption

app = typer.Typer(no_args_is_help=True, help="Look after the database of records.")


@app.command("status")
@ends
def db_status(output: OutputOption = Output.TEXT) -> Exit:
    """Show which database holds the records, its version, its size, and how many rows each table has."""
    from orchestrator.cli.database import show_status

    return show_status(output=output)


@app.command("upgrade")
@ends
def db_upgrade(output: OutputOption = Output.TEXT) -> Exit:
    """Bring the database to this release's version; in an empty one, make the tables.

    A start does this itself with SQLite, after it made a copy beside the file. PostgreSQL is only upgraded by this
    verb: make a backup before.
    """
    from orchestrator.cli.database import upgrade_database

    return upgrade_database(output=output)


@app.command("prune")
@ends
def db_prune(vault: VaultOption = None, output: OutputOption = Output.TEXT) -> Exit:
    """Forget what is older than the setting keep_days, then the oldest until keep_mb of content are kept.

    What is held or waits for a person stays. A start does this once a day.
    """
    from orchestrator.cli.database import prune_database

    return prune_database(vault=vault, output=output)


@app.command("vacuum")
@ends
def db_vacuum(output: OutputOption = Output.TEXT) -> Exit:
    """Give the space of what was forgotten back: with SQLite to the file system, with PostgreSQL to its tables."""
    from orchestrator.cli.database import vacuum_database

    return vacuum_database(output=output)
