from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestrator.schemas import CompiledSchema, SchemaError, compiled, copy_json, freeze, thaw
from orchestrator.schemas.formats import is_email, is_vault_path


def problems(schema: dict[str, Any], instance: Any) -> list[str]:
    return [str(problem) for problem in compiled(schema).problems(instance)]


FAILURES: list[tuple[dict[str, Any], Any, str]] = [
    ({"type": "integer"}, True, "(document): is true; expected an integer"),
    ({"type": "integer"}, 1.0, "(document): is 1.0; expected an integer"),
    ({"type": ["string", "null"]}, 1, "(document): is 1; expected a string or null"),
    ({"const": 1}, True, "(document): is true; expected 1"),
    ({"enum": [0, "a"]}, False, '(document): is false; expected one of 0, "a"'),
    ({"enum": ["strict"]}, "strickt", '(document): is "strickt"; did you mean "strict"?; expected one of "strict"'),
    (
        {"minimum": 1, "maximum": 5, "type": "integer", "x-unit": "MB"},
        9,
        "(document): is 9; expected an integer from 1 to 5 MB",
    ),
    ({"exclusiveMinimum": 0}, 0, "(document): is 0; expected more than 0"),
    ({"multipleOf": 5}, 7, "(document): is 7; expected a multiple of 5"),
    ({"minLength": 2}, "a", "(document): has 1 characters; expected at least 2 characters"),
    ({"maxItems": 1, "minItems": 0}, [1, 2], "(document): has 2 items; expected 0 to 1 items"),
    ({"maxProperties": 0}, {"a": 1}, "(document): has 1 keys; expected at most 0 keys"),
    (
        {"required": ["a"], "properties": {"a": {"type": "string"}}},
        {},
        "/a: is required, but missing; expected a string",
    ),
    (
        {"properties": {"limits": True}, "additionalProperties": False},
        {"limit": 1},
        '/limit: unknown key "limit"; did you mean "limits"?; expected one of "limits"',
    ),
    ({"additionalProperties": {"type": "null"}}, {"a/b~c": 1}, "/a~1b~0c: is 1; expected null"),
    ({"patternProperties": {"^a": {"type": "null"}}}, {"ab": 1}, "/ab: is 1; expected null"),
    ({"prefixItems": [True], "items": False}, [1, 2], "(document): has too many items"),
    ({"items": {"type": "string"}}, ["a", 2], "/1: is 2; expected a string"),
    ({"pattern": "^a$"}, "a\n", '(document): is "a\\n"; expected text that matches "^a$"'),
    ({"pattern": "^\\d$"}, "٣", '(document): is "٣"; expected text that matches "^\\d$"'),
    ({"format": "email"}, "a@", '(document): is "a@"; expected an e-mail address'),
    ({"uniqueItems": True}, [{"a": 1}, {"a": 1.0}], "(document): holds the same value twice; expected each value once"),
    (
        {"anyOf": [{"type": "null"}, {"type": "string"}]},
        1,
        "(document): does not fit one of the alternatives; expected null or a string",
    ),
    (
        {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {"a": 1, "b": 2},
        '(document): gives "a", "b"; expected one of "a", "b"',
    ),
    ({"not": {"type": "null"}}, None, "(document): is a value that is ruled out (not); expected another value"),
    ({"contains": {"const": 1}}, [2], "(document): does not hold the items it should (contains)"),
    (
        {"dependentRequired": {"a": ["b"]}},
        {"a": 1},
        "(document): lacks a key that another of its keys requires (dependentRequired)",
    ),
    ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, "(document): has 2 characters; expected at most 1 characters"),
    ({"if": {"type": "integer"}, "then": {"minimum": 3}}, 1, "(document): is 1; expected at least 3"),
    ({"$defs": {"n": {"type": "null"}}, "items": {"$ref": "#/$defs/n"}}, [1], "/0: is 1; expected null"),
    ({"x-expected": "a colour", "pattern": "^#"}, "red", '(document): is "red"; expected a colour'),
]


@pytest.mark.parametrize(("schema", "instance", "said"), FAILURES, ids=[next(iter(case[0])) for case in FAILURES])
def test_failures_in_words(schema: dict[str, Any], instance: Any, said: str) -> None:
    assert problems(schema, instance) == [said]


def test_values_are_shown_short_and_escaped() -> None:
    [said] = problems({"const": 1}, "\x1b[2J" + "x" * 1_000_000)
    assert "\\x1b[2J" in said
    assert "\x1b" not in said
    assert len(said) < 200


