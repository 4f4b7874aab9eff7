"""The verbs: their names, options and help. Each hands on to the module that does the work, imported only then."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.console import Enforcement, Output, Report, put
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
audit_app = typer.Typer(no_args_is_help=True, help="Read the audit trail, and verify that nobody changed it.")
db_app = typer.Typer(no_args_is_help=True, help="Look after the database of records.")
vault_app = typer.Typer(no_args_is_help=True, help="Check what is kept about the vault.")
alert_app = typer.Typer(no_args_is_help=True, help="Look after what tells the operator.")
skills_app = typer.Typer(no_args_is_help=True, help="Register skills by name and version, and see how they do.")
sessions_app = typer.Typer(no_args_is_help=True, help="Open, look at and close sessions: budgets over several runs.")
app.add_typer(policy_app, name="policy")
app.add_typer(pool_app, name="pool")
app.add_typer(image_app, name="image")
app.add_typer(review_app, name="review")
app.add_typer(snapshot_app, name="snapshot")
app.add_typer(vault_app, name="vault")
app.add_typer(alert_app, name="alert")
app.add_typer(skills_app, name="skills")
app.add_typer(sessions_app, name="sessions")
app.add_typer(audit_app, name="audit")
app.add_typer(db_app, name="db")

OutputOption = Annotated[
    Output, typer.Option("-o", "--output", help="text, or json: exactly one JSON document on standard output.")
]
LevelOption = Annotated[
    str | None, typer.Option("--level", metavar="LEVEL", help="Use this security level, not the manifest's.")
]
EnforcementOption = Annotated[
    Enforcement | None,
    typer.Option("--enforcement", help="audit: report what the policy's lists would deny, and let it through."),
]
VaultOption = Annotated[
    Path | None, typer.Option("--vault", metavar="DIR", help="Directory of notes the skill works on.")
]
ReviewId = Annotated[str, typer.Argument(metavar="ID", help="The item's id, as `review list` shows it.")]
ByOption = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who decides; is recorded. Default: the login name.")
]
SinceOption = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="From then on: 2026-03-01T12:00, or 90m, 7d ago.")
]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Before then; likewise.")]
Manifest = Annotated[
    Path, typer.Argument(metavar="MANIFEST", help="The skill's manifest: .json or .toml; or Python code alone.")
]
Runnable = Annotated[
    Path,
    typer.Argument(
        metavar="MANIFEST|NAME",
        help="The skill's manifest (.json or .toml), Python code alone, or a registered skill: NAME or NAME@1.2.",
    ),
]
SkillVersion = Annotated[str, typer.Argument(metavar="NAME@VERSION", help="A skill, its version written out.")]
SessionId = Annotated[str, typer.Argument(metavar="ID", help="The session's id, as `sessions list` shows it.")]
DoneByOption = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who does it; is recorded. Default: the login name.")
]


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
    manifest: Runnable,
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
    enforcement: EnforcementOption = None,
    session: Annotated[
        str | None,
        typer.Option("--session", metavar="ID", help="Run on the budget of that session, as `sessions open` gave it."),
    ] = None,
    principal: Annotated[
        str | None,
        typer.Option("--principal", metavar="NAME", help="Who asks, for the audit trail. Default: the login name."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Run it in any case: no recorded result of a pure skill will do.")
    ] = False,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Run a skill once, in a sandbox of its own.

    Standard output gets what the skill returned (with -o json: the whole result). What the skill printed goes to
    standard error, each line behind a bar. Ctrl-C or SIGTERM cancels the run and still shows how it ended; a second one
    hurries, a third ends this at once.
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
        enforcement=enforcement,
        session=session,
        principal=principal,
        fresh=fresh,
        output=output,
    )


@app.command()
@ends
def validate(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE|DIR...", help="Manifests (.json, .toml), Python code alone (.py), or directories of them."
        ),
    ],
    level: LevelOption = None,
    enforcement: EnforcementOption = None,
    output: Annotated[
        Report,
        typer.Option("-o", "--output", help="text, json, or sarif (2.1.0, for editors and code hosts): one document."),
    ] = Report.TEXT,
) -> Exit:
    """Say everything that is wrong with manifests and their code, without running anything.

    Ends with 2 if a manifest is not valid, else with 3 if a policy denies one, else with 0. With several FILEs, or a
    DIR, -o json is an object with one entry for each skill under `files`. Needs no engine. What only the installation
    can tell (Landlock, the vault's view) is `orchestrator doctor`'s part.
    """
    from orchestrator.cli.validate import validate_files  # noqa: PLC0415

    return validate_files(files, level=level, enforcement=enforcement, report=output)


@app.command()
@ends
def rules(
    rule: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One rule, or the beginning of some, like POL3.")
    ] = None,
    level: Annotated[
        str | None, typer.Option("--level", metavar="LEVEL", help="Also what this security level makes of each.")
    ] = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """List the rules that findings name: what each finds, why, and what to do."""
    from orchestrator.cli.rules import show_rules  # noqa: PLC0415

    return show_rules(rule, level=level, output=output)


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


@policy_app.command("test")
@ends
def policy_test(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Holds allow/ and deny/ with skills: manifests or Python code.")
    ],
    level: LevelOption = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Hold your own examples of what must be allowed and what denied against the policies.

    An example may say more in a comment at its top: `# expect: ORC101` (the denial names this rule), `# level: strict`.
    Ends with 1 if one of them is judged otherwise. Runs nothing, needs no engine.
    """
    from orchestrator.cli.policy_tools import test_policy  # noqa: PLC0415

    return test_policy(directory, level=level, output=output)


@policy_app.command("diff")
@ends
def policy_diff(
    a: Annotated[str, typer.Argument(metavar="A", help="A level, a policy file (.toml), or DIR:LEVEL.")],
    b: Annotated[str, typer.Argument(metavar="B", help="What it is compared with; likewise.")],
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Say what one policy allows that the other does not, both ways. Ends with 1 where they differ."""
    from orchestrator.cli.policy_tools import diff_policies  # noqa: PLC0415

    return diff_policies(a, b, output=output)


@policy_app.command("learn")
@ends
def policy_learn(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|FILE|DIR...", help="Recorded runs (held or failed), or skills: files, directories."
        ),
    ],
    level: LevelOption = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Propose the least policy for these skills, as a unified diff of the level's file. Writes nothing.

    Allow lists, limits and the vault's directories become what the skills use. Never proposed: a forbidden path, a
    module that `[imports] deny` names, anything of `[container]`; notes say what a skill would need of those.
    """
    from orchestrator.cli.policy_tools import learn_policy  # noqa: PLC0415

    return learn_policy(runs, level=level, output=output)


@pool_app.command("stats")
@ends
def pool_stats(output: OutputOption = Output.TEXT) -> Exit:
    """Open a pool as a program would, warm it, print its figures and close it.

    A pool lives inside the process that uses it, so this shows what this machine can do, not what another process
    does at the moment: how many sandboxes become warm, how long that took, and what failed.
    """
    from orchestrator.cli.pool import print_stats  # noqa: PLC0415

    return print_stats(output=output)


@app.command()
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
    from orchestrator.cli.metrics import print_metrics  # noqa: PLC0415

    return print_metrics(url=url, output=output)


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


@review_app.command("edit")
@ends
def review_edit(  # noqa: PLR0917 - Typer's options are parameters
    review: ReviewId,
    path: Annotated[
        str | None, typer.Option("--path", metavar="PATH", help="Only this note; default: all that can be edited.")
    ] = None,
    editor: Annotated[
        str | None,
        typer.Option("--editor", metavar="COMMAND", help="What opens the files. Default: the setting `editor`."),
    ] = None,
    by: ByOption = None,
    vault: VaultOption = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Change what an item would write, in an editor: what is saved takes the place of what the skill wrote.

    The files are opened under neutral names in a private directory. Only content can be changed, and only of text;
    the item then waits as before, and approving it checks the result.
    """
    from orchestrator.cli.review import edit_review  # noqa: PLC0415

    return edit_review(review, path=path, editor=editor, by=by, vault=vault, output=output)


@review_app.command("approve")
@ends
def review_approve(
    review: ReviewId,
    digest: Annotated[
        str | None,
        typer.Option("--digest", metavar="SHA256", help="Only the changes with this hash, as `review show` tells it."),
    ] = None,
    by: ByOption = None,
    vault: VaultOption = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Let the changes of an item land in the vault: all of them, or none.

    Everything is checked again: the policy, what the skill was granted, and that the vault still holds what the
    changes were compared with.
    """
    from orchestrator.cli.review import approve_review  # noqa: PLC0415

    return approve_review(review, digest=digest, by=by, vault=vault, output=output)


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


@alert_app.command("test")
@ends
def alert_test(vault: VaultOption = None, output: OutputOption = Output.TEXT) -> Exit:
    """Send a test alert through each channel that the settings name, and say what became of it.

    Ends with 6 where there is none, or one did not take it. Needs no engine.
    """
    from orchestrator.cli.alert import test_alerts  # noqa: PLC0415

    return test_alerts(vault=vault, output=output)


@audit_app.command("verify")
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
    from orchestrator.cli.audit import verify_trail  # noqa: PLC0415

    return verify_trail(anchors=anchors, output=output)


@audit_app.command("tail")
@ends
def audit_tail(
    lines: Annotated[int, typer.Option("-n", "--lines", metavar="N", min=1, max=100_000, help="So many.")] = 20,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Show the last records, oldest first."""
    from orchestrator.cli.audit import tail_trail  # noqa: PLC0415

    return tail_trail(lines_wanted=lines, output=output)


@audit_app.command("show")
@ends
def audit_show(
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="The run, as `audit tail` shows it.")],
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Show everything about one run: who asked, what was checked and applied, what came of it, and its code."""
    from orchestrator.cli.audit import show_run  # noqa: PLC0415

    return show_run(run_id, output=output)


@audit_app.command("search")
@ends
def audit_search(  # noqa: PLR0917 - Typer's options are parameters
    skill: Annotated[str, typer.Option("--skill", metavar="NAME", help="This skill: NAME or NAME@VERSION.")] = "",
    state: Annotated[
        str, typer.Option("--state", metavar="STATE", help="A run's status, or interrupted, running, raised.")
    ] = "",
    principal: Annotated[str, typer.Option("--principal", metavar="NAME", help="Who asked.")] = "",
    session: Annotated[str, typer.Option("--session", metavar="ID", help="Runs of this session.")] = "",
    rule: Annotated[str, typer.Option("--rule", metavar="ID", help="Runs in which this rule found something.")] = "",
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=100_000, help="At most so many.")] = 100,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Find runs, newest first. Several options: all of them hold."""
    from orchestrator.cli.audit import search_trail  # noqa: PLC0415

    wanted = {"skill": skill, "state": state, "principal": principal, "session": session, "rule": rule}
    return search_trail(wanted, since=since, until=until, limit=limit, output=output)


@audit_app.command("export")
@ends
def audit_export(
    since: SinceOption = None,
    until: UntilOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write there (0600, a new file), not to the screen.")
    ] = None,
) -> Exit:
    """Write the records as JSON Lines, with the field names of OCSF 1.3 where they fit."""
    from orchestrator.cli.audit import export_trail  # noqa: PLC0415

    return export_trail(since=since, until=until, out_file=out)


@db_app.command("status")
@ends
def db_status(output: OutputOption = Output.TEXT) -> Exit:
    """Show which database holds the records, its version, its size, and how many rows each table has."""
    from orchestrator.cli.database import show_status  # noqa: PLC0415

    return show_status(output=output)


@db_app.command("upgrade")
@ends
def db_upgrade(output: OutputOption = Output.TEXT) -> Exit:
    """Bring the database to this release's version; in an empty one, make the tables.

    A start does this itself with SQLite, after it made a copy beside the file. PostgreSQL is only upgraded by this
    verb: make a backup before.
    """
    from orchestrator.cli.database import upgrade_database  # noqa: PLC0415

    return upgrade_database(output=output)


@db_app.command("prune")
@ends
def db_prune(vault: VaultOption = None, output: OutputOption = Output.TEXT) -> Exit:
    """Forget what is older than the setting keep_days, then the oldest until keep_mb of content are kept.

    What is held or waits for a person stays. A start does this once a day.
    """
    from orchestrator.cli.database import prune_database  # noqa: PLC0415

    return prune_database(vault=vault, output=output)


@db_app.command("vacuum")
@ends
def db_vacuum(output: OutputOption = Output.TEXT) -> Exit:
    """Give the space of what was forgotten back: with SQLite to the file system, with PostgreSQL to its tables."""
    from orchestrator.cli.database import vacuum_database  # noqa: PLC0415

    return vacuum_database(output=output)


@skills_app.command("register")
@ends
def skills_register(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="The skill's manifest: .json or .toml.")],
    owner: Annotated[str, typer.Option("--owner", metavar="NAME", help="Who answers for it.")] = "",
    tags: Annotated[
        list[str] | None, typer.Option("--tag", metavar="TAG", help="A word to find it by; may be given several times.")
    ] = None,
    by: DoneByOption = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Make a manifest's name and version mean this skill for ever, so that it can be run by name.

    The same manifest again changes nothing; another one needs another version. Registering does not allow anything:
    each run is decided by the policy as before.
    """
    from orchestrator.cli.skills import register_skill  # noqa: PLC0415

    return register_skill(manifest, owner=owner, tags=tags or (), by=by, output=output)


@skills_app.command("list")
@ends
def skills_list(
    tag: Annotated[str | None, typer.Option("--tag", metavar="TAG", help="Only registered skills with it.")] = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """List every skill that is registered or ran: health, runs, success rate, times, memory."""
    from orchestrator.cli.skills import list_skills  # noqa: PLC0415

    return list_skills(tag=tag, output=output)


@skills_app.command("show")
@ends
def skills_show(
    skill: Annotated[str, typer.Argument(metavar="NAME", help="NAME: all its versions; NAME@1.2: the newest 1.2.x.")],
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Show all that is known about a skill."""
    from orchestrator.cli.skills import show_skill  # noqa: PLC0415

    return show_skill(skill, output=output)


@skills_app.command("change")
@ends
def skills_change(
    skill: SkillVersion,
    owner: Annotated[str | None, typer.Option("--owner", metavar="NAME", help="Who answers for it.")] = None,
    tags: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="TAG", help="Replaces all its tags; may be given several times; '' for none."),
    ] = None,
    by: DoneByOption = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Change the owner or the tags of a registered skill; `skills history` tells who did."""
    from orchestrator.cli.skills import change_skill  # noqa: PLC0415

    return change_skill(skill, owner=owner, tags=tags, by=by, output=output)


@skills_app.command("disable")
@ends
def skills_disable(
    skill: SkillVersion,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; is shown to whoever runs it.")] = "",
    by: DoneByOption = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Take a registered version out of use. Running by NAME takes the newest that is left."""
    from orchestrator.cli.skills import disable_skill  # noqa: PLC0415

    return disable_skill(skill, reason=reason, by=by, output=output)


@skills_app.command("enable")
@ends
def skills_enable(skill: SkillVersion, by: DoneByOption = None, output: OutputOption = Output.TEXT) -> Exit:
    """Let a version run again that was disabled or is in quarantine."""
    from orchestrator.cli.skills import enable_skill  # noqa: PLC0415

    return enable_skill(skill, by=by, output=output)


@skills_app.command("history")
@ends
def skills_history(
    skill: Annotated[str, typer.Argument(metavar="NAME", help="A skill; NAME@1.2.3: that version of it.")],
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=100_000, help="At most so many.")] = 100,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """List what happened to a skill, newest first: who registered and changed it, when it was in quarantine."""
    from orchestrator.cli.skills import show_history  # noqa: PLC0415

    return show_history(skill, limit=limit, output=output)


@sessions_app.command("open")
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
    label: Annotated[
        str, typer.Option("--label", metavar="TEXT", help="What it is for, for whoever lists sessions.")
    ] = "",
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Open a session: one budget for several runs, each begun with `orchestrator run --session ID`.

    Standard output gets its id (with -o json: the whole session). At least one budget must be given; one that is left
    out bounds nothing, though each run keeps its own limits. It lasts until `sessions close`, or a week without use.
    Needs no engine.
    """
    from orchestrator.cli.sessions import open_session  # noqa: PLC0415
    from orchestrator.sessions import Budget  # noqa: PLC0415

    return open_session(Budget(wall_seconds, cpu_seconds, runs, network_requests), label=label, output=output)


@sessions_app.command("list")
@ends
def sessions_list(
    every: Annotated[bool, typer.Option("--all", help="Also what is closed or has expired.")] = False,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """List the sessions with what they have used of their budgets and what is left, used last first."""
    from orchestrator.cli.sessions import list_sessions  # noqa: PLC0415

    return list_sessions(every=every, output=output)


@sessions_app.command("show")
@ends
def sessions_show(session: SessionId, output: OutputOption = Output.TEXT) -> Exit:
    """Show a session's budgets: what was used of them, is set aside for runs under way, and is left."""
    from orchestrator.cli.sessions import show_session  # noqa: PLC0415

    return show_session(session, output=output)


@sessions_app.command("close")
@ends
def sessions_close(session: SessionId, output: OutputOption = Output.TEXT) -> Exit:
    """Let no further run begin in a session; runs under way go on."""
    from orchestrator.cli.sessions import close_session  # noqa: PLC0415

    return close_session(session, output=output)


@app.command()
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
    from orchestrator.cli.status import show_status  # noqa: PLC0415

    return show_status(watch=watch, vault=vault, output=output)


@app.command()
@ends
def dashboard(vault: VaultOption = None, output: OutputOption = Output.TEXT) -> Exit:
    """Write the dashboard's note in the vault once, now: for cron, and for the first look.

    With the setting `dashboard` a running orchestrator keeps it current. Only what is between its two markers is
    written; a file whose markers somebody broke is left alone, and the command ends with 6.
    """
    from orchestrator.cli.status import write_dashboard  # noqa: PLC0415

    return write_dashboard(vault=vault, output=output)


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
    """Run the example skills over a vault of real text and show what happened.

    Then a review and its rollback, a skill that goes into quarantine, a session that runs out, the registry, the
    dashboard's note and the verdict on the audit trail. Vault and records are temporary. Ends with 1 unless all was as
    it should be.
    """
    from orchestrator.cli.demo import run_demo  # noqa: PLC0415

    return run_demo()


def run_app() -> None:
    """The command line, ended by its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 is no reason to fail
    app()
