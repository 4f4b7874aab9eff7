"""Which version the schema of a database has, and how a new one gets its tables.

The version is a number in ``META``, where a start finds it with one query. Alembic's own table says the same (its
revisions are these numbers, four digits long); both change in one transaction. Releases before Alembic know ``META``
alone, and refuse what is later than they are.
"""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy import Column, Connection, MetaData, String, Table, select

from orchestrator.records.tables import META, METADATA, VERSION, VERSION_KEY

# As Alembic itself would make it. Not of METADATA: it is bookkeeping, no record.
ALEMBIC: Final = Table(
    "alembic_version",
    MetaData(naming_convention={"pk": "%(table_name)s_pkc"}),
    Column("version_num", String(32), primary_key=True),
)

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")


def revision(version: int) -> str:
    return f"{version:04}"


def make(connection: Connection) -> None:
    """All tables in an empty database, at this release's version."""
    METADATA.create_all(connection)
    connection.execute(META.insert().values(key=VERSION_KEY, value=str(VERSION)))
    ALEMBIC.create(connection)
    connection.execute(ALEMBIC.insert().values(version_num=revision(VERSION)))


def version_in(connection: Connection) -> int | None:
    """None: what stands there is no version. Where there is no such table, the database's own error."""
    found = connection.scalar(select(META.c.value).where(META.c.key == VERSION_KEY))
    return int(found) if found is not None and _NUMBER.fullmatch(found) else None
