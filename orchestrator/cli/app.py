"""The verbs: their names, options and help. Each hands on to the module that does the work, imported only then."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.console import Output, put
from orchestrator.cli.exits import Exit, epilog
from orchestrator.cli.failures import ends, show_tracebacks

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
policy_app = typer.Typer(no_args_is_help=True, help="Check and show the security levels' policies.")
pool_app = typer.Typer(no_args_is_help=True, help="Look at the pool of warm sandboxes.")
image_app = typer.Typer(no_args_is_help=True, help="Build and inspect the sandbox image.")
review_app = typer.Typer(no_args_is_help=True, help="Look at what waits for a person, and decide it.")
snapshot_app = typer.Typer(no_args_is_help=True, help="Keep how directories of the vault look, and restore them.")
vault_app = typer.Typer(no_args_is_help=True, help="Check what is kept about the vault.")
app.add_typer(policy_app, name="policy")
app.add_typer(pool_app, name="pool")
app.add_typer(image_app, name="image")
app.add_typer(review_app, name="review")
app.add_typer(snapshot_app, name="snapshot")
app.add_typer(vault_app, name="vault")

OutputOption = Annotated[
    Output, typer.Option("-o", "--output", help="text, or json: exactly one JSON document on standard output.")
]
LevelOption = Annotated[
    str | None, typer.Option("--level", metavar="LEVEL", help="Use this security level, not the manifest's.")
]
VaultOption = Annotated[
    Path | None, typer.Option("--vault", metavar="DIR", help="Directory of notes the skill works on.")
]
ReviewId = Annotated[str, typer.Argument(metavar="ID", help="The item's id, as `review list` shows it.")]
ByOption = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who decides; is recorded. Default: the login name.")
]
Manifest = Annotated[Path, typer.Argument(metavar="MANIFEST", help="The skill's manifest, a JSON file.")]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - only here

        put(f"orchestrator {version('skill-orchestrator')}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show Python tracebacks of errors.")] = False,
    _show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    show_tracebacks.set(debug)


@app.command()
@ends
def run(  # noqa: PLR0917 - Typer's options are parameters
    manifest: Manifest,
    inputs: Annotated[
        str | None,
        typer.Option(
            "--inputs", metavar="JSON|@FILE", help="The inputs: a JSON object, or @ and a file (@-: standard input)."
        ),
    ] = None,
    vault: VaultOption = None,
    level: LevelOption = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", help="Replaces the manifest's wall_seconds.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing to the vault; show what would be changed.")
    ] = False,
    retry_conflicts: Annotated[
        bool,
        typer.Option("--retry-conflicts", help="Where somebody changed the same notes meanwhile, run it again."),
    ] = False,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Run a skill once, in a sandbox of its own.

    Standard output gets what the skill returned (with -o json: the whole result). What the skill printed goes to
    standard error, each line behind a bar. Ctrl-C cancels the run and still shows how it ended; again, it hurries.
    """
    from orchestrator.cli.run import run_skill  # noqa: PLC0415

    return run_skill(
        manifest,
        inputs=inputs,
        vault=vault,
        level=level,
        timeout=timeout,
        dry_run=dry_run,
        retry_conflicts=retry_conflicts,
        output=output,
    )


