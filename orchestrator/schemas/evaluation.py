"""Schemas ready for use: evaluated within a budget of work, fetching nothing, problems said to people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from jsonschema.exceptions import ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from orchestrator.errors import Problem
from orchestrator.schemas import keywords
from orchestrator.schemas.explain import explain
from orchestrator.schemas.formats import FORMAT_CHECKER
from orchestrator.schemas.values import MAX_PROBLEMS
from orchestrator.schemas.vet import vet_schema
from orchestrator.strictjson import dumps_canonical

WORK_UNITS: Final = 400_000
"""Budget of one evaluation (see ``keywords``): about 2 s at worst, or a list of 130,000 checked numbers."""

_NOWHERE: Final[Registry[Any]] = Registry()  # retrieves nothing: a reference out of the document cannot be resolved
_PER_PROPERTY: Final = ("properties", "patternProperties", "additionalProperties")


class SchemaError(ValueError):
    """The schema is not one we evaluate; ``problems`` says why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


class CompiledSchema:
    """A schema that was vetted (or is ours). Thread-safe; holds the only reference to its schema."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        own = json.loads(dumps_canonical(schema))
        self._whole = keywords.new_validator(own, _NOWHERE, FORMAT_CHECKER)
        per_property = {name: own[name] for name in _PER_PROPERTY if name in own}
        self._partial = self._whole.evolve(schema=per_property)  # keeps resolving references in the whole

    def problems(self, instance: Any, where: str = "") -> list[Problem]:
        """What is wrong with ``instance`` (plain JSON values), sorted by pointer, at most ``MAX_PROBLEMS``."""
        return _collect(self._whole.iter_errors(instance), where)

    def problems_of_members(self, instance: Mapping[str, Any], where: str = "") -> list[Problem]:
        """The same for members only: what is there must fit, but nothing need be complete."""
        return _collect(self._partial.iter_errors(instance), where)


def _collect(errors: Iterator[ValidationError], where: str) -> list[Problem]:
    keywords.begin(WORK_UNITS)
    try:
        found = {explain(error, where) for error in islice(errors, MAX_PROBLEMS)}
    except keywords.WorkExceeded:
        message = f"checking it against its schema takes more than {WORK_UNITS} steps"
        return [Problem(where, message, "a smaller document or a simpler schema")]
    except RecursionError:
        return [Problem(where, "its schema refers to itself without end", "a schema whose references make progress")]
    except Unresolvable:  # vetting lets no such schema pass; if one does, nothing is fetched and nothing is accepted
        return [
            Problem(where, "its schema refers to something outside it", "references into the schema, like #/$defs/x")
        ]
    return sorted(found, key=lambda problem: (problem.pointer, problem.message))


def compiled(schema: Mapping[str, Any]) -> CompiledSchema:
    """``schema`` vetted and compiled, or ``SchemaError``. Cached by content: a later change of the mapping is another
    schema, and equal schemas share one entry."""
    return _compiled(dumps_canonical(schema))


@lru_cache(maxsize=256)
def _compiled(canonical: bytes) -> CompiledSchema:
    schema = json.loads(canonical)
    if problems := vet_schema(schema):
        raise SchemaError(problems)
    return CompiledSchema(schema)