def test_problems_are_sorted_and_capped() -> None:
    said = problems({"additionalProperties": {"type": "null"}}, {f"k{i:03}": 1 for i in range(200, 0, -1)})
    assert len(said) == 50
    assert said == sorted(said)


SIMPLE = st.sampled_from(
    [
        {"type": "integer"},
        {"type": "string"},
        {"minimum": 2},
        {"maxLength": 1},
        {"const": "a"},
        {"uniqueItems": True},
        True,
    ]
)
SCHEMAS = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).flatmap(
            lambda many: st.sampled_from(["anyOf", "oneOf", "allOf", "prefixItems"]).map(lambda key: {key: many})
        ),
        inner.flatmap(
            lambda one: st.sampled_from(["not", "items", "contains", "additionalProperties"]).map(
                lambda key: {key: one}
            )
        ),
        st.tuples(inner, inner).map(
            lambda two: {"properties": {"a": two[0]}, "additionalProperties": two[1], "required": ["a"]}
        ),
    ),
    max_leaves=8,
)
INSTANCES = st.recursive(
    st.sampled_from([None, True, 1, 2, 3, "a", "bb"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner),
    max_leaves=6,
)


@given(SCHEMAS, INSTANCES)
def test_verdicts_are_those_of_the_reference_implementation(schema: Any, instance: Any) -> None:
    wrapped = {"allOf": [schema]}
    assert (not compiled(wrapped).problems(instance)) == Draft202012Validator(wrapped).is_valid(instance)


def test_members_are_checked_without_completeness() -> None:
    schema = compiled(
        {
            "$defs": {"n": {"type": "integer"}},
            "properties": {"a": {"$ref": "#/$defs/n"}},
            "required": ["b"],
            "additionalProperties": False,
        }
    )
    assert schema.problems_of_members({"a": 1}) == []
    assert [problem.pointer for problem in schema.problems_of_members({"a": "x", "c": 1}, "/inputs")] == [
        "/inputs/a",
        "/inputs/c",
    ]


def test_nested_alternatives_end_in_a_refusal_not_in_a_busy_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.schemas.evaluation.WORK_UNITS", 20_000)
    levels = {f"l{i}": {"anyOf": [{"$ref": f"#/$defs/l{i + 1}"}] * 10} for i in range(20)}
    schema = {"$defs": {**levels, "l20": {"type": "null"}}, "$ref": "#/$defs/l0"}
    [said] = problems(schema, 1)  # 10**20 evaluations without a budget
    assert "takes more than" in said


@pytest.mark.parametrize(
    ("schema", "instance"),
    [
        ({"items": {"pattern": "(x+x+)+y"}}, ["x" * 50_000] * 20),
        ({"items": {"pattern": "(.{30}){30}z"}}, ["x" * 20_000]),
        ({"patternProperties": {"^(a|aa)+$": {"type": "null"}}}, {"a" * 50_000 + "b": 1}),
        ({"uniqueItems": True}, [{"a": n} for n in range(50_000)]),
        ({"uniqueItems": True}, [n * (2**61 - 1) for n in range(50_000)]),  # one hash for all
        ({"items": {"allOf": [{"const": list(range(400))}] * 30}}, [list(range(400))] * 100),
        ({"anyOf": [{"type": "null"}] * 900}, ["x" * 1000] * 1000),
    ],
    ids=["backtracking", "large-program", "names", "objects", "collisions", "deep-const", "repr"],
)
def test_costly_pairs_of_schema_and_instance_are_bounded(schema: dict[str, Any], instance: Any) -> None:
    problems(schema, instance)  # each would take minutes, hours or gigabytes if evaluated naively


def test_a_reference_that_makes_no_progress_is_refused() -> None:
    assert "refers to itself" in problems({"$ref": "#"}, 1)[0]
    assert (
        "refers to itself" in problems({"$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"}, 1)[0]
    )


def test_recursive_schemas_that_do_are_fine() -> None:
    tree = {"type": "object", "properties": {"children": {"items": {"$ref": "#"}}}, "additionalProperties": False}
    assert problems(tree, {"children": [{"children": []}]}) == []
    assert problems(tree, {"children": [{"child": []}]})[0].startswith("/children/0/child: unknown key")


def test_nothing_is_fetched_even_when_vetting_is_bypassed(tmp_path: Path) -> None:
    canary = tmp_path / "canary.json"
    canary.write_text("true")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"
        for target in (url, canary.as_uri(), str(canary), "canary.json"):
            for schema in ({"$ref": target}, {"$id": canary.as_uri(), "properties": {"a": {"$ref": target + "#/x"}}}):
                with pytest.raises(SchemaError):
                    compiled(schema)
                [problem] = CompiledSchema(schema).problems({"a": 1})  # trusted by mistake: still refused
                assert "refers to something outside" in problem.message
        with pytest.raises(BlockingIOError):
            server.accept()  # nobody called


def test_a_schema_changed_after_compiling_is_another_schema() -> None:
    schema: dict[str, Any] = {"type": "null"}
    before = compiled(schema)
    schema["type"] = "integer"
    assert before.problems(None) == []
    assert compiled(schema).problems(None) != []
    assert compiled({"type": "null"}) is before


def test_threads_have_budgets_of_their_own() -> None:
    schema = compiled({"items": {"type": "integer"}})
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(schema.problems, [[1] * 2000] * 40)) == [[]] * 40


