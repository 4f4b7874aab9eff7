"""``orchestrator audit``: the trail of what was run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.console import Output
from orchestrator.cli.exits import Exit
from orchestrator.cli.failures import ends
from orchestrator.cli.options import (
    LimitOption,
    OutputOption,
    SinceOption,
    UntilOption,
    out_option,
    principal_option,
    run_id_argument,
    session_option,
)

app = typer.Typer(no_args_is_help=True, help="Read the audit trail, and verify that nobody changed it.")


@app.command("verify")
@ends
def audit_verify(
    anchors: Annotated[
        Path | None,
        typer.Option("--anchors", metavar="FILE", help="More anchors: lines that a command or syslog took elsewhere."),
    ] = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Read the whole trail, and name every edit, deletion, insertion, reordering, truncation and restored copy.

    Ends with 1 if something was found.
    """
    from orchestrator.cli.audit import verify_trail

    return verify_trail(anchors=anchors, output=output)


@app.command("tail")
@ends
def audit_tail(
    lines: Annotated[int, typer.Option("-n", "--lines", metavar="N", min=1, max=100_000, help="So many.")] = 20,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Show the last records, oldest first."""
    from orchestrator.cli.audit import tail_trail

    return tail_trail(lines_wanted=lines, output=output)


@app.command("show")
@ends
def audit_show(
    run_id: Annotated[str, run_id_argument("The run, as `audit tail` shows it.")],
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Show everything about one run: who asked, what was checked and applied, what came of it, and its code."""
    from orchestrator.cli.audit import show_run

    return show_run(run_id, output=output)


@app.command("search")
@ends
def audit_search(  # noqa: PLR0917 - Typer's options are parameters
    skill: Annotated[str, typer.Option("--skill", metavar="NAME", help="This skill: NAME or NAME@VERSION.")] = "",
    state: Annotated[
        str, typer.Option("--state", metavar="STATE", help="A run's status, or interrupted, running, raised.")
    ] = "",
    principal: Annotated[str, principal_option("Who asked.")] = "",
    session: Annotated[str, session_option("Runs of this session.")] = "",
    rule: Annotated[str, typer.Option("--rule", metavar="ID", help="Runs in which this rule found something.")] = "",
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = 100,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Find runs, newest first. Several options: all of them hold."""
    from orchestrator.cli.audit import search_trail

    wanted = {"skill": skill, "state": state, "principal": principal, "session": session, "rule": rule}
    return search_trail(wanted, since=since, until=until, limit=limit, output=output)


@app.command("export")
@ends
def audit_export(
    since: SinceOption = None,
    until: UntilOption = None,
    out: Annotated[Path | None, out_option("Write there (0600, a new file), not to the screen.")] = None,
) -> Exit:
    """Write the records as JSON Lines, with the field names of OCSF 1.3 where they fit."""
    from orchestrator.cli.audit import export_trail

    return export_trail(since=since, until=until, out_file=out)


@app.command("begin")
@ends
def audit_begin(output: OutputOption = Output.TEXT) -> Exit:
    """Begin a new trail after the database was emptied or replaced on purpose; without that a start does it by itself.

    The first record says so, and the former anchors are kept beside the new ones. Where there are records, nothing is
    done.
    """
    from orchestrator.cli.audit import begin_trail

    return begin_trail(output=output)
