"""What outlives a run: which changes it made or wants to make, which reviews wait, which snapshots there are.

A database: by default one SQLite file in the state directory, else PostgreSQL; used by several threads and processes at
once. It holds facts about content (paths, hashes, modes), never the content itself.

    tables/        the schema; nothing else knows column types
    model.py       the records as plain frozen values; what callers pass in and get back
    store.py       ``Records``: change sets, reviews, snapshots; one transaction per method
    database.py    ``Database``: connections, transactions, the schema's version, what errors mean
    sqlite.py      what is special about SQLite: the file, its locks, its errors
    writer.py      the one connection that writes to it, and the sync of its log
    deeds.py       changes that say what was done, for whoever keeps an account of that
    direct.py      statements that are too frequent for SQLAlchemy's way
    postgresql.py  what is special about PostgreSQL: the server, one writer at a time, its errors
    values.py      what JSON columns take
    versions.py    the schema's version, and how a new database gets its tables
    migrations/    the steps from version to version; imported only when there is something to upgrade
"""

from orchestrator.records.database import Database
from orchestrator.records.errors import RecordsError
from orchestrator.records.model import (
    Decision,
    Review,
    ReviewEdit,
    ReviewKind,
    ReviewNote,
    ReviewState,
    SetState,
    Snapshot,
    SnapshotEntry,
    StoredChange,
    StoredSet,
)
from orchestrator.records.store import Records

__all__ = [
    "Database",
    "Decision",
    "Records",
    "RecordsError",
    "Review",
    "ReviewEdit",
    "ReviewKind",
    "ReviewNote",
    "ReviewState",
    "SetState",
    "Snapshot",
    "SnapshotEntry",
    "StoredChange",
    "StoredSet",
]
