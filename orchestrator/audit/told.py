"""What the trail's own events tell of it, for ``verify`` to show: they are no tampering, but a person should know."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, func, select

from orchestrator.audit.beginning import BEGUN_ANEW
from orchestrator.audit.ending import BEGUN, REPLACED
from orchestrator.records.tables import AUDIT_RECORDS
from orchestrator.strictjson import StrictJSONError, loads
from orchestrator.text import one_line

MOST: Final = 20
_BODY_BYTES: Final = 10_000
_R: Final = AUDIT_RECORDS.c


def notes(connection: Connection) -> list[str]:
    """One sentence each, the newest ``MOST``, oldest first. The records are not verified here."""
    ours = (_R.kind == "event", _R.status.in_((BEGUN, REPLACED, BEGUN_ANEW)), func.length(_R.body) <= _BODY_BYTES)
    query = select(_R.seq, _R.status, _R.body).where(*ours).order_by(_R.seq.desc()).limit(MOST)
    return [f"record {seq}: {_told(status, _facts(body))}" for seq, status, body in connection.execute(query)][::-1]


def _facts(body: str | bytes) -> dict[str, Any]:
    raw = body if isinstance(body, bytes) else body.encode("utf-8", "replace")
    try:
        found = loads(raw, max_bytes=_BODY_BYTES, max_depth=4, what="record")
        return dict(found["facts"])
    except (StrictJSONError, LookupError, TypeError, ValueError):
        return {}


def _told(action: str, facts: dict[str, Any]) -> str:
    said = {name: one_line(str(value), 120) for name, value in facts.items()}
    if action == BEGUN:
        return f"the anchor file was missing, and was begun again with record {said.get('from', '?')}"
    if action == REPLACED:
        kept = f"kept as {said['kept_as']}" if said.get("kept_as") else "not kept, for too many were"
        return f"a changed anchor file ({said.get('faults', '?')} faults) was replaced, and is {kept}"
    return "the trail was begun anew on purpose; what was before is not in it"
