"""The same records on both databases: an SQLite file, and a PostgreSQL server of the suite's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from orchestrator.records import Database, Records
from tests.support.postgres import PostgresOfTests

Where = Path | SecretStr


def as_argument(where: Where) -> str:
    """For a process of the tests; of a real one the password would be seen by everybody."""
    return where.get_secret_value() if isinstance(where, SecretStr) else str(where)


def from_argument(text: str) -> Where:
    return SecretStr(text) if text.startswith("postgresql") else Path(text)


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Where]:
    """A place for a database of one test's own."""
    if request.param == "sqlite":
        yield tmp_path / "records.db"
        return
    server: PostgresOfTests = request.getfixturevalue("postgres")
    name = server.create()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def database(where: Where) -> Iterator[Database]:
    with Database(where) as opened:
        yield opened


@pytest.fixture
def records(database: Database) -> Records:
    return Records(database)
