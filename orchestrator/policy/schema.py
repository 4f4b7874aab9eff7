"""The published JSON Schema of policy files, and a document held against it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from orchestrator.errors import Problem


def policy_schema() -> dict[str, Any]:
    """A fresh copy of ``policy.schema.json`` (JSON Schema 2020-12)."""
    loaded: dict[str, Any] = json.loads(files("orchestrator.policy").joinpath("policy.schema.json").read_text("utf-8"))
    return loaded


@cache
def _validator() -> Draft202012Validator:
    schema = policy_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def problems_of(document: Any) -> list[Problem]:
    """All that the schema finds wrong, in order of place."""
    found = [*_not_finite(document, ""), *(_problem(error) for error in _validator().iter_errors(document))]
    return sorted(found, key=lambda problem: problem.pointer)


def pointer_of(path: Any) -> str:
    """RFC 6901."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _problem(error: ValidationError) -> Problem:
    schema = error.schema if isinstance(error.schema, dict) else {}
    pointer = pointer_of(error.absolute_path)
    if error.validator == "additionalProperties":
        known = ", ".join(sorted(schema.get("properties", {})))
        return Problem(pointer, error.message, f"only {known}" if known else "known keys only")
    if error.validator == "enum":
        return Problem(pointer, error.message, "")
    return Problem(pointer, error.message, str(schema.get("description", "")))


def _not_finite(value: Any, pointer: str) -> Iterator[Problem]:
    """TOML has inf and nan, and nan passes every ``minimum``."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _not_finite(inner, pointer + pointer_of([key]))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _not_finite(inner, f"{pointer}/{index}")
    elif isinstance(value, float) and not math.isfinite(value):
        yield Problem(pointer, f"{value} is no finite number", "a finite number")
