"""JSON columns: the same values are taken, and the same refused, by every database."""

from __future__ import annotations

import json
from typing import Any

from orchestrator.records.errors import RecordsError


def as_json(value: Any) -> str:
    """ASCII alone, so that lone surrogates and NUL characters are kept too. ``RecordsError``: no JSON value."""
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise RecordsError(
            f"the records take only JSON values here: {error}", hint="this is a defect of the caller"
        ) from error
