"""``RecordsError``."""

from __future__ import annotations

from orchestrator.errors import OperatorError


class RecordsError(OperatorError):
    """The records cannot be read or written. Nothing of the transaction that raised it has been stored, unless the
    message says that this is not known."""

    hint = "check the database, its file system or server, and who else uses it"
