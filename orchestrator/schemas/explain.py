"""A failed keyword, said to a person: where, what was found, what would have been right.

Two annotations steer the words: ``x-expected`` (a phrase that replaces ours) and ``x-unit`` (of a number).
Values are quoted shortly and escaped; the schema's own words are untrusted text too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from jsonschema.exceptions import ValidationError

from orchestrator.errors import Problem
from orchestrator.schemas.formats import EXPECTED
from orchestrator.schemas.values import pointer
from orchestrator.text import one_line

_TYPES: Final = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "array": "an array",
    "object": "an object",
}
_SHOWN: Final = 60  # characters of a value
_LISTED: Final = 20  # names in one "one of ..."


def quote(value: Any) -> str:
    """A scalar as JSON, cut and escaped; a container by its kind and size."""
    if isinstance(value, dict):
        return "an object" if value else "an empty object"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    if isinstance(value, str):
        return f'"{one_line(value, _SHOWN)}"'
    return one_line(json.dumps(value), _SHOWN)


def suggestion(name: str, known: Iterable[str]) -> str:
    """``; did you mean "limits"?``, or nothing."""
    close = get_close_matches(name[:100], [each for each in known if len(each) <= 100], n=1)
    return f"; did you mean {quote(close[0])}?" if close else ""


def listing(names: Iterable[Any]) -> str:
    """Quoted names, comma-separated, not too many of them."""
    shown = [quote(name) for name in names]
    more = f" and {len(shown) - _LISTED} more" if len(shown) > _LISTED else ""
    return ", ".join(shown[:_LISTED]) + more


def _span(schema: Mapping[str, Any]) -> str:
    """`` from 16 to 65536 MB`` for the numeric bounds of ``schema``."""
    unit = f" {one_line(str(schema['x-unit']), 20)}" if "x-unit" in schema else ""
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" from {quote(low)} to {quote(high)}{unit}"
    if low is not None:
        return f" of at least {quote(low)}{unit}"
    return f" of at most {quote(high)}{unit}" if high is not None else unit and f" ({unit.strip()})"


def describe(schema: Any) -> str:
    """What ``schema`` accepts, in a phrase; empty where there is no short one."""
    if not isinstance(schema, Mapping):
        return ""
    if isinstance(phrase := schema.get("x-expected"), str):
        return one_line(phrase, 300)
    if "const" in schema:
        return quote(schema["const"])
    if "enum" in schema:
        return f"one of {listing(schema['enum'])}"
    if "format" in schema:
        return EXPECTED.get(schema["format"], "")
    types = schema.get("type", ())
    names = [types] if isinstance(types, str) else list(types)
    spoken = " or ".join(_TYPES.get(name, "") for name in names)
    return spoken + _span(schema) if {"integer", "number"} & set(names) else spoken


@dataclass(frozen=True, slots=True)
class _Failure:
    """The parts of a ``ValidationError`` that words are made of."""

    keyword: str
    value: Any  # of the keyword
    found: Any
    schema: Mapping[str, Any]
    name: str  # of the key or index, "" at the root

    @property
    def unit(self) -> str:
        return f" {one_line(str(self.schema['x-unit']), 20)}" if "x-unit" in self.schema else ""

    def phrase(self, otherwise: str) -> str:
        return one_line(str(self.schema.get("x-expected", otherwise)), 300)


_Words = Callable[[_Failure], tuple[str, str]]  # what was found, what was expected


def _missing(failure: _Failure) -> tuple[str, str]:
    return "is required, but missing", describe(failure.schema.get("properties", {}).get(failure.name))


def _unknown(failure: _Failure) -> tuple[str, str]:
    known = list(failure.schema.get("properties", {}))
    expected = f"one of {listing(sorted(known))}" if known else "no keys here"
    return f"unknown key {quote(failure.name)}{suggestion(failure.name, known)}", expected


def _enum(failure: _Failure) -> tuple[str, str]:
    hint = ""
    if isinstance(failure.found, str):
        hint = suggestion(failure.found, [each for each in failure.value if isinstance(each, str)])
    return f"is {quote(failure.found)}{hint}", failure.phrase(f"one of {listing(failure.value)}")


def _wrong(failure: _Failure) -> tuple[str, str]:
    return f"is {quote(failure.found)}", describe(failure.schema)


def _bound(words: str) -> _Words:
    """For one side of a range; the whole range is said where there is one."""

    def explanation(failure: _Failure) -> tuple[str, str]:
        whole = describe(failure.schema) if failure.keyword in ("minimum", "maximum") else ""
        return f"is {quote(failure.found)}", whole or f"{words} {quote(failure.value)}{failure.unit}"

    return explanation


def _size(what: str, noun: str) -> _Words:
    def explanation(failure: _Failure) -> tuple[str, str]:
        low, high = failure.schema.get(f"min{what}"), failure.schema.get(f"max{what}")
        if low is not None and high is not None:
            expected = f"{low} to {high} {noun}"
        else:
            expected = f"at least {low} {noun}" if high is None else f"at most {high} {noun}"
        return f"has {len(failure.found)} {noun}", failure.phrase(expected) if what == "Properties" else expected

    return explanation


def _pattern(failure: _Failure) -> tuple[str, str]:
    return f"is {quote(failure.found)}", failure.phrase(f"text that matches {quote(failure.value)}")


def _said(message: str, expected: str = "") -> _Words:
    return lambda failure: (message, failure.phrase(expected))


def _alternatives(failure: _Failure) -> tuple[str, str]:
    choices = [
        each["required"][0] for each in failure.value if isinstance(each, Mapping) and list(each) == ["required"]
    ]
    if choices and len(choices) == len(failure.value) and isinstance(failure.found, Mapping):
        given = [name for name in choices if name in failure.found]
        return f"gives {listing(given) or 'none of ' + listing(choices)}", failure.phrase(f"one of {listing(choices)}")
    phrases = list(dict.fromkeys(filter(None, map(describe, failure.value))))
    how = "exactly one" if failure.keyword == "oneOf" else "one"
    return f"does not fit {how} of the alternatives", failure.phrase(" or ".join(phrases[:5]))


_EXPLANATIONS: Final[Mapping[str, _Words]] = {
    "additionalProperties": _unknown,
    "anyOf": _alternatives,
    "const": _wrong,
    "contains": _said("does not hold the items it should (contains)"),
    "dependentRequired": _said("lacks a key that another of its keys requires (dependentRequired)"),
    "enum": _enum,
    "exclusiveMaximum": _bound("less than"),
    "exclusiveMinimum": _bound("more than"),
    "format": _wrong,
    "items": _said("has too many items"),
    "maxItems": _size("Items", "items"),
    "maxLength": _size("Length", "characters"),
    "maxProperties": _size("Properties", "keys"),
    "maximum": _bound("at most"),
    "minItems": _size("Items", "items"),
    "minLength": _size("Length", "characters"),
    "minProperties": _size("Properties", "keys"),
    "minimum": _bound("at least"),
    "multipleOf": _bound("a multiple of"),
    "not": _said("is a value that is ruled out (not)", "another value"),
    "oneOf": _alternatives,
    "pattern": _pattern,
    "required": _missing,
    "type": _wrong,
    "uniqueItems": _said("holds the same value twice", "each value once"),
}


def explain(error: ValidationError, where: str = "") -> Problem:
    """``error`` as a ``Problem``; ``where`` is the pointer of the checked document's root."""
    path = list(error.absolute_path)
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    name = str(path[-1]) if path else ""
    failure = _Failure(str(error.validator), error.validator_value, error.instance, schema, name)
    words = _EXPLANATIONS.get(failure.keyword, _said(f"breaks the rule {quote(failure.keyword)}"))
    return Problem(pointer(*path, base=where), *words(failure))
