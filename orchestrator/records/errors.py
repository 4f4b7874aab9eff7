"""``RecordsError``, and the sentence that says what an error of the database means to the operator."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from orchestrator.errors import OperatorError


class RecordsError(OperatorError):
    """The records cannot be read or written. Nothing of the call that raised it has been stored."""

    hint = "check the records file, its file system and who else uses it"


_RESTORE: Final = "restore it from a backup, or move it (with its -wal and -shm files) away to start with no records"
_IN_USE: Final = ("are locked by another process, which did not let go in time", "try again when it has finished")
_BROKEN: Final = ("are not a database, or are damaged", _RESTORE)
_FOREIGN: Final = ("do not have the tables that were expected: damaged, or of another program", _RESTORE)
_MEANINGS: Final = {  # by SQLite's primary result code: what holds of the records, and what to do
    sqlite3.SQLITE_ERROR: _FOREIGN,
    sqlite3.SQLITE_PERM: ("may not be opened", "check the owner and the mode of the file and its directory"),
    sqlite3.SQLITE_BUSY: _IN_USE,
    sqlite3.SQLITE_LOCKED: _IN_USE,
    sqlite3.SQLITE_READONLY: ("cannot be written", "check the owner and the mode of the file and its directory"),
    sqlite3.SQLITE_IOERR: ("cannot be read or written: input/output error", "check the disk and its file system"),
    sqlite3.SQLITE_CORRUPT: _BROKEN,
    sqlite3.SQLITE_FULL: ("cannot be written: no space is left", "free space on that file system"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "check that the file exists, and its owner and mode"),
    sqlite3.SQLITE_CONSTRAINT: (
        "refuse this record: it is there already, or belongs to one that is not",
        "each run, review and snapshot is recorded once",
    ),
    sqlite3.SQLITE_NOTADB: _BROKEN,
}


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn every error of the database at ``path`` or its file into a ``RecordsError``; its cause stays attached."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise _meaning(path, error) from error
    except json.JSONDecodeError as error:
        raise RecordsError(f"the records {path} hold a value that is not JSON", hint=_RESTORE) from error
    except OSError as error:
        raise RecordsError(f"the records {path} cannot be opened: {error.strerror}") from error


def _meaning(path: Path, error: SQLAlchemyError | sqlite3.Error) -> RecordsError:
    cause = getattr(error, "orig", error)
    code = getattr(cause, "sqlite_errorcode", None)  # absent where the module itself refuses, before SQLite does
    if code is not None and (known := _MEANINGS.get(code & 0xFF)):  # the low byte of an extended code is its family
        return RecordsError(f"the records {path} {known[0]}", hint=known[1])
    return RecordsError(f"the records {path} cannot be used: {cause}")
