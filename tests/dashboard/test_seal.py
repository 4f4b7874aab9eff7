"""The seal tells a text that is as it was written from one that was edited."""

from __future__ import annotations

import pytest

from orchestrator.dashboard.seal import Seal, Writer, seal_of, sealed

ME = Writer("0123456789abcdef", "fedcba9876543210")
TEXT = "one\ntwo\n"


def test_it_is_read_back() -> None:
    assert seal_of(sealed(TEXT, 1_790_000_000, ME)) == Seal(1_790_000_000, ME, whole=True)
    assert seal_of(sealed("", 0, Writer())) == Seal(0, Writer(), whole=True)


@pytest.mark.parametrize("word", ["two", "1790000000", "0123456789abcdef", "fedcba9876543210"])
def test_an_edit_breaks_it(word: str) -> None:
    edited = sealed(TEXT, 1_790_000_000, ME).replace(word, word[:-1] + "9", 1)
    seal = seal_of(edited)
    assert seal is not None
    assert not seal.whole


def test_what_has_none_has_none() -> None:
    for body in ("", TEXT, sealed(TEXT, 1, ME) + "more\n", sealed(TEXT, 1, ME).rstrip()):
        assert seal_of(body) is None


def test_the_search_is_linear() -> None:
    assert seal_of("<!-- at 1 by " * 200_000) is None
