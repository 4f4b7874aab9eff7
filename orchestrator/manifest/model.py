"""``SkillManifest``: a validated manifest, as frozen values. Made by ``load_manifest`` only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from orchestrator.sandbox.spec import Limits

_EMPTY: Mapping[str, Any] = MappingProxyType({})


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
    """

    always: bool = False
    on_deletes: bool = False
    over_files: int | None = None
    outside: tuple[str, ...] = ()
    mass_change_percent: int = 0
    mass_change_files: int = 10


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
    on_error: str = ""  # "review": a run that failed goes to the manual queue
    metadata: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    code_digest: str = ""  # hex SHA-256 of ``code`` as UTF-8
    digest: str = ""  # hex SHA-256 of the canonical manifest, code included
    filename: str = "skill.py"  # shown in tracebacks
