"""The skill registry, and sessions."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def needed(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    skills()
    standings()
    sessions()


def skills() -> None:
    op.create_table(
        "skills",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("version", sa.String, primary_key=True),
        needed("digest", sa.String),
        needed("code_sha256", sa.String),
        needed("owner", sa.Text),
        needed("tags", sa.Text),
        needed("disabled", sa.Boolean),
        needed("reason", sa.Text),
        needed("registered_at", sa.Double),
        needed("registered_by", sa.Text),
    )
    op.create_table(
        "skill_manifests",
        sa.Column("sha256", sa.String, primary_key=True),
        needed("content", sa.LargeBinary),
    )
    op.create_table(
        "skill_events",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        needed("name", sa.String),
        needed("version", sa.String),
        needed("at", sa.Double),
        needed("by", sa.Text),
        needed("kind", sa.String),
        needed("detail", sa.Text),
    )
    op.create_index("ix_skill_events_name", "skill_events", ["name", "version"])


def standings() -> None:
    op.create_table(
        "skill_standings",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("version", sa.String, primary_key=True),
        sa.Column("code_sha256", sa.String, primary_key=True),
        needed("condition", sa.String),
        needed("health", sa.Text),
        needed("statistics", sa.Text),
        needed("updated_at", sa.Double),
    )
    op.create_index("ix_skill_standings_updated_at", "skill_standings", ["updated_at"])


def sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.String, primary_key=True),
        needed("opened_at", sa.Double),
        needed("used_at", sa.Double),
        sa.Column("closed_at", sa.Double),
        needed("label", sa.Text),
        sa.Column("wall_seconds", sa.Double),
        sa.Column("cpu_seconds", sa.Double),
        sa.Column("runs", sa.Integer),
        sa.Column("network_requests", sa.BigInteger),
        needed("used_wall_seconds", sa.Double),
        needed("used_cpu_seconds", sa.Double),
        needed("used_runs", sa.BigInteger),
        needed("used_network_requests", sa.BigInteger),
    )
    op.create_table(
        "session_reservations",
        sa.Column("session_id", sa.String, sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("run_id", sa.String, primary_key=True),
        needed("at", sa.Double),
        needed("expires_at", sa.Double),
        needed("state_id", sa.String),
        needed("instance_id", sa.String),
        needed("wall_seconds", sa.Double),
        needed("cpu_seconds", sa.Double),
    )
