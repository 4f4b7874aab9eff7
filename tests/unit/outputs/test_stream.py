"""Live output: a secret is not shown, however the chunks fall, and all else is shown in time."""

from __future__ import annotations

import base64
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.outputs.known import KnownValues
from orchestrator.outputs.secrets import Detector
from orchestrator.outputs.stream import Stream
from orchestrator.policy.outputs import SecretAction
from tests.support.secret_samples import CANARY, SAMPLES

DETECTOR = Detector(KnownValues.of([("canary", CANARY)]))
GITHUB = SAMPLES["github"][0]
KEY = SAMPLES["private_key"][5]


def shown(text: str, cuts: list[int], action: SecretAction = "redact") -> str:
    stream = Stream(DETECTOR, action)
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    pieces = [stream.feed(text[first:last]) for first, last in pairwise(places)]
    return "".join((*pieces, stream.end()))


SECRETS = {
    "plain": CANARY,
    "base64": base64.b64encode(CANARY.encode()).decode(),
    "hex": CANARY.encode().hex(),
    "lines": "\n".join(CANARY),
    "key": GITHUB,
    "private key": KEY,
}


@given(st.sampled_from(sorted(SECRETS)), st.lists(st.integers(0, 10**6), max_size=40))
def test_no_chunks_let_a_secret_through(name: str, cuts: list[int]) -> None:
    secret = SECRETS[name]
    result = shown(f"before\n{secret} after\nmore\n", cuts)
    assert not DETECTOR.find(result.encode())
    for piece in range(0, len(secret) - 8, 4):
        assert secret[piece : piece + 8] not in result or secret[piece : piece + 8].isspace()
    assert result.startswith("before\n")
    assert result.endswith(" after\nmore\n")


@pytest.mark.parametrize("name", SECRETS)
def test_one_character_at_a_time(name: str) -> None:
    text = f"before\n{SECRETS[name]}\nafter\n"
    result = shown(text, list(range(len(text))))
    assert "[secret removed:" in result
    assert SECRETS[name] not in result


@given(st.text(max_size=200), st.lists(st.integers(0, 10**6), max_size=10))
def test_other_text_comes_through_as_it_is(text: str, cuts: list[int]) -> None:
    assert shown(text, cuts) == text


def test_whole_lines_are_shown_at_once() -> None:
    stream = Stream(DETECTOR, "redact")
    assert stream.feed("read\n") == "read\n"
    assert stream.feed("half a li") == ""
    assert stream.feed("ne\nnext") == "half a line\n"
    assert stream.end() == "next"


def test_a_line_without_end_is_shown_but_for_its_end() -> None:
    stream = Stream(DETECTOR, "redact")
    assert len(stream.feed("." * 10_000)) == 10_000 - 1024


def test_what_may_have_begun_waits() -> None:
    stream = Stream(DETECTOR, "redact")
    assert stream.feed(f"x\n{CANARY[:14]}\n") == "x\n"
    assert stream.feed(f"{CANARY[14:]}\nrest\n") == "[secret removed: canary]\nrest\n"


def test_allow_and_block() -> None:
    """The control: what redact takes out is there when it is allowed."""
    assert shown(f"a {CANARY} b", [3, 8], "allow") == f"a {CANARY} b"
    stream = Stream(DETECTOR, "block")
    assert stream.feed("harmless\n") == ""
