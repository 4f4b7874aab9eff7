"""The chain in the database: reading where it ends, and adding to it, inside a transaction of the caller's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, func, select

from orchestrator.audit.chain import GENESIS, SEALED, Head, head_seal, seal
from orchestrator.audit.key import Key, Keyring
from orchestrator.audit.records import Draft
from orchestrator.records.direct import Direct
from orchestrator.records.errors import RecordsError
from orchestrator.records.tables import AUDIT_RECORDS

COLUMNS: Final = tuple(column.name for column in AUDIT_RECORDS.columns)


_HEAD: Final = Direct("SELECT seq, mac, key_id, seal FROM audit_head WHERE id = 1")
_FIRST_HEAD: Final = Direct("INSERT INTO audit_head (seq, mac, key_id, seal, id) VALUES (?, ?, ?, ?, 1)")
_NEXT_HEAD: Final = Direct("UPDATE audit_head SET seq = ?, mac = ?, key_id = ?, seal = ? WHERE id = 1")
_ADD: Final = Direct(
    f"INSERT INTO audit_records ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - ours
)
_ADD_BLOB: Final = Direct("INSERT INTO audit_blobs (sha256, content) VALUES (?, ?) ON CONFLICT DO NOTHING")
_DAMAGED: Final = "see what `orchestrator audit verify` finds; nothing is added to a trail that is not whole"


def head_of(connection: Connection) -> tuple[Head, str] | None:
    """The head and its seal, unchecked; None before the trail is begun."""
    row = _HEAD(connection).fetchone()
    if row is None:
        return None
    return Head(row[0] if isinstance(row[0], int) else -1, str(row[1]), str(row[2])), str(row[3])


def is_begun(connection: Connection) -> bool:
    return head_of(connection) is not None or records_in(connection) > 0


def begin(connection: Connection, key: Key) -> Head:
    """A sealed head before the first record, so that an emptied trail is told from one that has none yet."""
    head = Head(0, GENESIS, key.id)
    _FIRST_HEAD(connection, head.seq, head.mac, head.key_id, head_seal(key.heads, head))
    return head


def is_ended(connection: Connection, run_id: str) -> bool:
    """Whether it has an outcome."""
    there = select(AUDIT_RECORDS.c.seq).where(AUDIT_RECORDS.c.run_id == run_id, AUDIT_RECORDS.c.kind == "outcome")
    return connection.scalar(there.limit(1)) is not None


def records_in(connection: Connection) -> int:
    return int(connection.scalar(select(func.count()).select_from(AUDIT_RECORDS)) or 0)


@dataclass(slots=True)
class Addition:
    """Records being added in one transaction: ``add`` each, then ``write`` once."""

    connection: Connection
    keys: Keyring
    head: Head
    rows: list[dict[str, Any]] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def after(cls, connection: Connection, keys: Keyring, found: tuple[Head, str] | None) -> Addition:
        """At the end of the chain, which is at ``found``. ``RecordsError``: the head is not as it was written, or its
        key is not here."""
        if found is None:
            raise RecordsError("the audit trail has lost its head", hint=_DAMAGED)
        head, sealed = found
        if head_seal(keys.need(head.key_id).heads, head) != sealed:
            raise RecordsError("the audit trail's head was changed", hint=_DAMAGED)
        return cls(connection, keys, head)

    @property
    def key(self) -> Key:
        return self.keys.need(self.head.key_id)

    def add(self, draft: Draft, *, then_key: str = "") -> int:
        """Its number. ``then_key``: the id of the key that seals what comes after."""
        number = self.head.seq + 1
        row: dict[str, Any] = {
            "seq": number, "number": number, "at_us": draft.at_us, "kind": draft.kind, "run_id": draft.run_id,
            "skill": draft.skill, "status": draft.status, "principal": draft.principal, "session": draft.session,
            "code": draft.code, "manifest": draft.manifest, "body": draft.body, "key_id": self.head.key_id,
            "prev": self.head.mac,
        }  # fmt: skip
        row["mac"] = seal(self.key.records, [str(row[name]).encode() for name in SEALED])
        self.rows.append(row)
        self.blobs |= {blob.sha256: blob.content for blob in draft.blobs}
        self.head = Head(number, row["mac"], then_key or self.head.key_id)
        return number

    def write(self) -> None:
        if not self.rows:
            return
        if self.blobs:
            _ADD_BLOB.many(self.connection, list(self.blobs.items()))
        _ADD.many(self.connection, [tuple(row[name] for name in COLUMNS) for row in self.rows])
        sealed = head_seal(self.key.heads, self.head)
        _NEXT_HEAD(self.connection, self.head.seq, self.head.mac, self.head.key_id, sealed)
