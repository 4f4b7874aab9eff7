"""A recorded run as the skill that ran, and what it used of its limits: what a policy can be learnt from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from orchestrator.audit.query import Run
from orchestrator.errors import ManifestError
from orchestrator.manifest import SkillManifest, load_manifest
from orchestrator.sandbox.spec import Limits

_SAME = ("name", "version", "entrypoint", "inputs_schema", "output_schema", "security_level", "dependencies", "vault")


def skill_of(run: Run) -> SkillManifest | None:
    """The skill with the limits and the level that it ran with. None: its code or manifest is not kept any more, or not
    as it was, since a secret was cut out of it."""
    kept = run.manifest
    if hashlib.sha256(run.code.encode("utf-8", "surrogatepass")).hexdigest() != kept.get("code_sha256"):
        return None
    document = {name: kept[name] for name in _SAME if kept.get(name) is not None}
    document |= {"manifest_version": 1, "description": "", "code": run.code, "entrypoint": kept.get("entrypoint")}
    try:
        return load_manifest(document | {"limits": _limits(kept.get("limits", {}))})
    except ManifestError:
        return None  # of an earlier release


def peaks_of(run: Run) -> dict[str, float]:
    """What is known of its use, by the limit's name and in its unit."""
    used = {} if run.outcome is None else run.outcome.body.get("usage", {})
    found: dict[str, float] = {}
    for name, key, unit in (
        ("wall_seconds", "wall_us", 1e6),
        ("memory_mb", "memory_peak_bytes", 2**20),
        ("pids", "pids_peak", 1),
        ("write_mb", "bytes_written", 2**20),
    ):
        if isinstance(used.get(key), int):
            found[name] = used[key] / unit
    return found


def _limits(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Microseconds back to seconds."""
    found: dict[str, Any] = {}
    for each in fields(Limits):
        micro = kept.get(each.name.removesuffix("_seconds") + "_us") if each.name.endswith("_seconds") else None
        value = kept.get(each.name) if micro is None else micro / 1e6 if isinstance(micro, int) else None
        if value is not None:
            found[each.name] = value
    return found
