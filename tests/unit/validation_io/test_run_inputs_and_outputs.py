from __future__ import annotations

from typing import Any

import pytest

from orchestrator.errors import InputsError
from orchestrator.manifest import SkillManifest, load_manifest
from orchestrator.validation.inputs import MAX_INPUT_BYTES, merge_and_check
from orchestrator.validation.outputs import parse_output

SCHEMA = {
    "type": "object",
    "properties": {
        "folder": {"type": "string", "format": "vault-path"},
        "mail": {"type": "string", "format": "email"},
        "n": {"type": "integer", "minimum": 1},
    },
    "required": ["folder"],
    "additionalProperties": False,
}


def skill(**changes: Any) -> SkillManifest:
    return load_manifest({"manifest_version": 1, "name": "s", "version": "1.0.0", "code": "x = 1\n", **changes})


def refused(manifest: SkillManifest, given: Any) -> list[str]:
    with pytest.raises(InputsError) as caught:
        merge_and_check(manifest, given)
    return [str(problem) for problem in caught.value.problems]


def test_given_inputs_overlay_the_defaults() -> None:
    manifest = skill(inputs_schema=SCHEMA, inputs={"n": 1, "folder": "a"})
    assert merge_and_check(manifest, None) == {"n": 1, "folder": "a"}
    assert merge_and_check(manifest, {"n": 5}) == {"n": 5, "folder": "a"}
    assert manifest.inputs == {"n": 1, "folder": "a"}


def test_results_are_the_callers_own() -> None:
    manifest = skill(inputs={"a": [1]})
    given = {"b": [2]}
    merged = merge_and_check(manifest, given)
    merged["a"].append(3)
    merged["b"].append(4)
    assert given == {"b": [2]}
    assert merge_and_check(manifest, None) == {"a": [1]}


def test_all_problems_at_once() -> None:
    said = refused(skill(inputs_schema=SCHEMA), {"n": True, "mail": "x", "fodler": "y"})
    assert [line.split(":")[0] for line in said] == ["/fodler", "/folder", "/mail", "/n"]
    assert 'did you mean "folder"?' in said[0]
    assert "is required, but missing" in said[1]


@pytest.mark.parametrize("folder", ["..", "/etc", "a\\b", "a\0", "a/../../b"])
def test_vault_paths_in_inputs_are_checked(folder: str) -> None:
    assert refused(skill(inputs_schema=SCHEMA), {"folder": folder})[0].startswith("/folder:")


def test_names_must_be_keyword_arguments_of_an_entrypoint() -> None:
    for name in ("a-b", "class", "1a", "", "a b"):
        assert "keyword argument" in refused(skill(), {name: 1})[0]
        assert merge_and_check(skill(entrypoint=None), {name: 1}) == {name: 1}


def test_only_json_values_pass() -> None:
    said = refused(skill(), {"a": object(), "b": float("nan"), "c": {1: 2}, "d": b"x", "e": "\udc80"})
    assert [line.split(":")[0] for line in said] == ["/a", "/b", "/c", "/d", "/e"]
    assert "an object" in refused(skill(), [1])[0]


def test_size_and_depth_are_bounded() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert "nested deeper" in refused(skill(), {"a": deep})[0]
    assert "too large" in refused(skill(), {"a": "x" * (MAX_INPUT_BYTES + 1)})[0]
    assert "bytes as JSON" in refused(skill(), {"a": "é" * (MAX_INPUT_BYTES // 2)})[0]
    assert "too many values" in refused(skill(), {"a": [0] * 300_000})[0]


def test_output_without_a_schema_may_be_any_json() -> None:
    assert parse_output(b'{"a":[1,null]}', skill(), 100) == ({"a": [1, None]}, ())
    assert parse_output(b"null", skill(), 100) == (None, ())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"NaN",
        b"1e999",
        b'{"a":1,"a":2}',
        b'"\\ud800"',
        b"\xff",
        b"\x80\x04\x95.",
        b"[" * 100_000,
        b" " * 200_001,
    ],
)
def test_hostile_output_is_a_problem_not_an_exception(raw: bytes) -> None:
    value, problems = parse_output(raw, skill(output_schema={"type": "object"}), 200_000)
    assert value is None
    assert len(problems) == 1


def test_output_off_its_schema_is_not_handed_on() -> None:
    manifest = skill(output_schema={"type": "object", "properties": {"n": {"type": "integer"}}})
    assert parse_output(b'{"n":1}', manifest, 100) == ({"n": 1}, ())
    for raw in (b'{"n":1.0}', b'{"n":true}', b'{"n":"1"}'):
        value, problems = parse_output(raw, manifest, 100)
        assert value is None
        assert problems[0].pointer == "/n"
