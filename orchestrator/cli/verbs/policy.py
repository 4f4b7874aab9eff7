"""``orchestrator policy``: the security levels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.console import Output
from orchestrator.cli.exits import Exit
from orchestrator.cli.failures import ends
from orchestrator.cli.options import LevelOption, OutputOption, dry_run_option

app = typer.Typer(no_args_is_help=True, help="Check and show the security levels' policies.")


@app.command("check")
@ends
def policy_check(
    dry_run: Annotated[bool, dry_run_option("Only check; accept nothing.")] = False,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Check the policy files. If all are valid, accept them: they come into force for new runs everywhere."""
    from orchestrator.cli.policies import check_policies

    return check_policies(dry_run=dry_run, output=output)


@app.command("show")
@ends
def policy_show(
    level: Annotated[
        str | None, typer.Argument(metavar="[LEVEL]", help="One level; without it: all, in short.")
    ] = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Show what a security level allows."""
    from orchestrator.cli.policies import show_policies

    return show_policies(level, output=output)


@app.command("test")
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
    from orchestrator.cli.policy_tools import test_policy

    return test_policy(directory, level=level, output=output)


@app.command("diff")
@ends
def policy_diff(
    a: Annotated[str, typer.Argument(metavar="A", help="A level, a policy file (.toml), or DIR:LEVEL.")],
    b: Annotated[str, typer.Argument(metavar="B", help="What it is compared with; likewise.")],
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Say what one policy allows that the other does not, both ways. Ends with 1 where they differ."""
    from orchestrator.cli.policy_tools import diff_policies

    return diff_policies(a, b, output=output)


@app.command("learn")
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
    from orchestrator.cli.policy_tools import learn_policy

    return learn_policy(runs, level=level, output=output)
