"""The inputs of one run: defaults overlaid by what the caller gives, checked before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.errors import InputsError, Problem
from orchestrator.manifest.checks import argument_problems
from orchestrator.manifest.model import SkillManifest
from orchestrator.schemas import compiled, copy_json, thaw
from orchestrator.strictjson import dumps_canonical

MAX_INPUT_BYTES: Final = 4 * 2**20  # as canonical JSON; a JOB frame takes 16 MiB in all
MAX_INPUT_DEPTH: Final = 64
MAX_INPUT_NODES: Final = 200_000


def merge_and_check(manifest: SkillManifest, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the skill is called with, as plain JSON values that share nothing with ``given``.

    Top-level keys of ``given`` replace those of the manifest's ``inputs``; nothing is merged deeper. Without an
    ``inputs_schema`` any JSON object will do. Raises ``InputsError`` with every problem and its JSON pointer.
    """
    copied, problems = _copied({} if given is None else given)
    if not problems:
        inputs: dict[str, Any] = {**thaw(manifest.inputs), **copied}
        problems = _problems(manifest, inputs)
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise InputsError(f"inputs of {manifest.name}: {count}", tuple(problems))
    return inputs


def _copied(given: Any) -> tuple[Any, list[Problem]]:
    if not isinstance(given, Mapping):
        return None, [Problem("", f"is a Python {type(given).__name__}", "an object (a mapping with string keys)")]
    return copy_json(given, max_depth=MAX_INPUT_DEPTH, max_nodes=MAX_INPUT_NODES, max_characters=MAX_INPUT_BYTES)


def _problems(manifest: SkillManifest, inputs: dict[str, Any]) -> list[Problem]:
    size = len(dumps_canonical(inputs))
    if size > MAX_INPUT_BYTES:
        return [Problem("", f"take {size} bytes as JSON", f"at most {MAX_INPUT_BYTES}; put large data into the vault")]
    problems = [] if manifest.entrypoint is None else argument_problems(inputs, "")
    if manifest.inputs_schema is not None:
        problems += compiled(manifest.inputs_schema).problems(inputs)
    return sorted(set(problems), key=lambda problem: (problem.pointer, problem.message))
