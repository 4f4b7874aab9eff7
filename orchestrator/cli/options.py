"""The options and arguments that several verbs have, each spelled once. What one verb alone has stands at that verb.

An alias means the same everywhere. Where help or type differ by verb, a function spells the option and the verb says
the rest: ``dry_run: Annotated[bool, dry_run_option("Remove nothing.")] = False``. These return ``Any``, as Typer's own
``Option`` does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli.console import Enforcement, Output

# --- spelled here, the rest said by each verb ---------------------------------------------------------------------


def output_option(text: str) -> Any:
    return typer.Option("-o", "--output", help=text)


def level_option(text: str) -> Any:
    return typer.Option("--level", metavar="LEVEL", help=text)


def dry_run_option(text: str) -> Any:
    return typer.Option("--dry-run", help=text)


def every_option(text: str) -> Any:
    return typer.Option("--all", help=text)


def by_option(does: str) -> Any:
    return typer.Option("--by", metavar="NAME", help=f"Who {does}; is recorded. Default: the login name.")


def principal_option(text: str) -> Any:
    return typer.Option("--principal", metavar="NAME", help=text)


def owner_option() -> Any:
    return typer.Option("--owner", metavar="NAME", help="Who answers for it.")


def session_option(text: str) -> Any:
    return typer.Option("--session", metavar="ID", help=text)


def tag_option(text: str) -> Any:
    return typer.Option("--tag", metavar="TAG", help=text)


def label_option(text: str) -> Any:
    return typer.Option("--label", metavar="TEXT", help=text)


def out_option(text: str) -> Any:
    return typer.Option("--out", metavar="FILE", help=text)


def run_id_argument(text: str) -> Any:
    return typer.Argument(metavar="RUN_ID", help=text)


# --- the same everywhere ------------------------------------------------------------------------------------------

OutputOption = Annotated[Output, output_option("text, or json: exactly one JSON document on standard output.")]
LevelOption = Annotated[str | None, level_option("Use this security level, not the manifest's.")]
EnforcementOption = Annotated[
    Enforcement | None,
    typer.Option("--enforcement", help="audit: report what the policy's lists would deny, and let it through."),
]
VaultOption = Annotated[
    Path | None, typer.Option("--vault", metavar="DIR", help="Directory of notes the skill works on.")
]
ByOption = Annotated[str | None, by_option("decides")]
DoneByOption = Annotated[str | None, by_option("does it")]
SinceOption = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="From then on: 2026-03-01T12:00, or 90m, 7d ago.")
]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Before then; likewise.")]
LimitOption = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=100_000, help="At most so many.")]

Runnable = Annotated[
    Path,
    typer.Argument(
        metavar="MANIFEST|NAME",
        help="The skill's manifest (.json or .toml), Python code alone, or a registered skill: NAME or NAME@1.2.",
    ),
]
ReviewId = Annotated[str, typer.Argument(metavar="ID", help="The item's id, as `review list` shows it.")]
SkillVersion = Annotated[str, typer.Argument(metavar="NAME@VERSION", help="A skill, its version written out.")]
SessionId = Annotated[str, typer.Argument(metavar="ID", help="The session's id, as `sessions list` shows it.")]
