"""The key ``on_error``: its spellings, its digest, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator import ManifestError, SkillManifest, load_manifest
from orchestrator.manifest import manifest_document, manifest_schema
from orchestrator.manifest.model import RETRIED, FallbackRule, OnError, RetryRule
from orchestrator.results.model import FAILURES

BASE = {"manifest_version": 1, "name": "a", "version": "1.0.0", "code": "def main():\n    return 1\n"}
COUNT = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def skill(on_error: Any, **more: Any) -> SkillManifest:
    return load_manifest({**BASE, "on_error": on_error, **more})


def problems(on_error: Any, **more: Any) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        skill(on_error, **more)
    return [problem.pointer for problem in caught.value.problems]


def test_each_spelling_says_the_same() -> None:
    assert skill("review").recovery == skill(["review"]).recovery == skill({"review": True}).recovery
    assert skill("review").digest == skill({"review": True}).digest
    assert skill("alert").recovery == OnError(alert=True) == skill({"alert": True, "review": False}).recovery
    assert skill("retry").recovery == OnError(RetryRule(3, RETRIED, 0.0)) == skill({"retry": {}}).recovery
    assert skill(["retry", "alert"]).recovery == OnError(RetryRule(), alert=True)
    assert skill({}) == load_manifest(BASE)
    reordered = {"retry": {"on": ["timed_out", "failed"], "wait_seconds": 1}}
    assert skill(reordered).digest == skill({"retry": {"on": ["failed", "timed_out"], "wait_seconds": 1.0}}).digest


def test_manifests_from_before_keep_their_digest() -> None:
    """Computed at the commit before the other spellings came."""
    assert load_manifest(BASE).digest == "afe0392fb6167d51e4d2c0a17ab1b600fceb82ff9cc550e87f3949ad49fa50bc"
    assert skill("review").digest == "90f1f9c61c3137d46515a923ecd56481bcc47127ca89219f4e188b3e2d78138c"
    assert manifest_document(skill("review"))["on_error"] == "review"
    assert "on_error" not in manifest_document(load_manifest(BASE))


@pytest.mark.parametrize(
    "on_error",
    [
        "review", "alert", "retry", ["retry", "review", "alert"],
        {"retry": {"attempts": 5, "on": ["out_of_memory"], "wait_seconds": 0.5}, "review": True},
        {"fallback": {"skill": "b@1.0.0-rc.1+x"}, "alert": True},
        {"fallback": {"value": {"n": [1, {"a": None}]}}}, {"fallback": {"value": None}},
    ],
)  # fmt: skip
def test_the_effective_manifest_loads_to_the_same_skill(on_error: Any) -> None:
    loaded = skill(on_error)
    again = load_manifest(manifest_document(loaded))
    assert again == loaded
    assert again.digest == loaded.digest != load_manifest(BASE).digest


def test_a_later_change_of_the_constant_changes_nothing() -> None:
    asked: dict[str, Any] = {"fallback": {"value": {"n": [1]}}}
    loaded = skill(asked)
    asked["fallback"]["value"]["n"].append(2)
    assert loaded.recovery.fallback == FallbackRule(value={"n": (1,)})


@pytest.mark.parametrize(
    ("on_error", "pointer"),
    [
        ("give up", "/on_error"), (3, "/on_error"), ([], "/on_error"), (["retry", "fallback"], "/on_error/1"),
        ({"more": 1}, "/on_error/more"), ({"retry": {"attempts": 0}}, "/on_error/retry/attempts"),
        ({"retry": {"attempts": 6}}, "/on_error/retry/attempts"), ({"retry": {"on": []}}, "/on_error/retry/on"),
        ({"retry": {"wait_seconds": 61}}, "/on_error/retry/wait_seconds"), ({"fallback": {}}, "/on_error/fallback"),
        ({"fallback": {"skill": "b@1.0.0", "value": 1}}, "/on_error/fallback"),
        ({"fallback": {"skill": "b"}}, "/on_error/fallback/skill"),
        ({"fallback": {"skill": "a@1.0.0"}}, "/on_error/fallback/skill"),
        ({"fallback": {"value": "x" * 70_000}}, "/on_error/fallback/value"),
    ],
)  # fmt: skip
def test_what_is_refused_is_named(on_error: Any, pointer: str) -> None:
    assert problems(on_error) == [pointer]


@pytest.mark.parametrize(("fallback", "keys"), [({}, 0), ({"value": 1, "skill": "b@1.0.0"}, 2)])
def test_that_a_fallback_is_one_thing_is_said(fallback: dict[str, Any], keys: int) -> None:
    with pytest.raises(ManifestError) as raised:
        skill({"fallback": fallback})
    expected = 'expected an object with exactly one of "skill" and "value"'
    assert f"/on_error/fallback: has {keys} keys; {expected}" in str(raised.value)


@pytest.mark.parametrize("status", ["succeeded", "denied", "held", "cancelled", "conflict"])
def test_what_did_not_fail_cannot_be_retried(status: str) -> None:
    assert problems({"retry": {"on": ["failed", status]}}) == ["/on_error/retry/on/1"]


def test_a_constant_must_fit_the_output_schema() -> None:
    assert skill({"fallback": {"value": {"n": 0}}}, output_schema=COUNT).recovery.fallback is not None
    assert problems({"fallback": {"value": {"n": "none"}}}, output_schema=COUNT) == ["/on_error/fallback/value/n"]
    assert problems({"fallback": {"value": None}}, output_schema=COUNT) == ["/on_error/fallback/value"]


def test_the_statuses_of_the_schema_are_the_failures() -> None:
    retry = manifest_schema()["properties"]["on_error"]["properties"]["retry"]["properties"]
    assert set(retry["on"]["items"]["enum"]) == {status.value for status in FAILURES}
    assert set(RETRIED) < set(retry["on"]["items"]["enum"])
    default = RetryRule()
    assert (retry["attempts"]["default"], tuple(retry["on"]["default"]), retry["wait_seconds"]["default"]) == (
        default.attempts, default.on, default.wait_seconds,
    )  # fmt: skip


def test_who_asks_for_a_review_is_still_found_by_the_old_name() -> None:
    assert skill({"review": True, "alert": True}).on_error == "review"
    assert skill("alert").on_error == ""
