from __future__ import annotations

import json
import math
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.strictjson import MAX_INTEGER_DIGITS, StrictJSONError, dumps_canonical, loads

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


def parse(data: bytes | str, **bounds: Any) -> Any:
    return loads(data, **{"max_bytes": 10_000_000, "max_depth": 50, "what": "document", **bounds})


ACCEPTED: list[tuple[bytes, Any]] = [
    (b"{}", {}),
    (b" [ ] ", []),
    (b"null", None),
    (b"-0", 0),
    (b"1E2", 100.0),
    (b"1e-999", 0.0),
    (b'"\\ud83d\\ude00"', "\U0001f600"),
    (b'"\\\\ud800"', "\\ud800"),  # an escaped backslash, not an escaped surrogate
    (b'"\\uDBFF\\uDFFF"', "\U0010ffff"),
    (b'"\\u0000"', "\0"),
    (b'{"a":{"a":1}}', {"a": {"a": 1}}),
    (b'"[[[[\\"{{{{"', '[[[["{{{{'),
    ("é".encode().join([b'"', b'"']), "é"),
    (b"9" * MAX_INTEGER_DIGITS, int("9" * MAX_INTEGER_DIGITS)),
    (b"-" + b"9" * MAX_INTEGER_DIGITS, -int("9" * MAX_INTEGER_DIGITS)),
]


@pytest.mark.parametrize(("raw", "value"), ACCEPTED)
def test_accepted(raw: bytes, value: Any) -> None:
    assert parse(raw) == value
    assert parse(raw.decode()) == value


REFUSED: list[tuple[str, bytes, str, int | None]] = [
    ("empty", b"", "empty", 0),
    ("blank", b" \n", "empty", 2),
    ("bom", b"\xef\xbb\xbf{}", "byte order mark", 0),
    ("utf16", "[1]".encode("utf-16"), "not UTF-8", 0),
    ("overlong", b'"\xc0\xaf"', "not UTF-8", 1),
    ("surrogate-bytes", b'"\xed\xa0\x80"', "not UTF-8", 1),
    ("truncated-utf8", b'"\xe2\x82', "not UTF-8", 1),
    ("high-alone", b'["\\ud800"]', "lone surrogate", 2),
    ("low-alone", b'["\\uDC00"]', "lone surrogate", 2),
    ("high-high", b'"\\ud800\\ud800"', "lone surrogate", 1),
    ("low-high", b'"\\udc00\\ud800"', "lone surrogate", 1),
    ("surrogate-key", b'{"\\udead":1}', "lone surrogate", 2),
    ("after-escaped-backslash", b'"\\\\\\ud800"', "lone surrogate", 3),
    ("nan", b"[NaN]", "NaN is not JSON", None),
    ("infinity", b"Infinity", "Infinity is not JSON", None),
    ("minus-infinity", b"-Infinity", "-Infinity is not JSON", None),
    ("1e999", b"[1e999]", "too large for a double", None),
    ("-1e999", b"-1e999", "too large for a double", None),
    ("digits", b"1" * (MAX_INTEGER_DIGITS + 1), "more than 308 digits", None),
    ("many-digits", b"[" + b"1" * 100_000 + b"]", "more than 308 digits", None),
    ("duplicate", b'{"a":1,"b":2,"a":3}', 'key "a" stands twice', None),
    ("duplicate-inside", b'[{"x":{"k":1,"k":1}}]', 'key "k" stands twice', None),
    ("duplicate-escaped", b'{"a":1,"\\u0061":2}', 'key "a" stands twice', None),
    ("duplicate-shown-safely", b'{"\\u001b":1,"\\u001b":2}', "\\x1b", None),
    ("trailing", b"{} x", "not JSON", 3),
    ("two", b"1 2", "not JSON", 2),
    ("trailing-comma", b"[1,]", "not JSON", None),
    ("single-quotes", b"{'a':1}", "not JSON", 1),
    ("comment", b"/**/1", "not JSON", 0),
    ("control-in-string", b'"a\nb"', "not JSON", 2),
    ("nul", b"\0", "not JSON", 0),
    ("leading-zero", b"012", "not JSON", 1),
    ("plus", b"+1", "not JSON", 0),
    ("hex", b"0x1", "not JSON", 1),
    ("unclosed-string", b'"abc', "not JSON", 0),
    ("unclosed-escape", b'"abc\\', "not JSON", 0),
    ("bad-escape", b'"\\x41"', "not JSON", 1),
    ("unclosed-array", b"[1", "not JSON", 2),
    ("mismatched", b"[1}", "not JSON", 2),
    ("offset-in-bytes", '["é" x]'.encode(), "not JSON", 6),
    ("full-width-digit", "[１]".encode(), "not JSON", 1),
    ("form-feed", b"\f1", "not JSON", 0),
]


