"""A ``SkillManifest`` as the JSON document it stands for, and the digest of that."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

from orchestrator.manifest.model import OnError, ReviewRules, SkillManifest
from orchestrator.manifest.on_error import on_error_document
from orchestrator.schemas import thaw
from orchestrator.strictjson import dumps_canonical


def manifest_document(skill: SkillManifest) -> dict[str, Any]:
    """The effective manifest: every default filled in, the code inlined. Plain values, the caller's own.

    ``load_manifest`` of it gives the same digest. Keys that have no default (the schemas) are left out when unset.
    """
    document: dict[str, Any] = {
        "manifest_version": 1,
        "name": skill.name,
        "version": skill.version,
        "description": skill.description,
        "code": skill.code,
        "entrypoint": skill.entrypoint,
        "inputs": thaw(skill.inputs),
        "security_level": skill.security_level,
        "dependencies": list(skill.dependencies),
        "limits": asdict(skill.limits),
        "vault": {"read": list(skill.vault.read), "write": list(skill.vault.write)},
        "review": _asked(skill.review),
        "metadata": thaw(skill.metadata),
    }
    if skill.recovery != OnError():
        document["on_error"] = on_error_document(skill.recovery)
    if skill.pure:
        document["pure"] = True
    if skill.cache is not None:
        document["cache"] = asdict(skill.cache)
    if skill.inputs_schema is not None:
        document["inputs_schema"] = thaw(skill.inputs_schema)
    if skill.output_schema is not None:
        document["output_schema"] = thaw(skill.output_schema)
    return document


def _asked(review: ReviewRules) -> dict[str, Any]:
    """The rules that say something."""
    none = asdict(ReviewRules())
    asked = {name: value for name, value in asdict(review).items() if value != none[name]}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asked.items()}


def manifest_digest(skill: SkillManifest) -> str:
    """Hex SHA-256 of the effective manifest's canonical JSON: equal for equal skills, however they were written."""
    return hashlib.sha256(dumps_canonical(manifest_document(skill))).hexdigest()
