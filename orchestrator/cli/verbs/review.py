"""``orchestrator review``: what waits for a person, and the decisions about it."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.console import Output
from orchestrator.cli.exits import Exit
from orchestrator.cli.failures import ends
from orchestrator.cli.options import ByOption, OutputOption, ReviewId, VaultOption, every_option

app = typer.Typer(no_args_is_help=True, help="Look at what waits for a person, and decide it.")


@app.command("list")
@ends
def review_list(
    every: Annotated[bool, every_option("Also what was decided or has expired.")] = False,
    vault: VaultOption = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """List what waits for a person, oldest first: changes that were held, and runs that failed."""
    from orchestrator.cli.review import list_reviews

    return list_reviews(every=every, vault=vault, output=output)


@app.command("show")
@ends
def review_show(review: ReviewId, vault: VaultOption = None, output: OutputOption = Output.TEXT) -> Exit:
    """Show everything about one item, and what the policy says to it now."""
    from orchestrator.cli.review import show_review

    return show_review(review, vault=vault, output=output)


@app.command("diff")
@ends
def review_diff(review: ReviewId, vault: VaultOption = None, output: OutputOption = Output.TEXT) -> Exit:
    """Show the changes of an item as a unified diff against the vault as it is now."""
    from orchestrator.cli.review import diff_review

    return diff_review(review, vault=vault, output=output)


@app.command("edit")
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
    from orchestrator.cli.review import edit_review

    return edit_review(review, path=path, editor=editor, by=by, vault=vault, output=output)


@app.command("approve")
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
    from orchestrator.cli.review import approve_review

    return approve_review(review, digest=digest, by=by, vault=vault, output=output)


@app.command("reject")
@ends
def review_reject(
    review: ReviewId,
    by: ByOption = None,
    comment: Annotated[str, typer.Option("--comment", metavar="TEXT", help="Why; is recorded.")] = "",
    vault: VaultOption = None,
    output: OutputOption = Output.TEXT,
) -> Exit:
    """Throw the changes of an item away."""
    from orchestrator.cli.review import reject_review

    return reject_review(review, by=by, comment=comment, vault=vault, output=output)
