"""Taking secrets out of bytes and of JSON values: nothing of them is left, and the structure is."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.outputs.known import KnownValues
from orchestrator.outputs.secrets import MAX_BYTES, WITHHELD, Detector, added
from orchestrator.outputs.values import screened
from tests.support.secret_samples import BENIGN, CANARY, OTHER, SAMPLES

DETECTOR = Detector(KnownValues.of([("canary", CANARY), ("known value", OTHER)]))
GITHUB = SAMPLES["github"][0]


def clean(text: str) -> str:
    return DETECTOR.redacted_text(text)


def test_a_marker_says_what_was_there() -> None:
    assert clean(f"a {CANARY} b") == "a [secret removed: canary] b"
    assert clean(f"a {GITHUB} b") == "a [secret removed: github] b"
    assert clean(f"{OTHER}{CANARY}") == "[secret removed: known value][secret removed: canary]"
    assert clean("nothing") == "nothing"


def test_values_that_overlap_go_together() -> None:
    first, second = "Overlap-77-Lantern", "77-Lantern-Quarry"
    detector = Detector(KnownValues.of([("canary", first), ("canary", second)]))
    assert detector.redacted_text("<Overlap-77-Lantern-Quarry>") in (
        "<[secret removed: canary]>", "<[secret removed: canary]-Quarry>",
    )  # fmt: skip


def test_what_is_too_large_or_too_much_is_withheld() -> None:
    for raw in (b"x" * (MAX_BYTES + 1), CANARY.encode() * 3000):
        hits = DETECTOR.find(raw)
        assert [hit.rule for hit in hits] == ["OUT103"]
        assert DETECTOR.redacted(raw, hits) == WITHHELD.encode()


def test_what_was_there_before_is_not_counted() -> None:
    former = f"{CANARY} and {GITHUB}".encode()
    new = former + b" and " + CANARY.encode()
    fresh = added(new, DETECTOR.find(new), former, DETECTOR.find(former))
    assert [(hit.kind, hit.start > 60) for hit in fresh] == [("canary", True)]


@pytest.mark.parametrize(
    ("value", "expected", "places"),
    [
        (CANARY, "[secret removed: canary]", ["output"]),
        ({"a": [1, f"x {CANARY}"]}, {"a": [1, "x [secret removed: canary]"]}, ["output/a/1"]),
        ({CANARY: 1, "b": None}, {"[secret removed: canary]": 1, "b": None}, ["output"]),
        ({CANARY: {"in": GITHUB}}, {"[secret removed: canary]": {"in": "[secret removed: github]"}}, ["output"] * 2),
        ([CANARY[:9], CANARY[9:]], ["[secret removed: canary]", ""], ["output/0"]),
        ({"a": CANARY[:9], "b": [True, CANARY[9:]]}, None, ["output/a"]),
        ({"codes": list(CANARY.encode())}, {"codes": [None] * len(CANARY)}, ["output/codes/0"]),
        ({"a~b/c": GITHUB}, {"a~b/c": "[secret removed: github]"}, ["output/a~0b~1c"]),
        ([base64.b64encode(CANARY.encode()).decode()], ["[secret removed: canary]"], ["output/0"]),
    ],
)  # fmt: skip
def test_values(value: Any, expected: Any, places: list[str]) -> None:
    result, warnings, errors = screened(value, DETECTOR)
    if expected is not None:
        assert result == expected
    assert [each.subject for each in warnings] == [each.subject for each in errors] == places
    assert {each.severity for each in warnings} == {"warning"}
    assert "Velvet" not in json.dumps(result) + str(warnings)


def test_keys_that_become_equal_stay_apart() -> None:
    result, _, _ = screened({f"a{CANARY}": 1, f"a{CANARY.lower()}": 2}, DETECTOR)
    assert list(result.values()) == [1, 2]


def test_a_value_without_secrets_is_the_same_object() -> None:
    value = {"n": [1, 2.5, True, None, "text", dict(BENIGN)], "": {}}
    assert screened(value, DETECTOR) == (value, [], [])
    assert screened(value, DETECTOR)[0] is value


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return [shape(inner) for inner in value.values()]
    return [shape(inner) for inner in value] if isinstance(value, list) else "leaf"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from([CANARY, GITHUB, OTHER[:12]]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.just(CANARY), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_value_keeps_its_shape_and_loses_its_secrets(value: Any) -> None:
    result, _, _ = screened(value, DETECTOR)
    assert shape(result) == shape(value)
    text = json.dumps(result)
    assert CANARY not in text
    assert GITHUB not in text
    assert screened(result, DETECTOR)[0] is result


@given(st.binary(max_size=200), st.sampled_from([CANARY, GITHUB, OTHER]), st.binary(max_size=200))
def test_redacted_bytes_hold_nothing_any_more(before: bytes, secret: str, after: bytes) -> None:
    raw = before + b" " + secret.encode() + b" " + after
    done = DETECTOR.redacted(raw, DETECTOR.find(raw))
    assert secret.encode() not in done
    assert DETECTOR.find(done) == []
