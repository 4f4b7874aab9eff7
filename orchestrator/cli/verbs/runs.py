"""Skills, run and judged: ``run``, ``validate``, ``rules``, ``schema``, ``demo``, as app.py registers them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.console import Output, Report
from orchestrator.cli.exits import Exit
from orchestrator.cli.failures import ends
from orchestrator.cli.options import (
    EnforcementOption,
    LevelOption,
    OutputOption,
    Runnable,
    VaultOption,
    dry_run_option,
    level_option,
    output_option,
    principal_option,
    session_option,
)


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
    dry_run: Annotated[bool, dry_run_option("Write nothing to the vault; show what would be changed.")] = False,
    retry_conflicts: Annotated[
        bool,
        typer.Option("--retry-conflicts", help="Where somebody changed the same notes meanwhile, run it again."),
    ] = False,
    enforcement: EnforcementOption = None,
    session: Annotated[
        str | None, session_option("Run on the budget of that session, as `sessions open` gave it.")
    ] = None,
    principal: Annotated[
        str | None, principal_option("Who asks, for the audit trail. Default: the login name.")
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
    from orchestrator.cli.run import run_skill

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
        Report, output_option("text, json, or sarif (2.1.0, for editors and code hosts): one document.")
    ] = Report.TEXT,
) -> Exit:
    """Say everything that is wrong with manifests and their code, without running anything.

    Ends with 2 if a manifest is not valid, else with 3 if a policy denies one, else with 0. With several FILEs, or a
    DIR, -o json is an object with one entry for each skill under `files`. Needs no engine. What only the installation
    can tell (Landlock, the vault's view) is `orchestrator doctor`'s part.
    """
    from orchestrator.cli.validate import validate_files

    return validate_files(files, level=level, enforcement=enforcement, report=output)


@ends
def rules(
    rule: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One rule, or the beginning of some, like POL3.")
    ] = None,
    level: Annotated[str | None, level_option("Also what this security level makes of each.")] = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """List the rules that findings name: what each finds, why, and what to do."""
    from orchestrator.cli.rules import show_rules

    return show_rules(rule, level=level, output=output)


@ends
def schema(
    policy: Annotated[bool, typer.Option("--policy", help="The schema of policy files instead.")] = False,
) -> Exit:
    """Print the JSON Schema of skill manifests."""
    from orchestrator.cli.policies import print_schema

    return print_schema(policy=policy)


@ends
def demo() -> Exit:
    """Run the example skills over a vault of real text and show what happened.

    Then a review and its rollback, a skill that goes into quarantine, a session that runs out, the registry, the
    dashboard's note and the verdict on the audit trail. Vault and records are temporary. Ends with 1 unless all was as
    it should be.
    """
    from orchestrator.cli.demo import run_demo

    return run_demo()
