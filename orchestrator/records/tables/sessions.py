"""Sessions: budgets over several runs, and what runs under way have set aside of them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Double, ForeignKey, Integer, String, Table, Text

from orchestrator.records.tables.base import METADATA, needed

SESSIONS: Final = Table(
    "sessions",
    METADATA,
    Column("id", String, primary_key=True),
    needed("opened_at", Double),
    needed("used_at", Double),
    Column("closed_at", Double),
    needed("label", Text),
    # None: no such budget.
    Column("wall_seconds", Double),
    Column("cpu_seconds", Double),
    Column("runs", Integer),
    Column("network_requests", BigInteger),
    needed("used_wall_seconds", Double),
    needed("used_cpu_seconds", Double),
    needed("used_runs", BigInteger),
    needed("used_network_requests", BigInteger),
)

SESSION_RESERVATIONS: Final = Table(
    "session_reservations",
    METADATA,
    Column("session_id", ForeignKey(SESSIONS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("run_id", String, primary_key=True),
    needed("at", Double),
    needed("expires_at", Double),
    needed("state_id", String),  # of the state directory, and
    needed("instance_id", String),  # the process that the run is of
    needed("wall_seconds", Double),
    needed("cpu_seconds", Double),
)
