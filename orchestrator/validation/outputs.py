"""The output of one run: bytes from an untrusted place, parsed strictly and checked against ``output_schema``."""

from __future__ import annotations

from typing import Any, Final

from orchestrator import strictjson
from orchestrator.errors import Problem
from orchestrator.manifest.model import SkillManifest
from orchestrator.schemas import compiled

MAX_OUTPUT_DEPTH: Final = 64


def parse_output(raw: bytes, manifest: SkillManifest, max_bytes: int) -> tuple[Any, tuple[Problem, ...]]:
    """The output and nothing, or None and what is wrong with it. Never raises on any ``raw``.

    ``max_bytes`` is the run's result cap. With problems there is no value: half-checked output is not handed on.
    """
    try:
        value = strictjson.loads(raw, max_bytes=max_bytes, max_depth=MAX_OUTPUT_DEPTH, what="output")
    except strictjson.StrictJSONError as error:
        where = "" if error.offset is None else f" (byte {error.offset})"
        return None, (Problem("", error.reason + where, "one strict JSON value"),)
    if manifest.output_schema is None:
        return value, ()
    problems = tuple(compiled(manifest.output_schema).problems(value))
    return (None, problems) if problems else (value, ())
