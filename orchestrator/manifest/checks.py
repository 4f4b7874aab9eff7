"""What a manifest must fulfil beyond its JSON Schema. Pure functions: one concern each, all problems of it.

Each takes the document as parsed and looks only at values of the right type: the schema reports the others.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from orchestrator.errors import Problem
from orchestrator.manifest.on_error import fallback_problems
from orchestrator.manifest.requirements import Fault, requirement_of
from orchestrator.schemas import SchemaError, compiled, pointer, vet_schema
from orchestrator.schemas.explain import quote
from orchestrator.strictjson import dumps_canonical

MAX_METADATA_BYTES: Final = 64 * 1024


def argument_problems(names: Iterable[str], where: str) -> list[Problem]:
    """Inputs become keyword arguments of the entry point, so their names must be identifiers."""
    return [
        Problem(
            pointer(name, base=where), f"the name {quote(name)} cannot be a keyword argument", "a Python identifier"
        )
        for name in names
        if not name.isidentifier() or keyword.iskeyword(name)
    ]


def entrypoint_problems(document: Mapping[str, Any]) -> list[Problem]:
    name = document.get("entrypoint")
    if not isinstance(name, str) or not (keyword.iskeyword(name) or (name.startswith("__") and name.endswith("__"))):
        return []
    return [Problem("/entrypoint", f"is {quote(name)}, a name that Python keeps for itself", "the name of a function")]


def dependency_problems(document: Mapping[str, Any]) -> list[Problem]:
    listed = document.get("dependencies")
    if not isinstance(listed, list):
        return []
    return [
        Problem(f"/dependencies/{index}", f"is {quote(text)}, {reason}", "a requirement like PyYAML>=6,<7")
        for index, text in enumerate(listed[:50])
        if isinstance(text, str) and len(text) <= 256 and (reason := _requirement_fault(text))
    ]


def _requirement_fault(text: str) -> str:
    found = requirement_of(text)
    if isinstance(found, Fault):
        return "" if found.kind == "extras" else f"which {found.message}"
    return ""


def metadata_problems(document: Mapping[str, Any]) -> list[Problem]:
    size = len(dumps_canonical(document.get("metadata", {})))
    return (
        [Problem("/metadata", f"takes {size} bytes", f"at most {MAX_METADATA_BYTES}")]
        if size > MAX_METADATA_BYTES
        else []
    )


def schema_problems(document: Mapping[str, Any]) -> list[Problem]:
    """Both schemas must be ones we evaluate, and the default inputs must fit as far as they go."""
    problems = []
    for key in ("inputs_schema", "output_schema"):
        if isinstance(schema := document.get(key), dict):
            problems += vet_schema(schema, f"/{key}")
    return problems


def default_problems(document: Mapping[str, Any]) -> list[Problem]:
    """Default inputs need not be complete: required ones may come with each run. What is there must fit."""
    inputs, schema = document.get("inputs"), document.get("inputs_schema")
    if not isinstance(inputs, dict):
        return []
    problems = argument_problems(inputs, "/inputs") if document.get("entrypoint", "main") is not None else []
    if isinstance(schema, dict):
        with suppress(SchemaError):  # ``schema_problems`` reports it
            problems += compiled(schema).problems_of_members(inputs, "/inputs")
    return problems


def purity_problems(document: Mapping[str, Any]) -> list[Problem]:
    """Only a pure skill has results worth recording, and one that changes notes is not pure."""
    problems, pure, vault = [], document.get("pure"), document.get("vault")
    if isinstance(document.get("cache"), dict) and pure is not True:
        problems.append(
            Problem("/cache", "is asked for by a skill that does not say it is pure", 'beside it "pure": true')
        )
    if pure is True and isinstance(vault, dict) and vault.get("write"):
        problems.append(Problem("/pure", "is said by a skill that may change notes", "no vault.write, or no pure"))
    return problems


ALL: Final = (
    entrypoint_problems, dependency_problems, metadata_problems, schema_problems, default_problems, fallback_problems,
    purity_problems,
)  # fmt: skip
