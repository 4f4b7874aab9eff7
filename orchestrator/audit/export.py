"""Records as JSON Lines with the field names of OCSF (Open Cybersecurity Schema Framework) 1.3, where they fit.

| record | class | activity |
|---|---|---|
| intent | 1007 Process Activity | 1 Launch |
| outcome | 1007 Process Activity | 2 Terminate |
| event, rotation, checkpoint | 6003 API Activity | 99 Other |

What OCSF has no field for is under ``unmapped``: the whole body, and the seal. Where somebody put something else in the
place of a time, ``time`` is 0, and ``at_us`` under ``unmapped`` is that as text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any, Final

from orchestrator.audit.query import Record
from orchestrator.audit.records import RAISED
from orchestrator.results.model import Status

OCSF: Final = "1.3.0"
_PROCESS, _API = 1007, 6003
_SHA256: Final = 3  # OCSF's number for the algorithm
_GOOD: Final = frozenset({Status.SUCCEEDED.value, Status.HELD.value, "allowed"})
_LOUD: Final = frozenset({Status.SANDBOX_ERROR.value, RAISED})
_NEUTRAL: Final = frozenset({Status.CANCELLED.value, Status.CONFLICT.value})


def lines(records: Iterable[Record]) -> Iterator[str]:
    """One JSON document a line, ASCII, in the order of the trail."""
    product = {"name": "skill-orchestrator", "vendor_name": "skill-orchestrator",
               "version": version("skill-orchestrator")}  # fmt: skip
    for record in records:
        yield json.dumps(event(record, product), sort_keys=True, separators=(",", ":"))


def event(record: Record, product: dict[str, str]) -> dict[str, Any]:
    found = _common(record, product)
    if record.kind in ("intent", "outcome"):
        found |= _process(record)
    else:
        found["api"] = {"operation": record.status or record.kind}
    if record.principal or record.session:
        found["actor"] = {"user": {"name": record.principal}, "session": {"uid": record.session}}
    return found


def _common(record: Record, product: dict[str, str]) -> dict[str, Any]:
    activity, name = {"intent": (1, "Launch"), "outcome": (2, "Terminate")}.get(record.kind, (99, "Other"))
    process = activity != 99
    classed = _PROCESS if process else _API
    return {
        "time": record.at_us // 1000,
        "category_uid": classed // 1000,
        "class_uid": classed,
        "class_name": "Process Activity" if process else "API Activity",
        "activity_id": activity,
        "activity_name": name if process else record.kind,
        "type_uid": classed * 100 + activity,
        "severity_id": _severity(record),
        "status_id": _status(record),
        "status": record.status,
        "metadata": {"version": OCSF, "product": product, "uid": record.mac, "sequence": record.seq,
                     "correlation_uid": record.run_id},
        "unmapped": {"kind": record.kind, "at_us": record.odd_at or record.at_us, "code": record.code,
                     "manifest": record.manifest, "body": record.body, "prev": record.prev, "mac": record.mac},
    }  # fmt: skip


def _severity(record: Record) -> int:
    """1 informational, 2 low, 3 medium, 4 high."""
    if record.status in _LOUD:
        return 4
    if record.status == "denied":
        return 3
    return 1 if record.kind not in ("intent", "outcome") or record.status in _GOOD | _NEUTRAL else 2


def _status(record: Record) -> int:
    """1 success, 2 failure, 99 neither."""
    if record.status in _GOOD or record.kind not in ("intent", "outcome"):
        return 1
    return 99 if record.status in _NEUTRAL else 2


def _process(record: Record) -> dict[str, Any]:
    process: dict[str, Any] = {"uid": record.run_id, "name": record.skill}
    code = record.body.get("code")
    if isinstance(code, dict):
        hashes = [{"algorithm_id": _SHA256, "algorithm": "SHA-256", "value": code.get("sha256", "")}]
        process["file"] = {"name": record.skill, "type_id": 1, "hashes": hashes, "size": code.get("bytes", 0)}
    found: dict[str, Any] = {"process": process}
    if digest := record.body.get("policy_digest"):
        found["policy"] = {"uid": digest, "is_applied": record.body.get("enforcement") == "enforce"}
    if image := record.body.get("image_id"):
        found["container"] = {"image": {"uid": image}}
    if record.body.get("exit_code") is not None:
        found["exit_code"] = record.body["exit_code"]
    return found
