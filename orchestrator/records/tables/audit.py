"""The audit trail: records in a keyed chain, where it ends, and content that records name by its hash.

Only ``orchestrator.audit`` reads and writes these. Times are microseconds since 1970. "" stands where there is nothing.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text

from orchestrator.records.tables.base import METADATA, needed

# In SQLite only INTEGER is the row's own key; a BIGINT key would be a second index.
_PLACE: Final = BigInteger().with_variant(Integer, "sqlite")

AUDIT_RECORDS: Final = Table(
    "audit_records",
    METADATA,
    Column("seq", _PLACE, primary_key=True, autoincrement=False),  # where it stands
    needed("number", BigInteger),  # what it was sealed with; the same, unless somebody moved it
    needed("at_us", BigInteger),
    needed("kind", String),
    needed("run_id", String),
    needed("skill", Text),
    needed("status", String),
    needed("principal", Text),
    needed("session", Text),
    needed("code", String),  # of AUDIT_BLOBS
    needed("manifest", String),  # of AUDIT_BLOBS
    needed("body", Text),  # canonical JSON
    needed("key_id", String),
    needed("prev", String),
    needed("mac", String),
    Index(None, "run_id"),
)

AUDIT_HEAD: Final = Table(
    "audit_head",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),  # 1: there is one row
    needed("seq", BigInteger),  # of the last record
    needed("mac", String),  # of the last record
    needed("key_id", String),  # of the key for the next one
    needed("seal", String),
)

AUDIT_BLOBS: Final = Table(
    "audit_blobs",
    METADATA,
    Column("sha256", String, primary_key=True),  # of ``content``
    needed("content", LargeBinary),
)
