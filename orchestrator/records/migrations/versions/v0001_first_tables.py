"""Change sets, reviews and snapshots."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

PATH = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def needed(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    op.create_table("meta", sa.Column("key", sa.String, primary_key=True), needed("value", sa.Text))
    change_sets()
    changes()
    reviews()
    snapshots()


def change_sets() -> None:
    op.create_table(
        "change_sets",
        sa.Column("run_id", sa.String, primary_key=True),
        needed("skill", sa.Text),
        needed("code_sha256", sa.String),
        needed("manifest_digest", sa.String),
        needed("level", sa.String),
        needed("vault", sa.Text),
        needed("state", sa.String),
        needed("digest", sa.String),
        needed("created_at", sa.Double),
        needed("note", sa.Text),
        needed("undoes", sa.String),
    )
    op.create_index("ix_change_sets_created_at", "change_sets", ["created_at"])


def changes() -> None:
    op.create_table(
        "changes",
        sa.Column("run_id", sa.String, sa.ForeignKey("change_sets.run_id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        needed("kind", sa.String),
        needed("path", PATH),
        needed("moved_from", PATH),
        needed("directory", sa.Boolean),
        needed("size", sa.BigInteger),
        needed("sha256", sa.String),
        needed("before_sha256", sa.String),
        sa.Column("before_mode", sa.Integer),
        sa.Column("before_uid", sa.BigInteger),
        sa.Column("before_gid", sa.BigInteger),
        sa.Column("before_mtime_ns", sa.BigInteger),
    )
    op.create_index("ix_changes_path", "changes", ["path"])
    op.create_index("ix_changes_moved_from", "changes", ["moved_from"])


def reviews() -> None:
    op.create_table(
        "reviews",
        sa.Column("id", sa.String, primary_key=True),
        needed("run_id", sa.String),
        needed("kind", sa.String),
        needed("reasons", sa.JSON),
        needed("state", sa.String),
        needed("digest", sa.String),
        needed("code_sha256", sa.String),
        needed("manifest_digest", sa.String),
        needed("manifest", sa.JSON),
        needed("created_at", sa.Double),
        needed("expires_at", sa.Double),
        sa.Column("decided_at", sa.Double),
        needed("decided_by", sa.Text),
        needed("comment", sa.Text),
        needed("vault", sa.Text),
    )
    op.create_index("ix_reviews_run_id", "reviews", ["run_id"])


def snapshots() -> None:
    op.create_table(
        "snapshots",
        sa.Column("id", sa.String, primary_key=True),
        needed("created_at", sa.Double),
        needed("roots", sa.JSON),
        needed("label", sa.Text),
        needed("vault", sa.Text),
    )
    op.create_table(
        "snapshot_entries",
        sa.Column("snapshot_id", sa.String, sa.ForeignKey("snapshots.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("path", PATH, primary_key=True),
        needed("directory", sa.Boolean),
        needed("size", sa.BigInteger),
        needed("sha256", sa.String),
        needed("mode", sa.Integer),
        needed("mtime_ns", sa.BigInteger),
    )
