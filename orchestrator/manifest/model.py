"""``SkillManifest``: a validated manifest, as frozen values. Made by ``load_manifest`` only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from orchestrator.sandbox.spec import Limits
from orchestrator.validation.finding import Severity

_EMPTY: Mapping[str, Any] = MappingProxyType({})
RETRIED: Final = ("failed", "sandbox_error", "signaled", "timed_out")
"""What is retried unless a manifest says otherwise: endings that another time may not have. Memory, CPU time and output
would run into the same limit again."""


@dataclass(frozen=True, slots=True)
class VaultGrants:
    """Directories below the vault (POSIX, relative, "." is the whole vault) that a skill asks for.

    ``write`` implies reading.
    """

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReviewRules:
    """When a run's changes wait for a person instead of landing. A manifest's and a policy's add up: whoever asks for a
    review gets one.

    ``over_files``: more changed entries than this (None: no such rule). ``outside``: a changed path that lies below
    none of these directories (empty: no such rule). ``mass_change_percent``: at least this share of the files in the
    granted directories, and at least ``mass_change_files`` of them, is deleted, emptied or rewritten (0: no such rule).
    ``on_findings``: the policy warns of something of at least this severity in the code (None: no such rule).
    """

    always: bool = False
    on_deletes: bool = False
    over_files: int | None = None
    outside: tuple[str, ...] = ()
    mass_change_percent: int = 0
    mass_change_files: int = 10
    on_findings: Severity | None = None


@dataclass(frozen=True, slots=True)
class RetryRule:
    """Run again after an ending in one of ``on`` (status values): ``attempts`` runs in all, ``wait_seconds`` apart."""

    attempts: int = 3
    on: tuple[str, ...] = RETRIED
    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class FallbackRule:
    """What stands in for a run that failed: a registered skill (``skill`` is "name@version"), or, where that is "", the
    constant ``value``."""

    skill: str = ""
    value: Any = None


@dataclass(frozen=True, slots=True)
class OnError:
    """What a manifest asks for when its run fails. Nothing is done that is not asked for."""

    retry: RetryRule | None = None
    fallback: FallbackRule | None = None
    review: bool = False  # the run goes to the manual queue
    alert: bool = False


@dataclass(frozen=True, slots=True)
class CacheRule:
    """The recorded result of a pure skill may stand for a run that would be the same, for ``ttl_seconds``."""

    ttl_seconds: float


@dataclass(frozen=True, slots=True)
class SkillManifest:
    """One skill. ``code`` is the source text that is hashed, scanned and run - the same string."""

    name: str
    version: str
    code: str
    description: str = ""
    entrypoint: str | None = "main"  # None: a script, which may set ``result``
    inputs_schema: Mapping[str, Any] | None = None
    output_schema: Mapping[str, Any] | None = None
    inputs: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)  # defaults
    security_level: str = "standard"
    dependencies: tuple[str, ...] = ()  # PEP 508 requirements
    limits: Limits = field(default_factory=Limits)
    vault: VaultGrants = field(default_factory=VaultGrants)
    review: ReviewRules = field(default_factory=ReviewRules)
    recovery: OnError = field(default_factory=OnError)  # the key ``on_error``
    pure: bool = False  # the output depends on code, inputs and the granted notes alone; nothing else comes of a run
    cache: CacheRule | None = None  # only of a pure skill
    metadata: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    code_digest: str = ""  # hex SHA-256 of ``code`` as UTF-8
    digest: str = ""  # hex SHA-256 of the canonical manifest, code included
    filename: str = "skill.py"  # shown in tracebacks

    @property
    def on_error(self) -> str:
        """The word "review" where a run that failed goes to the manual queue, else "". All of it: ``recovery``."""
        return "review" if self.recovery.review else ""
