"""Is a schema that a stranger wrote one we are willing to evaluate? A strict subset of JSON Schema 2020-12.

Rules, each a problem with its pointer where it is broken:

1. Bounded: size, depth, number of subschemas, length and number of patterns, length of enums.
2. Every keyword is one we evaluate or a known annotation (or starts with ``x-``). A misspelt keyword checks nothing,
   so it is refused rather than ignored; so is an unknown ``format`` or ``type``.
3. Every keyword's value has the type that the standard demands. What passes here passes ``check_schema`` (tested).
4. ``$ref`` is ``#`` or ``#/...`` and leads to a place that was vetted as a schema. Nothing renames or re-bases
   documents (``$id``, ``$anchor``, ``$dynamicRef`` ...), so no reference can leave the document.
5. Patterns are RE2's.
6. ``false`` as a schema only stands for ``additionalProperties`` and ``items``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from orchestrator.errors import Problem
from orchestrator.schemas.explain import listing, quote, suggestion
from orchestrator.schemas.formats import EXPECTED
from orchestrator.schemas.patterns import PatternError, compile_pattern
from orchestrator.schemas.values import MAX_PROBLEMS, copy_json, pointer
from orchestrator.strictjson import dumps_canonical

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MAX_SCHEMA_BYTES: Final = 64 * 1024
MAX_SCHEMA_DEPTH: Final = 32
MAX_SUBSCHEMAS: Final = 1000
MAX_PATTERNS: Final = 64
MAX_ENUM: Final = 1000
_MAX_COUNT: Final = 2**53  # beyond it other readers of JSON lose digits

_TYPE_NAMES: Final = ("array", "boolean", "integer", "null", "number", "object", "string")
_ONE: Final = frozenset({"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"})
_MANY: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED: Final = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
_FALSE_ALLOWED: Final = frozenset({"additionalProperties", "items"})
_REFUSED: Final = {
    "$id": "documents are not renamed: refer to parts of this one by #/...",
    "$anchor": "refer by JSON pointer (#/$defs/...)",
    "$dynamicAnchor": "refer by JSON pointer (#/$defs/...)",
    "$dynamicRef": "use $ref",
    "$recursiveRef": "use $ref",
    "$recursiveAnchor": "use $ref",
    "$vocabulary": "leave it out",
    "contentSchema": "leave it out",
    "dependencies": "use dependentRequired or dependentSchemas",
    "unevaluatedItems": "use items",
    "unevaluatedProperties": "use additionalProperties",
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value) and len(set(value)) == len(value)


def _are_dependencies(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_are_names, value.values()))


def _is_enum(value: Any) -> bool:
    return isinstance(value, list) and 0 < len(value) <= MAX_ENUM


def _is_string(value: Any) -> bool:
    return isinstance(value, str)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_type(value: Any) -> bool:
    if isinstance(value, str):
        return value in _TYPE_NAMES
    return _are_names(value) and bool(value) and all(each in _TYPE_NAMES for each in value)


def _anything(value: Any) -> bool:
    return True


_COUNT: Final = (_is_count, "a non-negative integer")
_NUMBER: Final = (_is_number, "a number")
_TEXT: Final = (_is_string, "a string")
_BOOL: Final = (_is_bool, "true or false")
_ANY: Final = (_anything, "")
_VALUES: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "$comment": _TEXT,
    "$ref": _TEXT,
    "$schema": (lambda value: value in (DIALECT, DIALECT + "#"), quote(DIALECT)),
    "const": _ANY,
    "contentEncoding": _TEXT,
    "contentMediaType": _TEXT,
    "default": _ANY,
    "dependentRequired": (_are_dependencies, "an object of arrays of distinct strings"),
    "deprecated": _BOOL,
    "description": _TEXT,
    "enum": (_is_enum, f"an array of 1 to {MAX_ENUM} values"),
    "examples": (lambda value: isinstance(value, list), "an array"),
    "exclusiveMaximum": _NUMBER,
    "exclusiveMinimum": _NUMBER,
    "format": (lambda value: isinstance(value, str) and value in EXPECTED, f"one of {listing(EXPECTED)}"),
    "maxContains": _COUNT,
    "maxItems": _COUNT,
    "maxLength": _COUNT,
    "maxProperties": _COUNT,
    "maximum": _NUMBER,
    "minContains": _COUNT,
    "minItems": _COUNT,
    "minLength": _COUNT,
    "minProperties": _COUNT,
    "minimum": _NUMBER,
    "multipleOf": (lambda value: _is_number(value) and value > 0, "a number greater than 0"),
    "pattern": _TEXT,
    "readOnly": _BOOL,
    "required": (_are_names, "an array of distinct strings"),
    "title": _TEXT,
    "type": (_is_type, f"one of {listing(_TYPE_NAMES)}, or an array of them"),
    "uniqueItems": _BOOL,
    "writeOnly": _BOOL,
}
_KNOWN: Final = sorted({*_VALUES, *_ONE, *_MANY, *_NAMED})


_Path = tuple[str | int, ...]


def _fragment(path: _Path) -> str:
    """The exact JSON pointer of ``path``, nothing shortened or escaped for display."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


