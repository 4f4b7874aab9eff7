"""The schema. Only types that SQLite and PostgreSQL both have, and no defaults that the database fills in.

Paths, notes and comments are untrusted text: any UTF-8 without NUL. Times are Unix seconds, except ``*mtime_ns``.
Every module with tables is imported here, so that ``METADATA`` is complete whoever opens a database.
"""

from __future__ import annotations

from typing import Final

from orchestrator.records.tables.alerts import ALERTS
from orchestrator.records.tables.audit import AUDIT_BLOBS, AUDIT_HEAD, AUDIT_RECORDS
from orchestrator.records.tables.base import META, METADATA
from orchestrator.records.tables.sessions import SESSION_RESERVATIONS, SESSIONS
from orchestrator.records.tables.skills import SKILL_EVENTS, SKILL_MANIFESTS, SKILL_STANDINGS, SKILLS
from orchestrator.records.tables.vault import (
    CHANGE_SETS,
    CHANGES,
    REVIEW_EDITS,
    REVIEW_NOTES,
    REVIEWS,
    SNAPSHOT_ENTRIES,
    SNAPSHOTS,
)

VERSION: Final = 5
"""Of the schema: the last step in ``migrations/versions``. A later release's database is refused, an earlier one's is
upgraded."""

VERSION_KEY: Final = "schema_version"

__all__ = [
    "ALERTS",
    "AUDIT_BLOBS",
    "AUDIT_HEAD",
    "AUDIT_RECORDS",
    "CHANGES",
    "CHANGE_SETS",
    "META",
    "METADATA",
    "REVIEWS",
    "REVIEW_EDITS",
    "REVIEW_NOTES",
    "SESSIONS",
    "SESSION_RESERVATIONS",
    "SKILLS",
    "SKILL_EVENTS",
    "SKILL_MANIFESTS",
    "SKILL_STANDINGS",
    "SNAPSHOTS",
    "SNAPSHOT_ENTRIES",
    "VERSION",
    "VERSION_KEY",
]
