"""The place between the markers: everything outside of it stays, byte for byte."""

from __future__ import annotations

import pytest

from orchestrator.dashboard.region import BEGIN, END, LeaveAlone, body_of, fault, replaced, with_late

BODY = "one\ntwo\n"
B, E = BEGIN.encode(), END.encode()


def outside(old: bytes, new: bytes) -> tuple[bytes, bytes]:
    """What stands before and after the place, in a file that has one."""
    assert new.count(B) == new.count(E) == 1
    return new[: new.index(B)], new[new.index(E) :]


@pytest.mark.parametrize(
    "old",
    [
        b"",
        b"# Mine\n",
        b"# Mine, and no line end",
        b"# Mine\r\nwith CRLF\r\n",
        b"\xef\xbb\xbf# With a byte order mark\n",
        b"\xef\xbb\xbf",
        b"---\ntags: [a]\n---\ntrailing blanks  \n\n\n\n",
        "Umlaute äöü und 漢字\u2028\n".encode(),
        b"only\rcarriage\rreturns",
    ],
)
def test_a_file_without_markers_gets_them_at_its_end_and_keeps_every_byte(old: bytes) -> None:
    new = replaced(old, BODY)
    assert new.startswith(old)
    assert fault(new) == ""
    again = replaced(new, "three\n")
    assert outside(new, again) == outside(new, new)
    assert b"three" in again
    assert b"two" not in again


def test_lines_end_as_the_file_s_lines_do() -> None:
    new = replaced(b"# Mine\r\n", BODY)
    assert new.count(b"\n") == new.count(b"\r\n")
    assert b"one\r\ntwo\r\n" in new
    assert b"\r" not in replaced(b"# Mine\n", BODY)


@pytest.mark.parametrize("eol", [b"\n", b"\r\n"])
@pytest.mark.parametrize("tail", [b"", b"no line end", b"\n\n  \n", "ende äö\n".encode()])
def test_only_what_is_between_the_markers_is_written(eol: bytes, tail: bytes) -> None:
    head = b"# Mine" + eol + b"text  " + eol
    old = head + B + eol + b"a person's words in our place" + eol + E + (eol + tail if tail else b"")
    new = replaced(old, BODY)
    assert new == head + B + eol + BODY.encode().replace(b"\n", eol) + E + (eol + tail if tail else b"")


def test_a_marker_may_stand_right_behind_a_byte_order_mark_and_have_blanks_behind_it() -> None:
    old = b"\xef\xbb\xbf" + B + b" \t\nold\n" + E + b"  \nmine"
    assert replaced(old, BODY) == b"\xef\xbb\xbf" + B + b" \t\none\ntwo\n" + E + b"  \nmine"


@pytest.mark.parametrize(
    "old",
    [
        B + b"\n",  # no end
        E + b"\n",  # no begin
        E + b"\n" + B + b"\n",  # the wrong way round
        B + b"\n" + B + b"\n" + E + b"\n",  # nested
        B + b"\n" + E + b"\n" + B + b"\n" + E + b"\n",  # twice
        B + b"\n" + E + b"\n" + E + b"\n",
        B + b"\n" + B + b"\n" + E + b"\n" + E + b"\n",
        b"text " + B + b"\n" + E + b"\n",  # not alone on its line
        B + b" text\n" + E + b"\n",
        b"  " + B + b"\n" + E + b"\n",
        b"> " + B + b"\n> " + E + b"\n",
        B + E,
        B.upper() + b"\n" + E + b"\n",
        b"<!--skill-orchestrator:begin-->\n" + E + b"\n",  # reformatted
        b"<!-- skill-orchestrator:begin\n" + E + b"\n",
        B + b"\n" + E + b"\nsee skill-orchestrator:end\n",
        B + b"\r" + E + b"\r",
    ],
)
def test_markers_that_are_not_one_pair_are_left_alone(old: bytes) -> None:
    with pytest.raises(LeaveAlone):
        replaced(old, BODY)
    assert "marker" in fault(old)


@pytest.mark.parametrize("old", [b"\xff\xfea\0", b"caf\xe9\n", b"a\0b"])
def test_what_is_not_utf_8_text_is_left_alone(old: bytes) -> None:
    with pytest.raises(LeaveAlone):
        replaced(old, BODY)


def test_the_search_is_linear() -> None:
    old = (b"<!-- skill-orchestrator:begi" * 40_000) + b"<!-- skill-orchestrator:begin -->" + b" " * 1_000_000 + b"x"
    with pytest.raises(LeaveAlone):
        replaced(old, BODY)


def test_what_stands_between_the_markers_is_read_back() -> None:
    for old in (b"", b"# Mine\r\n", b"\xef\xbb\xbf# Mine\n"):
        assert body_of(replaced(old, BODY)) == BODY
    for old in (b"", b"# Mine\n", B + b"\n", b"\xff\n"):
        assert body_of(old) is None


def test_late_words_are_taken_as_they_are_where_nobody_saved_since() -> None:
    before = replaced(b"# Mine\n", BODY)
    current = replaced(before, "new\n")
    late = before.replace(b"# Mine", b"# Mine, and more")
    assert with_late(current, before, late) == late
    assert with_late(replaced(b"", BODY), b"", late) == late, "it had been emptied when it was read"


def test_where_somebody_saved_since_lines_are_added_and_none_taken_away() -> None:
    before = replaced(b"# Mine\ngone\n", BODY)
    current = replaced(b"# Mine\nsaved since", "new\n")
    late = before.replace(b"gone\n", b"late\n").replace(b"one\n", b"a line between the markers\n") + b"and last"
    assert with_late(current, before, late) == current + b"late\nand last\n"
    assert with_late(b"no line end", b"", b"late") == b"no line end\nlate\n"
    assert with_late(b"", b"old\n", b"old\nlate\n") == b"late\n", "it was deleted since"


def test_late_markers_break_nothing() -> None:
    before = replaced(b"# Mine\n", BODY)
    late = b"# Mine\nlate\n" + B + b"\nand " + E + b"\n"
    assert with_late(before, before, late) == before + b"late\n"
    assert fault(with_late(before, before, late)) == ""


@pytest.mark.parametrize("late", [b"\xff\xfe", b"a\0b"])
def test_what_is_no_text_adds_nothing(late: bytes) -> None:
    before = replaced(b"# Mine\n", BODY)
    assert with_late(before, before, late) == before
