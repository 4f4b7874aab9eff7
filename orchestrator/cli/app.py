"""The command line as a whole: which verbs there are, in the order of `orchestrator --help`, and what all share."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from orchestrator.cli.console import put
from orchestrator.cli.exits import epilog
from orchestrator.cli.failures import show_tracebacks
from orchestrator.cli.verbs import audit, db, installation, policy, review, runs, sessions, skills, vault

app = typer.Typer(
    name="orchestrator",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    epilog=epilog(),
    help="Runs code nobody trusts: every skill in a throwaway container, over a vault of notes.\n\n"
    "The result goes to standard output, everything else to standard error. Settings come from "
    "ORCHESTRATOR_... variables; options go before them.",
)
app.add_typer(policy.app, name="policy")
app.add_typer(installation.pool_app, name="pool")
app.add_typer(installation.image_app, name="image")
app.add_typer(review.app, name="review")
app.add_typer(vault.snapshot_app, name="snapshot")
app.add_typer(vault.vault_app, name="vault")
app.add_typer(installation.alert_app, name="alert")
app.add_typer(skills.app, name="skills")
app.add_typer(sessions.app, name="sessions")
app.add_typer(audit.app, name="audit")
app.add_typer(db.app, name="db")
app.command()(runs.run)
app.command()(runs.validate)
app.command()(runs.rules)
app.command()(runs.schema)
app.command()(installation.metrics)
app.command()(vault.rollback)
app.command()(vault.history)
app.command()(installation.status)
app.command()(installation.dashboard)
app.command()(installation.doctor)
app.command()(installation.cleanup)
app.command()(runs.demo)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - only here

        put(f"orchestrator {version('skill-orchestrator')}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show Python tracebacks of errors; with run, also the skill's own.")
    ] = False,
    _show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    show_tracebacks.set(debug)


def run_app() -> None:
    """The command line, ended by its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 is no reason to fail
    app()
