"""What PostgreSQL calls committed is on its disk: what it lost in a crash would look like a restored copy."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from orchestrator.records import Database
from tests.support.postgres import PostgresOfTests


@pytest.mark.parametrize(("configured", "ours"), [("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")])
def test_every_commit_of_ours_is_synced(postgres: PostgresOfTests, configured: str, ours: str) -> None:
    name = postgres.create()
    try:
        with postgres.connect() as connection:
            connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = {configured}".encode())
        with Database(postgres.url(name)) as database:
            for transaction in (database.writing, database.reading):
                for _ in range(2):  # a connection that was used before, too
                    with transaction() as used:
                        assert used.scalar(text("SHOW synchronous_commit")) == ours
    finally:
        postgres.drop(name)
