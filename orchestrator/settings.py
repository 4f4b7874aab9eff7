"""``Settings``: how this installation is set up. The only module that reads the environment.

Each field can be given as an argument or as ``ORCHESTRATOR_<FIELD>``; ``docs/operations.md`` lists them all (a test
compares).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestrator.errors import SettingsError

LogLevel = Literal["silent", "minimal", "standard", "verbose"]


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:  # no HOME, and no entry in the password file
        raise SettingsError(f"{path}: {error}", hint="set HOME, or give absolute paths") from error


def _default_state_dir() -> Path:
    return _expanded(Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state")) / "skill-orchestrator"


def _default_cache_dir() -> Path:
    return _expanded(Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")) / "skill-orchestrator"


def _runtime_dir() -> Path | None:
    value = os.environ.get("XDG_RUNTIME_DIR")
    return Path(value) if value else None


class Settings(BaseSettings):
    """Where things are and how much there may be of them. Policies, not settings, say what a skill may do."""

    model_config = SettingsConfigDict(env_prefix="ORCHESTRATOR_", extra="forbid", frozen=True, populate_by_name=True)

    vault: Path | None = Field(None, description="Directory of notes the skills work on; none: skills get no vault.")
    state_dir: Path = Field(
        default_factory=_default_state_dir,
        description="Private state (0700): image id, accepted policies, slots of running sandboxes.",
    )
    cache_dir: Path = Field(
        default_factory=_default_cache_dir,
        description="What an image build fetched and may fetch again: Debian packages, byte code. Safe to delete.",
    )
    policy_dir: Path | None = Field(None, description="Directory of policy files; none: the ones that ship with us.")
    docker_host: str | None = Field(
        None,
        validation_alias=AliasChoices("ORCHESTRATOR_DOCKER_HOST", "DOCKER_HOST", "docker_host"),
        description="Engine URL; none: the default sockets, then the engine that `make engine` started.",
    )
    runtime_dir: Path | None = Field(
        default_factory=_runtime_dir,
        description="Where a rootless engine keeps its socket (default: XDG_RUNTIME_DIR).",
    )
    image: str | None = Field(None, description="Image id (sha256:...); none: the one `orchestrator image build` made.")
    vault_view: Literal["auto", "overlay", "copy"] = Field(
        "auto", description="How sandboxes see the vault; auto: overlay where it works, else a copy of what is granted."
    )
    warm_targets: dict[str, int] = Field(
        default_factory=dict,
        description="Idle sandboxes to keep per security level; overrides the policies' pool tables.",
    )
    max_containers: int = Field(12, ge=1, le=1000, description="Containers at once, over all levels and states.")
    max_waiting: int = Field(64, ge=0, le=100_000, description="Callers that may wait for a sandbox; more are refused.")
    acquire_timeout_seconds: float = Field(30.0, gt=0, le=3600, description="Longest wait for a sandbox.")
    close_timeout_seconds: float = Field(30.0, ge=0, le=3600, description="How long close() waits for running skills.")
    keep_days: float = Field(30.0, ge=0, le=36500, description="How long a run's changes can be rolled back.")
    keep_mb: int = Field(1024, ge=0, le=10**7, description="Most content kept for rollbacks; the oldest goes first.")
    review_days: float = Field(14.0, gt=0, le=36500, description="How long a review item can be approved.")
    log_level: LogLevel = Field("silent", description="A library stays silent until asked; the CLI uses standard.")

    @field_validator("vault", "state_dir", "cache_dir", "policy_dir", mode="after")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else _expanded(value)

    @field_validator("warm_targets", mode="after")
    @classmethod
    def _levels(cls, value: dict[str, int]) -> dict[str, int]:
        for level, count in value.items():
            if level not in ("strict", "standard", "relaxed") or not 0 <= count <= 1000:
                raise ValueError(f"warm_targets: {level}={count} is not a security level with a count of 0 to 1000")
        return value
