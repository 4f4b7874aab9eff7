"""The manifest's own JSON Schema, as published by ``orchestrator schema``."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

from orchestrator.schemas import CompiledSchema


def manifest_schema() -> dict[str, Any]:
    """The schema as a dict of the caller's own."""
    schema: dict[str, Any] = json.loads(files(__package__).joinpath("skill-manifest.schema.json").read_bytes())
    return schema


@lru_cache(maxsize=1)
def compiled_manifest_schema() -> CompiledSchema:
    return CompiledSchema(manifest_schema())
