"""This installation and how it stands.

``image``, ``pool`` and ``alert`` are groups; ``status``, ``dashboard``, ``metrics``, ``doctor`` and ``cleanup`` verbs
of their own, as app.py registers them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.console import Output
from orchestrator.cli.exits import Exit
from orchestrator.cli.failures import ends
from orchestrator.cli.options import OutputOption, VaultOption, dry_run_option, out_option

image_app = typer.Typer(no_args_is_help=True, help="Build and inspect the sandbox image.")
pool_app = typer.Typer(no_args_is_help=True, help="Look at the pool of warm sandboxes.")
alert_app = typer.Typer(no_args_is_help=True, help="Look after what tells the operator.")


@image_app.command("build")
@ends
def image_build(
    force: Annotated[bool, typer.Option("--force", help="Build in any case, with packages fetched afresh.")] = False,
    out: Annotated[Path | None, out_option("Also keep the docker-archive here.")] = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Build the sandbox image if anything changed, load it into the engine and remember its id."""
    from orchestrator.cli.image import build

    return build(force=force, out=out, output=output)


@image_app.command("inspect")
@ends
def image_inspect(output: OutputOption = Output.TEXT) -> Exit:
    """Show the image that runs are pinned to, and check that the engine holds exactly that."""
    from orchestrator.cli.image import inspect

    return inspect(output=output)


@pool_app.command("stats")
@ends
def pool_stats(output: OutputOption = Output.TEXT) -> Exit:
    """Open a pool as a program would, warm it, print its figures and close it.

    A pool lives inside the process that uses it, so this shows what this machine can do, not what another process
    does at the moment: how many sandboxes become warm, how long that took, and what failed.
    """
    from orchestrator.cli.pool import print_stats

    return print_stats(output=output)


@alert_app.command("test")
@ends
def alert_test(vault: VaultOption = None, output: OutputOption = Output.TEXT) -> Exit:
    """Send a test alert through each channel that the settings name, and say what became of it.

    Ends with 6 where there is none, or one did not take it. Needs no engine.
    """
    from orchestrator.cli.alert import test_alerts

    return test_alerts(vault=vault, output=output)


@ends
def status(
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it anew every two seconds, until Ctrl-C. Only on a terminal.")
    ] = False,
    vault: VaultOption = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Show how everything stands: sandboxes, skills, reviews that wait, last runs, and what needs a look.

    Reads the records and asks the engine; no orchestrator need run. What cannot be known is shown as that.
    """
    from orchestrator.cli.status import show_status

    return show_status(watch=watch, vault=vault, output=output)


@ends
def dashboard(vault: VaultOption = None, output: OutputOption = Output.TEXT) -> Exit:
    """Write the dashboard's note in the vault once, now: for cron, and for the first look.

    With the setting `dashboard` a running orchestrator keeps it current. Only what is between its two markers is
    written; a file whose markers somebody broke is left alone, and the command ends with 6.
    """
    from orchestrator.cli.status import write_dashboard

    return write_dashboard(vault=vault, output=output)


@ends
def metrics(
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            help="Ask the endpoint of a running orchestrator, like http://127.0.0.1:9464/metrics.",
        ),
    ] = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Print figures in Prometheus's text format, for example for node_exporter's textfile collector.

    Counters live inside the process that runs skills, so without --url these are states: runs in the audit trail by
    how they ended, change sets and review items in the records, containers on the engine. An orchestrator with the
    setting metrics_port serves everything else itself.
    """
    from orchestrator.cli.metrics import print_metrics

    return print_metrics(url=url, output=output)


@ends
def doctor(vault: VaultOption = None, output: OutputOption = Output.TEXT) -> Exit:
    """Examine engine, kernel, image, policies and vault, and try to break out of a live sandbox of each level.

    Ends with 0 only if nothing that matters failed or stayed unknown.
    """
    from orchestrator.cli.examination import run_doctor

    return run_doctor(vault=vault, output=output)


@ends
def cleanup(
    vault: VaultOption = None,
    dry_run: Annotated[bool, dry_run_option("Say what would be removed; remove nothing.")] = False,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Remove what orchestrators that died have left: containers, and the sandboxes' directories.

    Nothing of a living orchestrator is touched, nor of one with another state directory. Every orchestrator does this
    when it starts; this is for when none will.
    """
    from orchestrator.cli.cleanup import clean_up

    return clean_up(vault=vault, dry_run=dry_run, output=output)
