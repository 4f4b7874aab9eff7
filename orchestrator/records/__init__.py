"""What outlives a run: which changes it made or wants to make, which reviews wait, which snapshots there are.

An embedded database: one SQLite file in the state directory, used by several threads and processes at once. It holds
facts about content (paths, hashes, modes), never the content itself.

    tables.py   the schema; nothing else knows column types
    model.py    the records as plain frozen values; what callers pass in and get back
    store.py    ``Records``: opening the file, and one transaction per method
    errors.py   ``RecordsError`` and what the database's own errors mean
"""

from orchestrator.records.errors import RecordsError
from orchestrator.records.model import (
    Decision,
    Review,
    ReviewKind,
    ReviewState,
    SetState,
    Snapshot,
    SnapshotEntry,
    StoredChange,
    StoredSet,
)
from orchestrator.records.store import Records

__all__ = [
    "Decision",
    "Records",
    "RecordsError",
    "Review",
    "ReviewKind",
    "ReviewState",
    "SetState",
    "Snapshot",
    "SnapshotEntry",
    "StoredChange",
    "StoredSet",
]
