"""What stands in the trail's tables, as foreign values: for ``verify``, which trusts none of it.

* Memory is bounded: what is larger than anything that was ever written is told of, and not read.
* SQLite stores whatever type somebody puts into a column, and compares by type: a name stored as a BLOB has the same
  bytes, and no query finds it. So types count too (``fit``).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, inspect, select, text

from orchestrator.audit.chain import SEALED, Head
from orchestrator.audit.ledger import head_of
from orchestrator.audit.records import MAX_BODY_BYTES
from orchestrator.audit.walk import Row
from orchestrator.records.direct import driver_of
from orchestrator.records.errors import RecordsError
from orchestrator.records.tables import AUDIT_BLOBS, AUDIT_HEAD, AUDIT_RECORDS

MAX_ROW_BYTES: Final = MAX_BODY_BYTES + 2**16  # the rest of a record is names and hashes
MAX_BLOB_BYTES: Final = 8 * 2**20  # a manifest of 2 MiB, escaped, and what stands for secrets in it
TABLES: Final = (AUDIT_RECORDS.name, AUDIT_HEAD.name, AUDIT_BLOBS.name)
_FIRST, _LAST = -(2**63), 2**63 - 1  # places there can be
_AT_ONCE_BYTES: Final = 4 * 2**20  # fetched from a server together
_AT_ONCE: Final = 1000
_NUMBERS: Final = ("number", "at_us")
_COLUMNS: Final = (*SEALED, "mac")
_RESTORE: Final = "restore the database from a backup"
_NOTHING: Final = (b"",) * len(SEALED)


@dataclass(frozen=True, slots=True)
class BlobRow:
    """``content`` is None where it was too large to be read. ``fit``: name and content are of their columns' types."""

    name: bytes
    content: bytes | None
    fit: bool = True


def missing_tables(connection: Connection) -> list[str]:
    """Those of the trail's that are no tables of the database."""
    there = set(inspect(connection).get_table_names())
    return [name for name in TABLES if name not in there]


def records(connection: Connection, max_bytes: int = MAX_ROW_BYTES) -> Generator[Row]:
    """All by place. One that is larger than ``max_bytes`` has no fields and does not fit. Close it before the
    connection is used for anything that may be larger."""
    if connection.dialect.name == "sqlite":
        return _records_in_file(connection, max_bytes)
    return _records_on_server(connection, max_bytes)


def blobs(connection: Connection, max_bytes: int = MAX_BLOB_BYTES) -> Generator[BlobRow]:
    """All, in no order. Close it as ``records``."""
    if connection.dialect.name == "sqlite":
        return _blobs_in_file(connection, max_bytes)
    return _blobs_on_server(connection, max_bytes)


