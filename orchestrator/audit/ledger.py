"""The chain in the database: reading where it ends, and adding to it, inside a transaction of the caller's."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import Any, Final, cast

from sqlalchemy import Connection, func, select

from orchestrator.audit.chain import GENESIS, SEALED, Head, head_seal, seal
from orchestrator.audit.key import Key, Keyring
from orchestrator.audit.records import Draft
from orchestrator.records.errors import RecordsError
from orchestrator.records.tables import AUDIT_RECORDS

COLUMNS: Final = tuple(column.name for column in AUDIT_RECORDS.columns)


@dataclass(frozen=True, slots=True)
class _Statements:
    """The statements of every run, as text for the driver: compiling them again each time would cost more than they
    do. Both drivers take values by position."""

    head: str
    first_head: str
    next_head: str
    add: str
    add_blob: str

    @classmethod
    def of(cls, mark: str) -> _Statements:
        values = ", ".join("?" * len(COLUMNS))
        sql = (
            "SELECT seq, mac, key_id, seal FROM audit_head WHERE id = 1",
            "INSERT INTO audit_head (seq, mac, key_id, seal, id) VALUES (?, ?, ?, ?, 1)",
            "UPDATE audit_head SET seq = ?, mac = ?, key_id = ?, seal = ? WHERE id = 1",
            f"INSERT INTO audit_records ({', '.join(COLUMNS)}) VALUES ({values})",  # noqa: S608 - names of our own
            "INSERT INTO audit_blobs (sha256, content) VALUES (?, ?) ON CONFLICT DO NOTHING",
        )
        return cls(*(each.replace("?", mark) for each in sql))


_STATEMENTS: Final = {"sqlite": _Statements.of("?"), "postgresql": _Statements.of("%s")}
_DAMAGED: Final = "see what `orchestrator audit verify` finds; nothing is added to a trail that is not whole"


def _execute(connection: Connection, sql: str, values: tuple[Any, ...] | list[tuple[Any, ...]] = ()) -> Any:
    """A cursor. Many rows at once where ``values`` is a list. SQLite's driver is asked directly, which takes a third of
    the time; its errors are known to ``Database`` too."""
    if connection.dialect.name != "sqlite":
        return connection.exec_driver_sql(sql, values) if values else connection.exec_driver_sql(sql)
    driver = cast(sqlite3.Connection, connection.connection.driver_connection)
    return driver.executemany(sql, values) if isinstance(values, list) else driver.execute(sql, values)


def head_of(connection: Connection) -> tuple[Head, str] | None:
    """The head and its seal, unchecked; None before the first record."""
    row = _execute(connection, _STATEMENTS[connection.dialect.name].head).fetchone()
    if row is None:
        return None
    return Head(row[0] if isinstance(row[0], int) else -1, str(row[1]), str(row[2])), str(row[3])


def records_in(connection: Connection) -> int:
    return int(connection.scalar(select(func.count()).select_from(AUDIT_RECORDS)) or 0)


@dataclass(slots=True)
class Addition:
    """Records being added in one transaction: ``add`` each, then ``write`` once."""

    connection: Connection
    keys: Keyring
    head: Head
    fresh: bool  # there is no head yet
    rows: list[dict[str, Any]] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def after(cls, connection: Connection, keys: Keyring, found: tuple[Head, str] | None) -> Addition:
        """At the end of the chain, which is at ``found``. ``RecordsError``: the head is not as it was written, or its
        key is not here."""
        if found is None:
            if records_in(connection):
                raise RecordsError("the audit trail has lost its head", hint=_DAMAGED)
            return cls(connection, keys, Head(0, GENESIS, keys.newest.id), fresh=True)
        head, sealed = found
        if head_seal(keys.need(head.key_id).heads, head) != sealed:
            raise RecordsError("the audit trail's head was changed", hint=_DAMAGED)
        return cls(connection, keys, head, fresh=False)

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
        sql = _STATEMENTS[self.connection.dialect.name]
        if self.blobs:
            _execute(self.connection, sql.add_blob, list(self.blobs.items()))
        _execute(self.connection, sql.add, [tuple(row[name] for name in COLUMNS) for row in self.rows])
        head = (self.head.seq, self.head.mac, self.head.key_id, head_seal(self.key.heads, self.head))
        _execute(self.connection, sql.first_head if self.fresh else sql.next_head, head)