@pytest.mark.parametrize(("raw", "reason", "offset"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused(raw: bytes, reason: str, offset: int | None) -> None:
    with pytest.raises(StrictJSONError) as caught:
        parse(raw)
    assert reason in str(caught.value)
    assert str(caught.value).startswith("document: ")
    if offset is not None:
        assert caught.value.offset == offset


@pytest.mark.parametrize(
    "raw", [b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000, b"[[]," * 100_000]
)
def test_depth_is_refused_before_the_parser_recurses(raw: bytes) -> None:
    with pytest.raises(StrictJSONError, match="nested deeper than 50 levels"):
        parse(raw)


def test_depth_is_exact_and_its_offset_known() -> None:
    assert parse(b"[[[]]]", max_depth=3) == [[[]]]
    with pytest.raises(StrictJSONError) as caught:
        parse(b'["[[[", [], [[[]]]]', max_depth=3)
    assert caught.value.offset == 14
    assert parse(b'"[[[["', max_depth=0) == "[[[["


def test_brackets_side_by_side_are_not_depth() -> None:
    assert parse(b"[" + b",".join([b"[]"] * 1000) + b"]", max_depth=2) == [[]] * 1000


@pytest.mark.parametrize(
    "raw", [b'"' + b'\\"' * 500_000, b'"' * 1_000_001, b"[" + b'"\\' * 300_000], ids=["escapes", "quotes", "mix"]
)
def test_unclosed_strings_do_not_make_the_scan_quadratic(raw: bytes) -> None:
    with pytest.raises(StrictJSONError):  # a quadratic scan would take hours here
        parse(raw + b"[" * 60)


def test_size_counts_bytes_before_anything_is_read() -> None:
    assert parse(b'"ab"', max_bytes=4) == "ab"
    for data in (b"\xff" * 5, "[" * 5, '"é"  '):
        with pytest.raises(StrictJSONError, match="limit of 4"):
            parse(data, max_bytes=4)
    with pytest.raises(StrictJSONError, match="6 bytes, over the limit of 4"):
        parse('"éé"', max_bytes=4)


def test_number_of_values_is_bounded() -> None:
    assert parse(b"[1,2,3]", max_nodes=4) == [1, 2, 3]
    assert parse(b'",,,,,,,,,,"', max_nodes=1) == ",,,,,,,,,,"
    with pytest.raises(StrictJSONError, match="more than 3 values"):
        parse(b"[1,2,3]", max_nodes=3)


def test_a_str_with_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(StrictJSONError, match="lone surrogate") as caught:
        parse('"é\ud800"')
    assert caught.value.offset == 3


def test_a_stack_too_small_for_the_allowed_depth_is_a_refusal() -> None:
    with pytest.raises(StrictJSONError, match="too deeply"):
        parse(b"[" * 90_000 + b"]" * 90_000, max_depth=100_000)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_the_one_error(raw: bytes) -> None:
    try:
        value = parse(raw)
    except StrictJSONError:
        return
    assert parse(dumps_canonical(value)) == value


@given(JSON_VALUES)
def test_agrees_with_json_on_honest_documents(value: Any) -> None:
    for raw in (json.dumps(value).encode(), json.dumps(value, ensure_ascii=False, indent=1).encode()):
        assert parse(raw) == value


@given(JSON_VALUES)
def test_canonical_text_survives_a_round_trip(value: Any) -> None:
    raw = dumps_canonical(value)
    assert dumps_canonical(parse(raw)) == raw


def test_canonical_form() -> None:
    assert dumps_canonical({"b": 1, "a": [1.5, "é", None]}) == '{"a":[1.5,"é",null],"b":1}'.encode()
    assert dumps_canonical(MappingProxyType({"b": (1, 2), "a": MappingProxyType({})})) == b'{"a":{},"b":[1,2]}'


@pytest.mark.parametrize("value", [math.nan, math.inf, "\ud800", {"\ud800": 1}])
def test_canonical_form_of_what_is_not_json_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"JSON|surrogates"):
        dumps_canonical(value)


@pytest.mark.parametrize("value", [b"x", {1, 2}, object()])
def test_canonical_form_of_other_types_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        dumps_canonical(value)
