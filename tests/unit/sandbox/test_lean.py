"""sandbox-image/lean.py says what ``json`` would say. tests/image holds it to that in the image's own interpreter."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Program = Callable[[str], Any]

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
SAME_FIXTURE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@SAME_FIXTURE
@given(VALUES)
def test_values_are_written_and_read_as_json_does(program: Program, value: object) -> None:
    lean = program("lean")
    for ascii_only in (True, False):
        assert lean.dumps(value, ascii_only=ascii_only) == json.dumps(value, ensure_ascii=ascii_only)
    assert lean.loads(json.dumps(value).encode()) == value


def _circle() -> list[object]:
    circle: list[object] = []
    circle.append(circle)
    return circle


@pytest.mark.parametrize(
    "value", [float("nan"), float("-inf"), {1, 2}, object(), b"x", {(1, 2): 3}, _circle()], ids=repr
)
def test_what_json_refuses_is_refused_with_the_same_words(program: Program, value: object) -> None:
    with pytest.raises((TypeError, ValueError)) as expected:
        json.dumps(value, allow_nan=False)
    with pytest.raises(expected.type) as found:
        program("lean").dumps(value)
    assert str(found.value) == str(expected.value)


@pytest.mark.parametrize("text", [b"", b"{", b"1 2", b"nul", b'"\xff"', b"[1]]"])
def test_what_is_not_one_json_value_is_a_value_error(program: Program, text: bytes) -> None:
    lean = program("lean")
    with pytest.raises(ValueError):  # noqa: PT011 - its words are for nobody: the host is trusted to write JSON
        lean.loads(text)


def test_suppress_ends_what_it_names_and_nothing_else(program: Program) -> None:
    suppress = program("lean").suppress
    with suppress(LookupError, OSError):
        raise KeyError
    with pytest.raises(ValueError, match="through"), suppress(LookupError):
        raise ValueError("through")