class _Vetting:
    """One walk over a schema. ``seen`` holds the fragments that were vetted as schemas."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.problems: list[Problem] = []
        self.seen: set[str] = set()
        self.references: list[tuple[_Path, str]] = []
        self.patterns = 0

    def report(self, path: _Path, message: str, expected: str = "") -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(pointer(*path, base=self.where), message, expected))

    def schema(self, schema: Any, path: _Path) -> None:
        self.seen.add(_fragment(path))
        if len(self.seen) > MAX_SUBSCHEMAS:
            return  # ``finish`` reports it
        if schema is True:
            return
        if schema is False:
            self.report(path, "is false", '{"not": {}}, which says the same')
        elif not isinstance(schema, dict):
            self.report(path, f"is {quote(schema)}", "a schema: an object, or true")
        else:
            for keyword, value in schema.items():
                self.keyword(keyword, value, (*path, keyword))

    def keyword(self, keyword: str, value: Any, path: _Path) -> None:
        if value is False and keyword in _FALSE_ALLOWED:
            return
        if keyword in _ONE:
            self.schema(value, path)
        elif keyword in _MANY:
            self.many(value, path)
        elif keyword in _NAMED:
            self.named(keyword, value, path)
        elif keyword in _VALUES:
            self.value(keyword, value, path)
        elif keyword in _REFUSED:
            self.report(path, f"the keyword {quote(keyword)} is not supported", _REFUSED[keyword])
        elif not keyword.startswith("x-"):
            self.report(path, f"unknown keyword {quote(keyword)}{suggestion(keyword, _KNOWN)}", "a known keyword")

    def many(self, value: Any, path: _Path) -> None:
        if not isinstance(value, list) or not value:
            self.report(path, f"is {quote(value)}", "a non-empty array of schemas")
            return
        for index, each in enumerate(value):
            self.schema(each, (*path, index))

    def named(self, keyword: str, value: Any, path: _Path) -> None:
        if not isinstance(value, dict):
            self.report(path, f"is {quote(value)}", "an object of schemas")
            return
        for name, each in value.items():
            if keyword == "patternProperties":
                self.pattern(name, (*path, name))
            self.schema(each, (*path, name))

    def value(self, keyword: str, value: Any, path: _Path) -> None:
        fits, expected = _VALUES[keyword]
        if not fits(value):
            hint = suggestion(value, EXPECTED) if keyword == "format" and isinstance(value, str) else ""
            self.report(path, f"is {quote(value)}{hint}", expected)
        elif keyword == "$schema" and len(path) > 1:
            self.report(path, "stands inside a schema", "$schema only at the top")
        elif keyword == "pattern":
            self.pattern(value, path)
        elif keyword == "$ref":
            self.reference(value, path)

    def pattern(self, source: str, path: _Path) -> None:
        self.patterns += 1
        if self.patterns > MAX_PATTERNS:
            return  # ``finish`` reports it
        try:
            compile_pattern(source)
        except PatternError as error:
            self.report(path, f"is no pattern we accept: {error}", "RE2 syntax, small and without look-around")

    def reference(self, target: str, path: _Path) -> None:
        if target != "#" and not target.startswith("#/"):
            self.report(path, f"is {quote(target)}", "a reference into this schema, like #/$defs/name")
        else:
            self.references.append((path, target))

    def finish(self) -> list[Problem]:
        if len(self.seen) > MAX_SUBSCHEMAS:
            self.report((), f"holds more than {MAX_SUBSCHEMAS} subschemas", "a simpler schema")
            return self.problems
        if self.patterns > MAX_PATTERNS:
            self.report((), f"holds more than {MAX_PATTERNS} patterns", "fewer patterns")
        for path, target in self.references:
            if unquote(target[1:]) not in self.seen:
                self.report(path, f"refers to {quote(target)}, where no schema is", "a reference to a schema here")
        return self.problems


def vet_schema(schema: Any, where: str = "") -> list[Problem]:
    """Everything that keeps ``schema`` from being evaluated here; pointers are below ``where``. Never raises."""
    copied, problems = copy_json(
        schema, max_depth=MAX_SCHEMA_DEPTH, max_nodes=MAX_SCHEMA_BYTES, max_characters=MAX_SCHEMA_BYTES, where=where
    )
    if problems:
        return problems
    size = len(dumps_canonical(copied))
    if size > MAX_SCHEMA_BYTES:
        return [Problem(where, f"takes {size} bytes", f"at most {MAX_SCHEMA_BYTES}")]
    if not isinstance(copied, dict):
        return [Problem(where, f"is {quote(copied)}", "a JSON Schema (an object)")]
    vetting = _Vetting(where)
    vetting.schema(copied, ())
    return vetting.finish()