@pytest.mark.parametrize("path", [".", "Inbox", "a/b", ".obsidian", "..hidden", "a b/ü.md", "a..b", "x" * 255])
def test_vault_paths(path: str) -> None:
    assert is_vault_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "..",
        "a/..",
        "../a",
        "a/../b",
        "/a",
        "a/",
        "a//b",
        "./a",
        "a/.",
        "a\\b",
        "a\0",
        "a\n",
        "\x7f",
        "a\x85",
        "\u202ea",
        "\u2028",
        "x" * 256,
        "é" * 128,
        "a/" * 3000 + "a",
    ],
)
def test_no_vault_paths(path: str) -> None:
    assert not is_vault_path(path)


@pytest.mark.parametrize(
    ("address", "valid"),
    [
        ("a.b+c@example.org", True),
        ("a@b", True),
        ("@", False),
        ("a@b@c", False),
        ("a b@c.d", False),
        ("a@b..c", False),
        ("a@-b.c", False),
        ("a@b.c\n", False),
        ("é@b.c", False),
        (".a@b.c", False),
        ("a" * 65 + "@b.c", False),
    ],
)
def test_email(address: str, valid: bool) -> None:
    assert is_email(address) is valid


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("uri", "https://example.org/a?b#c", "not a uri"),
        ("uri", "urn:a:b", "https://example.org\n"),
        ("date-time", "2024-02-29T12:00:00Z", "2023-02-29T12:00:00Z"),
        ("date-time", "2024-01-01T00:00:00+01:00", "2024-01-01T00:00:00Z\n"),
        ("date-time", "2024-01-01T00:00:00.5Z", "2024-01-01"),
        ("uuid", "12345678-1234-5678-1234-567812345678", "12345678"),
        ("ipv6", "::1", "::g"),
    ],
)
def test_formats_are_asserted(name: str, good: str, bad: str) -> None:
    assert problems({"format": name}, good) == []
    assert problems({"format": name}, bad) != []
    assert problems({"format": name}, 5) == []


def test_copies_share_nothing_and_normalise() -> None:
    class Text(str):
        pass

    source = {"a": (1, [2.5]), "b": Text("x"), "c": freeze({"d": [1]})}
    copied, found = copy_json(source, max_depth=5, max_nodes=100, max_characters=100)
    assert found == []
    assert copied == {"a": [1, [2.5]], "b": "x", "c": {"d": [1]}}
    assert type(copied["b"]) is str


def test_copies_refuse_what_is_not_json() -> None:
    source = {"a": {1, 2}, "b": [b"x", float("nan")], "c": {1: 2}, "d": "\ud800", "e": 10**308, "f": object()}
    _, found = copy_json(source, max_depth=5, max_nodes=100, max_characters=100)
    assert [problem.pointer for problem in found] == ["/a", "/b/0", "/b/1", "/c", "/d", "/e", "/f"]


@pytest.mark.parametrize(
    ("source", "words"), [([[[[]]]], "nested deeper"), ([0] * 100, "too many values"), ("x" * 100, "too large")]
)
def test_copies_are_bounded(source: Any, words: str) -> None:
    _, found = copy_json(source, max_depth=3, max_nodes=50, max_characters=50)
    assert words in found[0].message


def test_frozen_values_cannot_be_changed_and_thaw_back() -> None:
    value = {"a": [1, {"b": None}]}
    frozen = freeze(value)
    with pytest.raises(TypeError):
        frozen["a"] = 1
    assert isinstance(frozen["a"], tuple)
    assert thaw(frozen) == value
    assert thaw(frozen) is not thaw(frozen)
