"""What all tables share: the collection they are in, how constraints are named, kinds of columns."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Column, MetaData, String, Table, Text
from sqlalchemy.types import TypeEngine

# Names for every constraint: a migration can only change what it can name.
METADATA: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

# Compared byte by byte (SQLite does so anyway): what lies below a directory is then one range of an index.
PATH: Final = Text().with_variant(Text(collation="C"), "postgresql")


def needed(name: str, kind: type[TypeEngine[Any]]) -> Column[Any]:
    return Column(name, kind, nullable=False)


META: Final = Table("meta", METADATA, Column("key", String, primary_key=True), needed("value", Text))
"""Facts about the database itself."""
