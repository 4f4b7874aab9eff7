from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestrator.schemas import vet_schema
from orchestrator.schemas.vet import MAX_PATTERNS, MAX_SUBSCHEMAS


def test_an_ordinary_schema_passes() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "title": "t",
        "x-note": [1],
        "properties": {"a": {"$ref": "#/$defs/name"}, "b": {"type": ["integer", "null"], "minimum": 1.5}},
        "patternProperties": {"^x-": {"enum": [1, "a", None]}},
        "additionalProperties": False,
        "required": ["a"],
        "$defs": {"name": {"type": "string", "format": "vault-path", "pattern": "^[\\p{L}]+$"}, "a/b~c": True},
        "allOf": [{"$ref": "#/$defs/a~1b~0c"}, {"if": {"required": ["b"]}, "then": {"minProperties": 2}}],
    }
    assert vet_schema(schema) == []


BROKEN: list[tuple[Any, str, str]] = [
    ({"type": "objct"}, "/type", '"objct"'),
    ({"type": []}, "/type", "array"),
    ({"requried": ["a"]}, "/requried", 'did you mean "required"'),
    ({"format": "emial"}, "/format", 'did you mean "email"'),
    ({"properties": {"a": {"minLength": -1}}}, "/properties/a/minLength", "-1"),
    ({"minLength": 1e18}, "/minLength", "non-negative integer"),
    ({"maxItems": True}, "/maxItems", "non-negative integer"),
    ({"maximum": True}, "/maximum", "a number"),
    ({"maximum": float("nan")}, "/maximum", "nan"),
    ({"multipleOf": 0}, "/multipleOf", "greater than 0"),
    ({"enum": []}, "/enum", "1 to 1000"),
    ({"enum": list(range(1001))}, "/enum", "1 to 1000"),
    ({"required": ["a", "a"]}, "/required", "distinct"),
    ({"anyOf": []}, "/anyOf", "non-empty"),
    ({"items": [{}]}, "/items", "a schema"),
    ({"not": False}, "/not", "is false"),
    ({"properties": {"items": False}}, "/properties/items", "is false"),
    ({"$id": "http://x.invalid/"}, "/$id", "not supported"),
    ({"properties": {"a": {"$anchor": "x"}}}, "/properties/a/$anchor", "not supported"),
    ({"$dynamicRef": "#x"}, "/$dynamicRef", "not supported"),
    ({"unevaluatedProperties": False}, "/unevaluatedProperties", "not supported"),
    ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema", "2020-12"),
    ({"not": {"$schema": "https://json-schema.org/draft/2020-12/schema"}}, "/not/$schema", "only at the top"),
    ({"pattern": "(?=x)"}, "/pattern", "RE2 refuses it"),
    ({"pattern": "(a)\\1"}, "/pattern", "RE2 refuses it"),
    ({"pattern": "a{1000000}"}, "/pattern", "RE2 refuses it"),
    ({"pattern": "((a{100}){100}){100}"}, "/pattern", "RE2 refuses it"),
    ({"pattern": "(\\p{L}{1,100}){10}"}, "/pattern", "use maxLength"),
    ({"pattern": "x" * 1001}, "/pattern", "longer than 1000"),
    ({"patternProperties": {"(?<!a)b": True}}, "/patternProperties/(?<!a)b", "RE2 refuses it"),
    ({"$ref": "#/$defs/none"}, "/$ref", "where no schema is"),
    ({"$ref": "#/const", "const": {"pattern": "(a+)+$", "type": 7}}, "/$ref", "where no schema is"),
    ({"anyOf": [True], "$ref": "#/anyOf/00"}, "/$ref", "where no schema is"),
    *[
        ({"$ref": target}, "/$ref", "a reference into this schema")
        for target in ("http://x.invalid/s", "file:///etc/passwd", "other.json", "//host/s", "data:,{}", "#name", "")
    ],
    ([1], "", "a JSON Schema"),
    ({"x-a": "y" * 70_000}, "/x-a", "too large"),
    ({"enum": ["é" * 33_000]}, "", "at most 65536"),
]


@pytest.mark.parametrize(
    ("schema", "pointer", "words"), BROKEN, ids=[f"{case[1]}-{i}" for i, case in enumerate(BROKEN)]
)
def test_what_is_refused_and_where(schema: Any, pointer: str, words: str) -> None:
    problems = vet_schema(schema, "/inputs_schema")
    assert [problem.pointer for problem in problems][:1] == [("/inputs_schema" + pointer)]
    assert words in str(problems[0])


def test_all_problems_at_once() -> None:
    schema = {"type": "x", "properties": {"a": {"$ref": "http://x.invalid"}, "b": {"minLength": "1"}}}
    assert {problem.pointer for problem in vet_schema(schema)} == {
        "/type",
        "/properties/a/$ref",
        "/properties/b/minLength",
    }


def test_bounds_hold() -> None:
    deep: dict[str, Any] = {}
    for _ in range(40):
        deep = {"not": deep}
    assert "nested deeper" in str(vet_schema(deep)[0])
    assert "subschemas" in str(vet_schema({"allOf": [True] * (MAX_SUBSCHEMAS + 1)})[0])
    assert "patterns" in str(vet_schema({"allOf": [{"pattern": f"a{i}"} for i in range(MAX_PATTERNS + 1)]})[0])
    assert len(vet_schema({"properties": {f"p{i}": {"type": i} for i in range(500)}})) == 50


def test_a_schema_that_holds_itself_is_refused() -> None:
    schema: dict[str, Any] = {}
    schema["not"] = schema
    assert "holds itself" in str(vet_schema(schema)[0])


KEYWORD_VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        0,
        1,
        -1,
        1.5,
        True,
        False,
        None,
        "string",
        "integer",
        "email",
        "^a",
        [],
        ["a"],
        ["string"],
        [True],
        [{}],
        {},
        {"a": {}},
        {"a": ["b"]},
        "#",
    ]
)
KEYWORDS = st.sampled_from(sorted({*Draft202012Validator.VALIDATORS, "title", "default", "$defs", "examples", "then"}))


@given(st.dictionaries(KEYWORDS, KEYWORD_VALUES, max_size=4))
def test_what_passes_here_passes_the_standards_meta_schema(schema: dict[str, Any]) -> None:
    if not vet_schema(schema):
        Draft202012Validator.check_schema(schema)
