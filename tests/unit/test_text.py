from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.text import decode, escape_controls, one_line

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()))  # surrogates and controls included
DANGEROUS = ["\x1b", "\x07", "\x08", "\r", "\x7f", "\x85", "\x9b", "\u200b", "\u200d", "\u2028", "\u2029", "\u202e"]
DANGEROUS += ["\u2066", "\u061c", "\ufeff", "\xad", "\u3164", "\ud800", "\udfff", "\U000e0041", "\U000e0101"]


@pytest.mark.parametrize("character", DANGEROUS, ids=lambda character: f"U+{ord(character):04X}")
@pytest.mark.parametrize("keep_newlines", [True, False])
def test_dangerous_characters_become_visible_ascii(character: str, keep_newlines: bool) -> None:
    shown = escape_controls(f"a{character}b", keep_newlines=keep_newlines)
    assert character not in shown
    assert shown.startswith("a\\")
    assert shown.isascii()


def test_escapes_are_the_ones_people_know() -> None:
    assert escape_controls("\x1b[31m\u202e\U000e0041\r") == "\\x1b[31m\\u202e\\U000e0041\\r"


def test_lines_and_tabs_are_kept_or_not() -> None:
    assert escape_controls("a\tb\nc") == "a\tb\nc"
    assert escape_controls("a\tb\nc", keep_newlines=False) == "a\\tb\\nc"


def test_ordinary_text_of_any_script_is_left_alone() -> None:
    text = "naïve Größe 日本語 עברית ❤️ C:\\path"
    assert escape_controls(text) == text


@given(ANY_TEXT)
def test_no_control_format_or_surrogate_survives(text: str) -> None:
    shown = escape_controls(text, keep_newlines=False)
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in shown)
    assert not any(unicodedata.bidirectional(c) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI") for c in shown)
    assert len(shown.splitlines()) <= 1
    shown.encode()


@given(ANY_TEXT, st.booleans())
def test_escaping_twice_changes_nothing(text: str, keep_newlines: bool) -> None:
    once = escape_controls(text, keep_newlines=keep_newlines)
    assert escape_controls(once, keep_newlines=keep_newlines) == once


@given(ANY_TEXT, st.integers(1, 30))
def test_one_line_is_short_and_one_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert line == escape_controls(line, keep_newlines=False)


def test_one_line_shows_that_it_cut() -> None:
    assert one_line("abcdef", 6) == "abcdef"
    assert one_line("abcdefg", 6) == "abcde…"
    with pytest.raises(ValueError, match="at least 1"):
        one_line("a", 0)


@given(st.binary(), st.integers(0, 40))
def test_decode_takes_any_bytes(raw: bytes, limit: int) -> None:
    decode(raw, limit).encode()


@given(st.text(max_size=20), st.integers(0, 80))
def test_decode_cuts_between_characters(text: str, limit: int) -> None:
    assert text.startswith(decode(text.encode(), limit))
    assert decode(text.encode(), 80) == text


def test_decode_shows_what_is_not_utf8() -> None:
    assert decode(b"a\xff\xc0\xafb", 99) == "a\\xff\\xc0\\xafb"
    assert decode("é".encode()[:1], 99) == "\\xc3"  # nothing was cut by us: the broken byte is shown
    with pytest.raises(ValueError, match="negative"):
        decode(b"", -1)
