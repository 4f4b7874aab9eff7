"""Change sets, reviews and snapshots."""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, BigInteger, Boolean, Column, Double, ForeignKey, Index, Integer, String, Table, Text

from orchestrator.records.tables.base import METADATA, PATH, needed

CHANGE_SETS: Final = Table(
    "change_sets",
    METADATA,
    Column("run_id", String, primary_key=True),
    needed("skill", Text),
    needed("code_sha256", String),
    needed("manifest_digest", String),
    needed("level", String),
    needed("vault", Text),
    needed("state", String),
    needed("digest", String),
    needed("created_at", Double),
    needed("note", Text),
    needed("undoes", String),
    Index(None, "created_at"),
)

CHANGES: Final = Table(
    "changes",
    METADATA,
    Column("run_id", ForeignKey(CHANGE_SETS.c.run_id, ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    needed("kind", String),
    Column("path", PATH, nullable=False),
    Column("moved_from", PATH, nullable=False),
    needed("directory", Boolean),
    needed("size", BigInteger),
    needed("sha256", String),
    needed("before_sha256", String),
    Column("before_mode", Integer),
    Column("before_uid", BigInteger),  # 32 bits unsigned, which a PostgreSQL Integer does not hold
    Column("before_gid", BigInteger),
    Column("before_mtime_ns", BigInteger),
    Index(None, "path"),
    Index(None, "moved_from"),  # history by path asks for either, which is a full scan unless both have one
)

REVIEWS: Final = Table(
    "reviews",
    METADATA,
    Column("id", String, primary_key=True),
    Column("run_id", String, nullable=False, index=True),  # no foreign key: a failed run may have no change set
    needed("kind", String),
    needed("reasons", JSON),
    needed("state", String),
    needed("digest", String),
    needed("code_sha256", String),
    needed("manifest_digest", String),
    needed("manifest", JSON),
    needed("created_at", Double),
    needed("expires_at", Double),
    Column("decided_at", Double),
    needed("decided_by", Text),
    needed("comment", Text),
    needed("vault", Text),
)

REVIEW_EDITS: Final = Table(
    "review_edits",
    METADATA,
    Column("review_id", ForeignKey(REVIEWS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    needed("at", Double),
    needed("by", Text),
    needed("former_digest", String),
    needed("digest", String),
)

REVIEW_NOTES: Final = Table(
    "review_notes",
    METADATA,
    Column("review_id", ForeignKey(REVIEWS.c.id, ondelete="CASCADE"), primary_key=True),
    needed("path", Text),
    needed("sha256", String),
)

SNAPSHOTS: Final = Table(
    "snapshots",
    METADATA,
    Column("id", String, primary_key=True),
    needed("created_at", Double),
    needed("roots", JSON),
    needed("label", Text),
    needed("vault", Text),
)

SNAPSHOT_ENTRIES: Final = Table(
    "snapshot_entries",
    METADATA,
    Column("snapshot_id", ForeignKey(SNAPSHOTS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("path", PATH, primary_key=True),
    needed("directory", Boolean),
    needed("size", BigInteger),
    needed("sha256", String),
    needed("mode", Integer),
    needed("mtime_ns", BigInteger),
)
