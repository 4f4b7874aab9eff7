"""``orchestrator sessions``: budgets over several runs."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.console import Output
from orchestrator.cli.exits import Exit
from orchestrator.cli.failures import ends
from orchestrator.cli.options import OutputOption, SessionId, every_option, label_option

app = typer.Typer(no_args_is_help=True, help="Open, look at and close sessions: budgets over several runs.")


@app.command("open")
@ends
def sessions_open(  # noqa: PLR0917 - Typer's options are parameters
    wall_seconds: Annotated[
        float | None, typer.Option("--wall-seconds", metavar="N", help="Seconds of wall time, of all runs together.")
    ] = None,
    cpu_seconds: Annotated[
        float | None, typer.Option("--cpu-seconds", metavar="N", help="Seconds of CPU time, of all runs together.")
    ] = None,
    runs: Annotated[int | None, typer.Option("--runs", metavar="N", help="How many runs may begin.")] = None,
    network_requests: Annotated[
        int | None,
        typer.Option(
            "--network-requests",
            metavar="N",
            help="How many attempts to connect (none succeeds); 0: no run begins after the first one.",
        ),
    ] = None,
    label: Annotated[str, label_option("What it is for, for whoever lists sessions.")] = "",
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Open a session: one budget for several runs, each begun with `orchestrator run --session ID`.

    Standard output gets its id (with -o json: the whole session). At least one budget must be given; one that is left
    out bounds nothing, though each run keeps its own limits. It lasts until `sessions close`, or a week without use.
    Needs no engine.
    """
    from orchestrator.cli.sessions import open_session
    from orchestrator.sessions import Budget

    return open_session(Budget(wall_seconds, cpu_seconds, runs, network_requests), label=label, output=output)


@app.command("list")
@ends
def sessions_list(
    every: Annotated[bool, every_option("Also what is closed or has expired.")] = False,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """List the sessions with what they have used of their budgets and what is left, used last first."""
    from orchestrator.cli.sessions import list_sessions

    return list_sessions(every=every, output=output)


@app.command("show")
@ends
def sessions_show(session: SessionId, output: OutputOption = Output.TEXT) -> Exit:
    """Show a session's budgets: what was used of them, is set aside for runs under way, and is left."""
    from orchestrator.cli.sessions import show_session

    return show_session(session, output=output)


@app.command("close")
@ends
def sessions_close(session: SessionId, output: OutputOption = Output.TEXT) -> Exit:
    """Let no further run begin in a session; runs under way go on."""
    from orchestrator.cli.sessions import close_session

    return close_session(session, output=output)
