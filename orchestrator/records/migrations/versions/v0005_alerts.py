"""Alerts that were sent."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def needed(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        needed("state_id", sa.String),
        needed("sent_at", sa.Double),
        needed("at", sa.Double),
        needed("kind", sa.String),
        needed("skill", sa.Text),
        needed("rule", sa.Text),
        needed("run_id", sa.Text),
        needed("message", sa.Text),
        needed("suppressed", sa.BigInteger),
        needed("limited", sa.BigInteger),
        needed("ended", sa.Boolean),
        needed("channels", sa.Integer),
        needed("took", sa.Integer),
        needed("failed", sa.Integer),
    )
