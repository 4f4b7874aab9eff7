"""The schema of the records. Only types that SQLite and PostgreSQL both have, and no defaults the database fills in.

Paths, notes and comments are untrusted text: any UTF-8. Times are Unix seconds, except ``*mtime_ns``.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeEngine

VERSION: Final = 1
"""Of the schema. A database with a higher one was written by a later release, and is refused."""

VERSION_KEY: Final = "schema_version"

# Names for every constraint: a migration can only change what it can name.
METADATA: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

# Compared byte by byte (SQLite does so anyway): what lies below a directory is then one range of an index.
_PATH: Final = Text().with_variant(Text(collation="C"), "postgresql")


def _column(name: str, kind: type[TypeEngine[Any]]) -> Column[Any]:
    return Column(name, kind, nullable=False)


META: Final = Table("meta", METADATA, Column("key", String, primary_key=True), _column("value", Text))

CHANGE_SETS: Final = Table(
    "change_sets",
    METADATA,
    Column("run_id", String, primary_key=True),
    _column("skill", Text),
    _column("code_sha256", String),
    _column("manifest_digest", String),
    _column("level", String),
    _column("vault", Text),
    _column("state", String),
    _column("digest", String),
    _column("created_at", Double),
    _column("note", Text),
    _column("undoes", String),
    Index(None, "created_at"),
)

CHANGES: Final = Table(
    "changes",
    METADATA,
    Column("run_id", ForeignKey(CHANGE_SETS.c.run_id, ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    _column("kind", String),
    Column("path", _PATH, nullable=False),
    Column("moved_from", _PATH, nullable=False),
    _column("directory", Boolean),
    _column("size", BigInteger),
    _column("sha256", String),
    _column("before_sha256", String),
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
    _column("kind", String),
    _column("reasons", JSON),
    _column("state", String),
    _column("digest", String),
    _column("code_sha256", String),
    _column("manifest_digest", String),
    _column("manifest", JSON),
    _column("created_at", Double),
    _column("expires_at", Double),
    Column("decided_at", Double),
    _column("decided_by", Text),
    _column("comment", Text),
    _column("vault", Text),
)

SNAPSHOTS: Final = Table(
    "snapshots",
    METADATA,
    Column("id", String, primary_key=True),
    _column("created_at", Double),
    _column("roots", JSON),
    _column("label", Text),
    _column("vault", Text),
)

SNAPSHOT_ENTRIES: Final = Table(
    "snapshot_entries",
    METADATA,
    Column("snapshot_id", ForeignKey(SNAPSHOTS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("path", _PATH, primary_key=True),
    _column("directory", Boolean),
    _column("size", BigInteger),
    _column("sha256", String),
    _column("mode", Integer),
    _column("mtime_ns", BigInteger),
)
