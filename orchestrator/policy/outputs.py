"""What a level does about secrets and about active content in what a skill hands out: ``[secrets]`` and ``[content]``.

Model and loading; finding and acting is ``orchestrator/outputs/``. Both tables are optional, and so is each key: what
is not there is as the fields' defaults say, which are those of the level ``standard``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from orchestrator.errors import Problem

SecretAction = Literal["redact", "block", "allow"]
ContentAction = Literal["escape", "strip", "refuse", "warn", "allow"]

PATTERNS: Final = (
    "anthropic", "aws", "azure", "basic_auth", "discord", "github", "gitlab", "google", "huggingface", "jwt",
    "mailchimp", "npm", "openai", "private_key", "pypi", "sendgrid", "slack", "square", "stripe", "telegram", "twilio",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SecretRules:
    """What becomes of a secret, by the place where it was found. ``redact``: a marker stands in its place. ``block``:
    nothing of that place is handed on, and nothing lands. ``allow``: it passes, and a warning says so. ``ignore``:
    patterns that are not looked for, by name; what each one finds is in ``orchestrator/outputs/patterns.py``."""

    output: SecretAction = "redact"
    stdout: SecretAction = "redact"
    stderr: SecretAction = "redact"
    error: SecretAction = "redact"
    notes: SecretAction = "block"
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContentRules:
    """What becomes of content that acts on whoever opens a note. ``escape`` shows it as text, ``strip`` removes it,
    ``refuse`` refuses the whole change set, ``warn`` only says so. ``output``: the strings of the output too."""

    html: ContentAction = "escape"
    links: ContentAction = "escape"
    frontmatter: ContentAction = "escape"
    templates: ContentAction = "escape"
    queries: ContentAction = "escape"
    code_blocks: ContentAction = "escape"
    uris: ContentAction = "escape"
    remote_images: ContentAction = "warn"
    controls: ContentAction = "escape"
    bidi: ContentAction = "escape"
    output: bool = False


@dataclass(frozen=True, slots=True)
class OutputRules:
    secrets: SecretRules = field(default_factory=SecretRules)
    content: ContentRules = field(default_factory=ContentRules)


def output_rules(document: Mapping[str, Any]) -> OutputRules:
    """From a policy file that the schema accepted."""
    secrets = dict(document.get("secrets", {}))
    secrets["ignore"] = tuple(secrets.get("ignore", ()))
    return OutputRules(SecretRules(**secrets), ContentRules(**document.get("content", {})))


def bad_ignores(document: Mapping[str, Any]) -> Iterator[Problem]:
    """What the schema cannot say: a misspelt name would leave a pattern on that somebody meant to turn off."""
    for index, name in enumerate(document.get("secrets", {}).get("ignore", ())):
        if name not in PATTERNS:
            yield Problem(f"/secrets/ignore/{index}", f"there is no pattern {name!r}", "one of " + ", ".join(PATTERNS))