def blobs_there(connection: Connection, names: Collection[str]) -> set[str]:
    """Those of ``names`` under which a blob can be found."""
    found: set[str] = set()
    wanted = sorted(names)
    for start in range(0, len(wanted), _AT_ONCE // 2):  # some builds of SQLite take 999 parameters
        chosen = AUDIT_BLOBS.c.sha256.in_(wanted[start : start + _AT_ONCE // 2])
        found.update(connection.scalars(select(AUDIT_BLOBS.c.sha256).where(chosen)))
    return found


def head(connection: Connection) -> tuple[Head, str] | None:
    """The head and its seal, unchecked; the seal is "" where a value is of another type than its column."""
    if connection.dialect.name != "sqlite":
        return head_of(connection)
    types = _types(("seq",), ("mac", "key_id", "seal"))
    columns = f"seq, {types}, CAST(mac AS BLOB), CAST(key_id AS BLOB), CAST(seal AS BLOB)"
    query = f"SELECT {columns} FROM audit_head WHERE id = 1"  # noqa: S608 - our names
    with _limited(driver_of(connection), MAX_ROW_BYTES) as driver:
        try:
            found = driver.execute(query).fetchone()
        except sqlite3.DataError as error:
            _require_too_big(error)
            return Head(-1, "", ""), ""
    if found is None:
        return None
    mac, key_id, seal = ((each or b"").decode("utf-8", "backslashreplace") for each in found[2:])
    return Head(found[0] if type(found[0]) is int else -1, mac, key_id), seal if found[1] else ""


# --- SQLite --------------------------------------------------------------------------------------------------------


def damage(connection: Connection) -> list[str]:
    """What SQLite's own check finds in the trail's tables and their indexes: an index that leaves a row out hides it
    from queries, not from who reads the table. A server is trusted with its indexes."""
    if connection.dialect.name != "sqlite":
        return []
    found: list[str] = []
    with _limited(driver_of(connection), MAX_ROW_BYTES + MAX_BLOB_BYTES) as driver:
        for table in TABLES:
            try:
                found += [str(each[0]) for each in driver.execute(f"PRAGMA integrity_check({table})")]
            except sqlite3.DataError as error:
                _require_too_big(error)
                found.append(f"{table} has a value that is too large, so its indexes were not looked at")
    return [each for each in found if each != "ok"]


@contextmanager
def _limited(driver: sqlite3.Connection, most: int) -> Iterator[sqlite3.Connection]:
    """SQLite refuses to load a larger value or row."""
    before = driver.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, most)
    try:
        yield driver
    finally:
        driver.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, before)


def _require_too_big(error: sqlite3.DataError) -> None:
    if error.sqlite_errorcode != sqlite3.SQLITE_TOOBIG:
        raise error


def _types(numbers: Sequence[str], texts: Sequence[str], raw: Sequence[str] = ()) -> str:
    wanted = {"integer": numbers, "text": texts, "blob": raw}
    return " AND ".join(f"typeof({name}) = '{kind}'" for kind, names in wanted.items() for name in names)


def _walked(connection: Connection, table: str, place: str, columns: str, most: int) -> Iterator[tuple[Any, ...] | int]:
    """The rows by ``place``, their first column; of one that is too large, only that."""
    query = f"SELECT {place}, {columns} FROM {table} WHERE {place} >= ? ORDER BY {place}"  # noqa: S608 - our names
    start = _FIRST
    with _limited(driver_of(connection), most) as driver:
        while True:
            try:
                for row in driver.execute(query, (start,)):
                    last = _number(row[0], table)
                    yield row
                    start = min(last + 1, _LAST)
            except sqlite3.DataError as error:
                _require_too_big(error)
            else:
                return
            found = _one(driver, query, table, place, start)  # the driver reads one ahead, and drops what it had
            last = found if isinstance(found, int) else _number(found[0], table)
            yield found
            if last == _LAST:
                return
            start = last + 1


def _one(driver: sqlite3.Connection, query: str, table: str, place: str, start: int) -> tuple[Any, ...] | int:
    try:
        return tuple(driver.execute(f"{query} LIMIT 1", (start,)).fetchone())
    except sqlite3.DataError as error:
        _require_too_big(error)
    following = f"SELECT min({place}) FROM {table} WHERE {place} >= ?"  # noqa: S608 - our names
    return _number(driver.execute(following, (start,)).fetchone()[0], table)


def _number(place: Any, table: str) -> int:
    if type(place) is int:
        return place
    raise RecordsError(f"the table {table} was replaced: a row's place in it is no number", hint=_RESTORE)


def _records_in_file(connection: Connection, most: int) -> Generator[Row]:
    texts = [name for name in _COLUMNS if name not in _NUMBERS]
    columns = ", ".join((_types(_NUMBERS, texts), *(f"CAST({name} AS BLOB)" for name in _COLUMNS)))
    for row in _walked(connection, "audit_records", "seq", columns, most):
        if isinstance(row, int):
            yield Row(row, _NOTHING, b"", fit=False)
        elif row[1]:
            yield Row(row[0], row[2:-1], row[-1], True)
        else:
            yield Row(row[0], [each or b"" for each in row[2:-1]], row[-1] or b"", fit=False)


def _blobs_in_file(connection: Connection, most: int) -> Generator[BlobRow]:
    columns = f"{_types((), ('sha256',), ('content',))}, CAST(sha256 AS BLOB), CAST(content AS BLOB)"
    for row in _walked(connection, "audit_blobs", "rowid", columns, most):
        if isinstance(row, int):
            query = "SELECT CAST(sha256 AS BLOB) FROM audit_blobs WHERE rowid = ? AND typeof(sha256) = 'text'"
            try:
                found = driver_of(connection).execute(query, (row,)).fetchone()
            except sqlite3.DataError as error:
                _require_too_big(error)
                found = None
            yield BlobRow(found[0] if found else b"", None)
        else:
            yield BlobRow(row[2] or b"", row[3] or b"", bool(row[1]))


# --- PostgreSQL ----------------------------------------------------------------------------------------------------


def _records_on_server(connection: Connection, most: int) -> Generator[Row]:
    size = " + ".join(f"octet_length(CAST({name} AS TEXT))" for name in _COLUMNS)
    sizes = text(f"SELECT seq, {size} FROM audit_records WHERE seq >= :start ORDER BY seq LIMIT {_AT_ONCE}")  # noqa: S608
    columns = ", ".join(f"CAST({name} AS TEXT)" for name in _COLUMNS)
    rows = text(f"SELECT seq, {columns} FROM audit_records WHERE seq BETWEEN :first AND :last ORDER BY seq")  # noqa: S608
    start = _FIRST
    while found := connection.execute(sizes, {"start": start}).fetchall():
        for places in _portions([(each[0], each[1]) for each in found], most):
            if not places[1]:
                yield Row(places[0], _NOTHING, b"", fit=False)
                continue
            for row in connection.execute(rows, {"first": places[0], "last": places[1]}):
                values = [each.encode() for each in row[1:]]
                yield Row(row[0], values[:-1], values[-1])
        if found[-1][0] == _LAST:
            return
        start = found[-1][0] + 1


def _portions(sizes: Sequence[tuple[int, int]], most: int) -> Iterator[tuple[int, int | None]]:
    """First and last place of what is fetched together; None as the last: that one is too large."""
    first: int | None = None
    last = held = 0
    for place, size in sizes:
        if first is not None and (size > most or held + size > _AT_ONCE_BYTES):
            yield first, last
            first, held = None, 0
        if size > most:
            yield place, None
            continue
        first, last, held = place if first is None else first, place, held + size
    if first is not None:
        yield first, last


def _blobs_on_server(connection: Connection, most: int) -> Generator[BlobRow]:
    columns = "left(sha256, 100), octet_length(content), sha256"
    sizes = text(f"SELECT {columns} FROM audit_blobs WHERE sha256 > :after ORDER BY sha256 LIMIT {_AT_ONCE}")  # noqa: S608
    content = text("SELECT content FROM audit_blobs WHERE sha256 = :name")
    after = ""
    while found := connection.execute(sizes, {"after": after}).fetchall():
        for name, size, whole in found:
            raw = None if size > most else bytes(connection.scalar(content, {"name": whole}) or b"")
            yield BlobRow(name.encode(), raw)
        after = found[-1][2]
