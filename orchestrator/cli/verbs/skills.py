"""``orchestrator skills``: the registry, by name and version."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.console import Output
from orchestrator.cli.exits import Exit
from orchestrator.cli.failures import ends
from orchestrator.cli.options import DoneByOption, LimitOption, OutputOption, SkillVersion, owner_option, tag_option

app = typer.Typer(no_args_is_help=True, help="Register skills by name and version, and see how they do.")


@app.command("register")
@ends
def skills_register(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="The skill's manifest: .json or .toml.")],
    owner: Annotated[str, owner_option()] = "",
    tags: Annotated[list[str] | None, tag_option("A word to find it by; may be given several times.")] = None,
    by: DoneByOption = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Make a manifest's name and version mean this skill for ever, so that it can be run by name.

    The same manifest again changes nothing; another one needs another version. Registering does not allow anything:
    each run is decided by the policy as before.
    """
    from orchestrator.cli.skills import register_skill

    return register_skill(manifest, owner=owner, tags=tags or (), by=by, output=output)


@app.command("list")
@ends
def skills_list(
    tag: Annotated[str | None, tag_option("Only registered skills with it.")] = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """List every skill that is registered or ran: health, runs, success rate, times, memory."""
    from orchestrator.cli.skills import list_skills

    return list_skills(tag=tag, output=output)


@app.command("show")
@ends
def skills_show(
    skill: Annotated[str, typer.Argument(metavar="NAME", help="NAME: all its versions; NAME@1.2: the newest 1.2.x.")],
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Show all that is known about a skill."""
    from orchestrator.cli.skills import show_skill

    return show_skill(skill, output=output)


@app.command("change")
@ends
def skills_change(
    skill: SkillVersion,
    owner: Annotated[str | None, owner_option()] = None,
    tags: Annotated[
        list[str] | None, tag_option("Replaces all its tags; may be given several times; '' for none.")
    ] = None,
    by: DoneByOption = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Change the owner or the tags of a registered skill; `skills history` tells who did."""
    from orchestrator.cli.skills import change_skill

    return change_skill(skill, owner=owner, tags=tags, by=by, output=output)


@app.command("disable")
@ends
def skills_disable(
    skill: SkillVersion,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; is shown to whoever runs it.")] = "",
    by: DoneByOption = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Take a registered version out of use. Running by NAME takes the newest that is left."""
    from orchestrator.cli.skills import disable_skill

    return disable_skill(skill, reason=reason, by=by, output=output)


@app.command("enable")
@ends
def skills_enable(skill: SkillVersion, by: DoneByOption = None, output: OutputOption = Output.TEXT) -> Exit:
    """Let a version run again that was disabled or is in quarantine."""
    from orchestrator.cli.skills import enable_skill

    return enable_skill(skill, by=by, output=output)


@app.command("history")
@ends
def skills_history(
    skill: Annotated[str, typer.Argument(metavar="NAME", help="A skill; NAME@1.2.3: that version of it.")],
    limit: LimitOption = 100,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """List what happened to a skill, newest first: who registered and changed it, when it was in quarantine."""
    from orchestrator.cli.skills import show_history

    return show_history(skill, limit=limit, output=output)
