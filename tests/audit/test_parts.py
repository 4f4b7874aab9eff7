"""The parts on their own: seals, outlines, and a verifier that is fed what nobody of ours would write."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.audit import records
from orchestrator.audit.chain import GENESIS, SEALED, derived, joined, key_id, seal
from orchestrator.audit.sanitised import MAX_ENTRIES, MAX_VALUES, Sanitiser
from orchestrator.outputs.secrets import Detector
from orchestrator.records import RecordsError
from tests.audit.conftest import DETECTOR, Archive
from tests.support.secret_samples import CANARY

TEXTS = Sanitiser(DETECTOR, b"k" * 32)


def test_the_seal_as_documented() -> None:
    """A vector that another program can check: netstrings, HMAC-SHA256, hex."""
    fields = [b"1", b"", b"a|b"]
    assert joined(fields) == b"1:1,0:,3:a|b,"
    assert seal(b"k", fields) == hmac.new(b"k", b"1:1,0:,3:a|b,", hashlib.sha256).hexdigest()
    assert len(GENESIS) == 64


def test_fields_are_not_ambiguous() -> None:
    assert joined([b"ab", b"c"]) != joined([b"a", b"bc"])
    assert joined([b"1:a,", b""]) != joined([b"", b"1:a,"])


def test_all_columns_are_sealed() -> None:
    """But the place, which the number stands for, and the seal itself."""
    from orchestrator.records.tables import AUDIT_RECORDS

    assert {column.name for column in AUDIT_RECORDS.columns} - {"seq", "mac"} == set(SEALED)


def test_keys_for_other_purposes_are_other_keys() -> None:
    assert len({derived(b"k" * 32, purpose) for purpose in ("records", "anchors", "content", "heads")}) == 4
    assert b"k" * 8 not in key_id(b"k" * 32).encode()


def test_canonical_json() -> None:
    one = records.canonical({"b": 1, "a": ["ü", None, True]})
    assert one == records.canonical({"a": ["ü", None, True], "b": 1}) == '{"a":["\\u00fc",null,true],"b":1}'
    with pytest.raises(ValueError, match="JSON"):
        records.canonical({"x": float("nan")})
    with pytest.raises(RecordsError, match="larger"):
        records.canonical({"x": "y" * records.MAX_BODY_BYTES})


@pytest.mark.parametrize(
    ("value", "outline"),
    [
        ("short", "short"), ("two\nlines", "[text of 9 characters]"), ("x" * 81, "[text of 81 characters]"),
        (1.5, "1.5"), (10**30, "[number of 31 digits]"), (True, True), (None, None),
        (["a"] * 25, ["a"] * 20 + ["[5 more]"]),
        ([[[[[["deep"]]]]]], [[[[["[1 entries]"]]]]]), ({"k" * 90: 1}, {"[text of 90 characters]": 1}),
        (CANARY, "[secret removed: canary]"), ([CANARY[:14], CANARY[14:]], ["[secret removed: canary]", ""]),
        ("\x1b[2J\x00", "\\x1b[2J\\x00"), ("\ud800", "\\ud800"),
        ("Inbox/2026-03-01.md", "Inbox/2026-03-01.md"), ("Dear diary", "[text of 10 characters]"),
        ("港" * 26, "港" * 26), ("港" * 27, "[text of 27 characters]"),
    ],
)  # fmt: skip
def test_outlines(value: Any, outline: Any) -> None:
    assert TEXTS.outline(value) == outline


def test_what_people_say_about_runs_stays_as_a_line() -> None:
    said = {"comment": "as agreed with Anna", "path": "two\nlines"}
    assert TEXTS.outline(said, lines=True) == {"comment": "as agreed with Anna", "path": "[text of 9 characters]"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=200),
        lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=100), inner, max_size=30),
        max_leaves=300,
    )
)
@settings(max_examples=60, deadline=None)
def test_any_input_gives_a_bounded_record(value: Any) -> None:
    outline = Sanitiser(Detector(), b"k").outline({"x": value})
    assert len(records.canonical({"x": outline})) < (MAX_VALUES + MAX_ENTRIES) * 2000


@pytest.mark.parametrize("name", ["ValueError", "my.module.Error"])
def test_names_stay(name: str) -> None:
    assert TEXTS.name(name) == name


@pytest.mark.parametrize("name", ["Dear diary", "x" * 81, "a\nb", "", "é"])
def test_what_is_no_name_does_not(name: str) -> None:
    assert TEXTS.name(name) == f"[text of {len(name)} characters]"


# --- hostile trails ------------------------------------------------------------------------------------------------


@pytest.fixture
def embedded(tmp_path: Path) -> Any:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    archive = Archive(home / "records.db", home)
    archive.fill(5)
    yield archive
    archive.close()


@pytest.mark.parametrize(
    "change",
    [
        "body = x'ff00fe'", "body = CAST(x'ff00fe' AS TEXT)", "status = 5", "number = 'seven'", "number = 7.5",
        "at_us = x'00'", "mac = 7", "prev = ''", "kind = 'checkpoint'", "kind = 'rotation'", "key_id = x'ff'",
    ],
)  # fmt: skip
def test_odd_types_and_bytes_are_edits(embedded: Archive, change: str) -> None:
    embedded.sql(f"UPDATE audit_records SET {change} WHERE seq = 7")
    assert embedded.faults() == [("edited", 7, 7)]


def test_a_huge_body(embedded: Archive) -> None:
    embedded.sql("UPDATE audit_records SET body = zeroblob(50000000) WHERE seq = 7")
    assert embedded.faults() == [("edited", 7, 7)]


def test_numbers_far_out(embedded: Archive) -> None:
    columns = "number, at_us, kind, run_id, skill, status, principal, session, code, manifest, body, key_id, prev, mac"
    for seq in (-(2**63) + 1, 0, 2**63 - 1):
        embedded.sql(f"INSERT INTO audit_records SELECT {seq}, {columns} FROM audit_records WHERE seq = 7")
    assert {"inserted"} <= {fault for fault, _, _ in embedded.faults()}


def test_too_much_is_given_up(embedded: Archive) -> None:
    embedded.fill(2100, first=100)
    embedded.sql("DELETE FROM audit_records WHERE seq % 2 = 0")
    faults = embedded.faults()
    assert faults[-1][0] == "unfinished"
    assert len(faults) < 5


@pytest.mark.parametrize(
    "line", [b"[" * 5000, b"{" * 900, b'{"seq":1e999}', b"\xff\xfe", b"x" * 10**6, b'{"at_us":1,"at_us":2}']
)
def test_hostile_anchor_lines(embedded: Archive, line: bytes) -> None:
    with embedded.anchors.path.open("ab") as file:
        file.write(line + b"\n")
    assert {fault for fault, _, _ in embedded.faults()} == {"anchors"}
    assert embedded.verify(more=line).found  # or it is no anchor at all
