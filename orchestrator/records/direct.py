"""``Direct``: statements on the way of every run, as text for the driver.

SQLAlchemy's way takes three times as long for a statement that does next to nothing. What such a statement means must
be the same in both dialects; everything else is written with SQLAlchemy.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Connection


class Direct:
    """``sql`` has ``?`` where a value goes, and nowhere else. Columns of type JSON are not converted."""

    def __init__(self, sql: str) -> None:
        self._sqlite, self._other = sql, sql.replace("?", "%s")

    def __call__(self, connection: Connection, *values: Any) -> Any:
        """The driver's cursor, or what is like it. Errors are those that ``Database`` knows."""
        if connection.dialect.name == "sqlite":
            return driver_of(connection).execute(self._sqlite, values)
        return connection.exec_driver_sql(self._other, values or None)

    def many(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        if connection.dialect.name == "sqlite":
            driver_of(connection).executemany(self._sqlite, rows)
        else:
            connection.exec_driver_sql(self._other, list(rows))


def driver_of(connection: Connection) -> sqlite3.Connection:
    """SQLite's own connection."""
    return cast(sqlite3.Connection, connection.connection.driver_connection)
