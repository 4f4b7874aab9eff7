"""``Settings``: how this installation is set up. The only module that reads the environment.

Each field can be given as an argument or as ``ORCHESTRATOR_<FIELD>``; ``docs/operations.md`` lists them all (a test
compares).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestrator.errors import SettingsError
from orchestrator.schemas.formats import is_vault_path

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


def _default_editor() -> str:
    return os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"


def _runtime_dir() -> Path | None:
    value = os.environ.get("XDG_RUNTIME_DIR")
    return Path(value) if value else None


def _folder(name: str, value: str, example: str) -> str:
    plain = is_vault_path(value) and not set("*?[") & set(value)
    if not plain or any(part.startswith(".") for part in value.split("/")):
        raise ValueError(f"{name}: {value!r} is not a directory below the vault, like {example}")
    return value


class Settings(BaseSettings):
    """Where things are and how much there may be of them. Policies, not settings, say what a skill may do."""

    model_config = SettingsConfigDict(
        env_prefix="ORCHESTRATOR_", extra="forbid", frozen=True, populate_by_name=True, hide_input_in_errors=True
    )

    vault: Path | None = Field(None, description="Directory of notes the skills work on; none: skills get no vault.")
    state_dir: Path = Field(
        default_factory=_default_state_dir,
        description="Private state (0700): image id, accepted policies, slots of running sandboxes.",
    )
    cache_dir: Path = Field(
        default_factory=_default_cache_dir,
        description="What can be had again: packages and byte code of image builds, scans of skills. Safe to delete.",
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
    upkeep_interval_seconds: float = Field(
        3600.0, gt=0, le=86400, description="How often a process looks whether there is something to forget or sweep."
    )
    database: SecretStr = Field(
        SecretStr(""),
        description="URL of a PostgreSQL database for the records; empty: an SQLite file in `state_dir`.",
    )
    review_days: float = Field(14.0, gt=0, le=36500, description="How long a review item can be approved.")
    review_notes: bool = Field(False, description="Whether review items also appear as notes in the vault.")
    review_folder: str = Field("Needs_Action", description="The vault's directory for these notes, made when needed.")
    dashboard: bool = Field(False, description="Whether a note in the vault shows skills, reviews, runs and the pool.")
    dashboard_path: str = Field("Dashboard.md", description="That note, seen from the vault; people may edit it too.")
    dashboard_interval_seconds: float = Field(
        30.0, ge=1, le=86400, description="How often that note is rewritten at most, in seconds."
    )
    editor: str = Field(
        default_factory=_default_editor,
        description="What `orchestrator review edit` opens files with (default: VISUAL, else EDITOR, else vi).",
    )
    canaries: tuple[SecretStr, ...] = Field(
        (), description="Made-up values planted in notes and files; where one appears in an output, something leaked."
    )
    known_secrets_file: Path | None = Field(
        None, description="File (0600) of this installation's own secrets, one a line, that no output may hold."
    )
    audit_days: float = Field(365.0, ge=0, le=36500, description="How long the audit trail keeps its records.")
    audit_mb: int = Field(4096, ge=1, le=10**7, description="Most the audit trail keeps; the oldest goes first.")
    audit_anchor_file: Path | None = Field(
        None, description="Where the audit trail's end is noted outside the database; none: a file in `state_dir`."
    )
    audit_anchor_command: tuple[str, ...] = Field(
        (), description="Program and arguments that get the audit trail's end on standard input, once a minute at most."
    )
    audit_anchor_syslog: bool = Field(False, description="Whether syslog gets the audit trail's end as well.")
    alert_webhook: SecretStr = Field(
        SecretStr(""), description="URL (https or http) that gets each alert as JSON; empty: none."
    )
    alert_command: tuple[str, ...] = Field(
        (), description="Program and arguments that get each alert as JSON on standard input; empty: none."
    )
    alert_note: str = Field("", description="The vault's directory for alerts as notes, made when needed; empty: none.")
    alert_apprise: tuple[SecretStr, ...] = Field(
        (), description="URLs of apprise services that get each alert; needs the extra `alerts`."
    )
    alert_interval_seconds: float = Field(
        300.0, ge=0, le=86400, description="How long alerts like one that was sent are only counted."
    )
    alert_per_hour: int = Field(60, ge=1, le=10_000, description="Most alerts sent in any hour; others are counted.")
    log_level: LogLevel = Field(
        "silent",
        description="silent, minimal, standard or verbose; the command line uses minimal unless told otherwise.",
    )
    log_format: Literal["text", "json"] = Field("text", description="text, or json: one object a line.")
    log_file: Path | None = Field(None, description="File (0600) for the log; none: standard error.")
    log_file_mb: int = Field(10, ge=1, le=10_000, description="How large that file may become before it is rotated.")
    log_file_keep: int = Field(5, ge=0, le=1000, description="How many rotated log files stay.")
    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port that serves /metrics for Prometheus (0: any that is free); none: no endpoint.",
    )
    metrics_host: str = Field(
        "127.0.0.1",
        description="Address that it listens on. There is no password: whoever reaches it reads the figures.",
    )
    metrics_skills: int = Field(
        0, ge=0, le=1000, description="How many skills get series of their own, by name; all others count as other."
    )

    @field_validator(
        "vault",
        "state_dir",
        "cache_dir",
        "policy_dir",
        "known_secrets_file",
        "audit_anchor_file",
        "log_file",
        mode="after",
    )
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else _expanded(value)

    @field_validator("dashboard_path", mode="after")
    @classmethod
    def _note(cls, value: str) -> str:
        plain = is_vault_path(value) and not set("*?[") & set(value) and value.endswith(".md")
        if not plain or any(part.startswith(".") for part in value.split("/")):
            raise ValueError(f"dashboard_path: {value!r} is not a note below the vault, like Dashboard.md")
        return value

    @field_validator("database", mode="after")
    @classmethod
    def _url(cls, value: SecretStr) -> SecretStr:
        try:
            scheme = urlsplit(value.get_secret_value()).scheme
        except ValueError:  # it may quote the URL
            scheme = "none"
        if scheme not in ("postgresql", "postgresql+psycopg") and value.get_secret_value():
            raise ValueError("database: is like postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME, or empty for SQLite")
        return value

    @field_validator("alert_webhook", mode="after")
    @classmethod
    def _webhook(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.username is None
            usable = usable and parts.port != 0 and url.isascii() and url.isprintable() and " " not in url
        except ValueError:
            usable = False
        if url and not usable:
            raise ValueError("alert_webhook: is like https://HOST/PATH, without a user's name in it")
        return value

    @field_validator("alert_command", mode="after")
    @classmethod
    def _command(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value and (not value[0] or any("\0" in each for each in value)):
            raise ValueError('alert_command: is a list like ["/usr/bin/logger", "-t", "skills"]')
        return value

    @field_validator("alert_note", mode="after")
    @classmethod
    def _alert_folder(cls, value: str) -> str:
        return _folder("alert_note", value, "Alerts") if value else value

    @field_validator("review_folder", mode="after")
    @classmethod
    def _review_folder(cls, value: str) -> str:
        return _folder("review_folder", value, "Needs_Action")

    @field_validator("warm_targets", mode="after")
    @classmethod
    def _levels(cls, value: dict[str, int]) -> dict[str, int]:
        for level, count in value.items():
            if level not in ("strict", "standard", "relaxed") or not 0 <= count <= 1000:
                raise ValueError(f"warm_targets: {level}={count} is not a security level with a count of 0 to 1000")
        return value
