"""The skill registry: registered versions, what happened to them, and how skills' runs went."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Boolean, Column, Double, Index, Integer, LargeBinary, String, Table, Text

from orchestrator.records.tables.base import METADATA, needed

SKILLS: Final = Table(
    "skills",
    METADATA,
    Column("name", String, primary_key=True),
    Column("version", String, primary_key=True),
    needed("digest", String),  # of the manifest, code included: SKILL_MANIFESTS has it
    needed("code_sha256", String),
    needed("owner", Text),
    needed("tags", Text),  # JSON
    needed("disabled", Boolean),
    needed("reason", Text),  # why it is disabled
    needed("registered_at", Double),
    needed("registered_by", Text),
)

# Not the audit's: a registered skill must outlive the records of its runs.
SKILL_MANIFESTS: Final = Table(
    "skill_manifests",
    METADATA,
    Column("sha256", String, primary_key=True),  # of ``content``
    needed("content", LargeBinary),  # canonical JSON, the code inside
)

SKILL_EVENTS: Final = Table(
    "skill_events",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    needed("name", String),
    needed("version", String),
    needed("at", Double),
    needed("by", Text),
    needed("kind", String),
    needed("detail", Text),  # JSON
    Index(None, "name", "version"),
)

SKILL_STANDINGS: Final = Table(
    "skill_standings",
    METADATA,
    Column("name", String, primary_key=True),
    Column("version", String, primary_key=True),
    Column("code_sha256", String, primary_key=True),
    needed("condition", String),  # as in ``health``
    needed("health", Text),  # JSON
    needed("statistics", Text),  # JSON
    needed("updated_at", Double),
    Index(None, "updated_at"),
)
"""Of every skill that ran, registered or not."""
