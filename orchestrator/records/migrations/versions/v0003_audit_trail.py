"""The audit trail."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

PLACE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def needed(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    op.create_table(
        "audit_records",
        sa.Column("seq", PLACE, primary_key=True, autoincrement=False),
        needed("number", sa.BigInteger),
        needed("at_us", sa.BigInteger),
        needed("kind", sa.String),
        needed("run_id", sa.String),
        needed("skill", sa.Text),
        needed("status", sa.String),
        needed("principal", sa.Text),
        needed("session", sa.Text),
        needed("code", sa.String),
        needed("manifest", sa.String),
        needed("body", sa.Text),
        needed("key_id", sa.String),
        needed("prev", sa.String),
        needed("mac", sa.String),
    )
    op.create_index("ix_audit_records_run_id", "audit_records", ["run_id"])
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        needed("seq", sa.BigInteger),
        needed("mac", sa.String),
        needed("key_id", sa.String),
        needed("seal", sa.String),
    )
    op.create_table(
        "audit_blobs",
        sa.Column("sha256", sa.String, primary_key=True),
        needed("content", sa.LargeBinary),
    )
