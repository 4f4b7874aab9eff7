"""The error of a failed run: complete, and without what should not leave."""

from __future__ import annotations

import json

import pytest

from orchestrator import RunResult, SkillError, Status, load_manifest
from orchestrator.outputs.known import KnownValues
from orchestrator.outputs.secrets import Detector
from orchestrator.results.errors import MAX_DEPTH, MAX_MEMBERS, MAX_STRING, sanitised, with_circumstances
from orchestrator.results.model import FAILURES
from tests.support.secret_samples import SAMPLES

CANARY = "canary-4711-0815-xyz"


def failed(status: Status = Status.FAILED, error: SkillError | None = None) -> RunResult:
    return RunResult("r", "a@1.0.0", "standard", status, "it failed", error=error)


def test_the_error_says_what_when_which_and_with_what() -> None:
    error = SkillError("ValueError", "no", "Traceback ...")
    told = with_circumstances(failed(error=error), {"folder": "Inbox"}, at=5.0).error
    assert told == SkillError("ValueError", "no", "", 5.0, "a@1.0.0", {"folder": "Inbox"})
    told = with_circumstances(failed(error=error), {}, verbose=True).error
    assert told is not None
    assert told.traceback == "Traceback ..."
    assert told.time > 1e9


@pytest.mark.parametrize("status", sorted(FAILURES))
def test_every_failure_has_an_error(status: Status) -> None:
    told = with_circumstances(failed(status), {}).error
    assert told is not None
    assert (told.type, told.message) == (status.value, "it failed")


@pytest.mark.parametrize("status", sorted(set(Status) - FAILURES))
def test_what_did_not_fail_has_none(status: Status) -> None:
    assert with_circumstances(failed(status), {"a": 1}) == failed(status)


def test_secrets_are_taken_out_wherever_they_stand_in_the_inputs() -> None:
    key = SAMPLES["github"][0]
    inputs = {"a": CANARY, CANARY: 1, "deep": [{"b": f"x {CANARY} y"}], "key": key, "long": "z" * 190 + CANARY}
    detector = Detector(KnownValues.of([("canary", CANARY)]))
    text = json.dumps(sanitised(inputs, detector))
    assert "4711-0815" not in text
    assert key not in text
    assert "4711-0815" in json.dumps(sanitised(inputs, Detector())), "the control: the known value is what is found"


def test_a_secret_is_found_before_the_text_is_cut() -> None:
    text = "z" * (MAX_STRING - 8) + CANARY
    assert "canary-4" not in json.dumps(sanitised([text], Detector(KnownValues.of([("canary", CANARY)]))))
    assert "canary-4" in json.dumps(sanitised([text], Detector()))


def test_large_inputs_keep_their_structure_and_lose_their_length() -> None:
    deep: object = "x"
    for _ in range(MAX_DEPTH + 5):
        deep = {"d": deep}
    inputs = {"text": "x" * 10_000, "many": list(range(1000)), "deep": deep, "none": None, "yes": True, "n": 1.5}
    told = sanitised(inputs, Detector())
    assert told["text"] == "x" * MAX_STRING + "…"
    assert told["many"] == [*range(MAX_MEMBERS), f"… and {1000 - MAX_MEMBERS} more"]
    assert (told["none"], told["yes"], told["n"]) == (None, True, 1.5)
    assert len(json.dumps(told)) < 2000


def test_frozen_inputs_of_a_manifest_are_plain_afterwards() -> None:
    skill = load_manifest(
        {"manifest_version": 1, "name": "a", "version": "1.0.0", "code": "x=1\n", "inputs": {"a": [1, {"b": "\x1b"}]}}
    )
    assert sanitised(skill.inputs, Detector()) == {"a": [1, {"b": "\\x1b"}]}
    result = with_circumstances(failed(), skill.inputs)
    assert json.loads(json.dumps(result.to_dict()))["error"]["inputs"] == {"a": [1, {"b": "\\x1b"}]}