@app.command()
@ends
def validate(
    file: Annotated[Path, typer.Argument(metavar="MANIFEST|CODE.py", help="A manifest, or Python code alone.")],
    level: LevelOption = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Say everything that is wrong with a manifest and its code, without running anything.

    Needs no engine. What only the installation can tell (Landlock, the vault's view) is `orchestrator doctor`'s part.
    """
    from orchestrator.cli.validate import validate_file  # noqa: PLC0415

    return validate_file(file, level=level, output=output)


@app.command()
@ends
def schema(
    policy: Annotated[bool, typer.Option("--policy", help="The schema of policy files instead.")] = False,
) -> Exit:
    """Print the JSON Schema of skill manifests."""
    from orchestrator.cli.policies import print_schema  # noqa: PLC0415

    return print_schema(policy=policy)


@policy_app.command("check")
@ends
def policy_check(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check; accept nothing.")] = False,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Check the policy files. If all are valid, accept them: they come into force for new runs everywhere."""
    from orchestrator.cli.policies import check_policies  # noqa: PLC0415

    return check_policies(dry_run=dry_run, output=output)


@policy_app.command("show")
@ends
def policy_show(
    level: Annotated[
        str | None, typer.Argument(metavar="[LEVEL]", help="One level; without it: all, in short.")
    ] = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Show what a security level allows."""
    from orchestrator.cli.policies import show_policies  # noqa: PLC0415

    return show_policies(level, output=output)


@pool_app.command("stats")
@ends
def pool_stats(output: OutputOption = Output.TEXT) -> Exit:
    """Open a pool as a program would, warm it, print its figures and close it.

    A pool lives inside the process that uses it, so this shows what this machine can do, not what another process
    does at the moment: how many sandboxes become warm, how long that took, and what failed.
    """
    from orchestrator.cli.pool import print_stats  # noqa: PLC0415

    return print_stats(output=output)


@image_app.command("build")
@ends
def image_build(
    force: Annotated[bool, typer.Option("--force", help="Build in any case, with packages fetched afresh.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Also keep the docker-archive here.")
    ] = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Build the sandbox image if anything changed, load it into the engine and remember its id."""
    from orchestrator.cli.image import build  # noqa: PLC0415

    return build(force=force, out=out, output=output)


@image_app.command("inspect")
@ends
def image_inspect(output: OutputOption = Output.TEXT) -> Exit:
    """Show the image that runs are pinned to, and check that the engine holds exactly that."""
    from orchestrator.cli.image import inspect  # noqa: PLC0415

    return inspect(output=output)


@review_app.command("list")
@ends
def review_list(
    every: Annotated[bool, typer.Option("--all", help="Also what was decided or has expired.")] = False,
    vault: VaultOption = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """List what waits for a person, oldest first: changes that were held, and runs that failed."""
    from orchestrator.cli.review import list_reviews  # noqa: PLC0415

    return list_reviews(every=every, vault=vault, output=output)


@review_app.command("show")
@ends
def review_show(review: ReviewId, vault: VaultOption = None, output: OutputOption = Output.TEXT) -> Exit:
    """Show everything about one item, and what the policy says to it now."""
    from orchestrator.cli.review import show_review  # noqa: PLC0415

    return show_review(review, vault=vault, output=output)


@review_app.command("diff")
@ends
def review_diff(review: ReviewId, vault: VaultOption = None, output: OutputOption = Output.TEXT) -> Exit:
    """Show the changes of an item as a unified diff against the vault as it is now."""
    from orchestrator.cli.review import diff_review  # noqa: PLC0415

    return diff_review(review, vault=vault, output=output)


@review_app.command("approve")
@ends
def review_approve(
    review: ReviewId, by: ByOption = None, vault: VaultOption = None, output: OutputOption = Output.TEXT
) -> Exit:
    """Let the changes of an item land in the vault: all of them, or none.

    Everything is checked again: the policy, what the skill was granted, and that the vault still holds what the
    changes were compared with.
    """
    from orchestrator.cli.review import approve_review  # noqa: PLC0415

    return approve_review(review, by=by, vault=vault, output=output)


@review_app.command("reject")
@ends
def review_reject(
    review: ReviewId,
    by: ByOption = None,
    comment: Annotated[str, typer.Option("--comment", metavar="TEXT", help="Why; is recorded.")] = "",
    vault: VaultOption = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Throw the changes of an item away."""
    from orchestrator.cli.review import reject_review  # noqa: PLC0415

    return reject_review(review, by=by, comment=comment, vault=vault, output=output)


@app.command()
@ends
def rollback(
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="The run, as `history` shows it.")],
    vault: VaultOption = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Put back exactly what a run changed in the vault.

    Nothing is rolled back where one of those files was changed since.
    """
    from orchestrator.cli.history import roll_back  # noqa: PLC0415

    return roll_back(run_id, vault=vault, output=output)


@app.command()
@ends
def history(
    path: Annotated[
        str | None, typer.Argument(metavar="[PATH]", help="Only what touched this note or directory of the vault.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=100_000, help="At most so many.")] = 100,
    vault: VaultOption = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """List the runs that changed the vault, or wanted to, newest first."""
    from orchestrator.cli.history import show_history  # noqa: PLC0415

    return show_history(path, limit=limit, vault=vault, output=output)


@snapshot_app.command("create")
@ends
def snapshot_create(
    directories: Annotated[
        list[str], typer.Argument(metavar="DIR...", help="Directories as seen from the vault; . is all of it.")
    ],
    label: Annotated[str, typer.Option("--label", metavar="TEXT", help="A word to know it by.")] = "",
    vault: VaultOption = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Keep how directories of the vault look, content and all."""
    from orchestrator.cli.history import create_snapshot  # noqa: PLC0415

    return create_snapshot(directories, label=label, vault=vault, output=output)


@snapshot_app.command("list")
@ends
def snapshot_list(vault: VaultOption = None, output: OutputOption = Output.TEXT) -> Exit:
    """List the snapshots, newest first."""
    from orchestrator.cli.history import list_snapshots  # noqa: PLC0415

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
    from orchestrator.cli.history import restore_snapshot  # noqa: PLC0415

    return restore_snapshot(snapshot, vault=vault, output=output)


@vault_app.command("verify")
@ends
def vault_verify(vault: VaultOption = None, output: OutputOption = Output.TEXT) -> Exit:
    """Read everything that is kept for rollbacks, reviews and snapshots, and say what is damaged or missing."""
    from orchestrator.cli.history import verify_vault  # noqa: PLC0415

    return verify_vault(vault=vault, output=output)


@app.command()
@ends
def doctor(vault: VaultOption = None, output: OutputOption = Output.TEXT) -> Exit:
    """Examine engine, kernel, image, policies and vault, and try to break out of a live sandbox of each level.

    Ends with 0 only if nothing that matters failed or stayed unknown.
    """
    from orchestrator.cli.examination import run_doctor  # noqa: PLC0415

    return run_doctor(vault=vault, output=output)


@app.command()
@ends
def cleanup(
    vault: VaultOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed; remove nothing.")] = False,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Remove what orchestrators that died have left: containers, and the sandboxes' directories.

    Nothing of a living orchestrator is touched, nor of one with another state directory. Every orchestrator does this
    when it starts; this is for when none will.
    """
    from orchestrator.cli.cleanup import clean_up  # noqa: PLC0415

    return clean_up(vault=vault, dry_run=dry_run, output=output)


@app.command()
@ends
def demo() -> Exit:
    """Run the example skills over a vault of real text and show what happened."""
    from orchestrator.cli.demo import run_demo  # noqa: PLC0415

    return run_demo()


def run_app() -> None:
    """The command line, ended by its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 is no reason to fail
    app()
