"""Alerts that were sent: the account of them, and what the limits on alerts know.

Only ``orchestrator.alerts.journal`` reads and writes it. Texts are one escaped line each.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Double, Integer, String, Table, Text

from orchestrator.records.tables.base import METADATA, needed

ALERTS: Final = Table(
    "alerts",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    needed("state_id", String),  # of the state directory whose limits these are
    needed("sent_at", Double),
    needed("at", Double),  # when it happened
    needed("kind", String),
    needed("skill", Text),
    needed("rule", Text),
    needed("run_id", Text),
    needed("message", Text),
    needed("suppressed", BigInteger),  # alike ones kept back since
    needed("limited", BigInteger),  # any that the hourly limit kept back since, on the newest row
    needed("ended", Boolean),  # its opposite came: the next one is sent whenever it comes
    needed("channels", Integer),  # how many were to take it,
    needed("took", Integer),  # how many did,
    needed("failed", Integer),  # and how many did not
)
