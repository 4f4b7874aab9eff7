"""How the schema came to be: one file in ``versions/`` for each version, each a step from the one before.

A step never changes once it was released. It names its tables itself instead of using ``tables``, which goes on
changing. For a new version: add ``versions/vNNNN_what.py``, set ``tables.VERSION`` (tests compare both, and what the
steps make with ``tables``).

Alembic does it, without an ini file and only through ``Database.upgrade``: within a transaction of ours, so that a step
that fails leaves the database as it was, in SQLite too. Nothing here is imported while there is nothing to upgrade.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, inspect, select

from orchestrator.records.errors import RecordsError
from orchestrator.records.tables import META, VERSION, VERSION_KEY
from orchestrator.records.versions import ALEMBIC, revision


def configuration(connection: Connection) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def run(connection: Connection, before: int) -> None:
    """All steps from version ``before`` to this release's. Tables of releases before Alembic are adopted: ``META`` says
    which steps they have already."""
    if not inspect(connection).has_table(ALEMBIC.name):
        ALEMBIC.create(connection)
        connection.execute(ALEMBIC.insert().values(version_num=revision(before)))
    elif (found := connection.scalar(select(ALEMBIC.c.version_num))) != revision(before):
        raise RecordsError(f"the records say that they are of version {before}, and that they are of {found}")
    command.upgrade(configuration(connection), revision(VERSION))
    connection.execute(META.update().where(META.c.key == VERSION_KEY).values(value=str(VERSION)))
