"""Well-known kinds of keys: each pattern has a hit, ordinary output has none, and nothing is slow or asks a network."""

from __future__ import annotations

import base64
import importlib
import subprocess
import sys

import pytest

from orchestrator.outputs import patterns
from orchestrator.outputs.hits import TooMany
from orchestrator.policy.outputs import PATTERNS
from tests.support.secret_samples import BENIGN, KEY_BODY, OWN_SAMPLES, SAMPLES

EACH = [(name, sample) for name, samples in SAMPLES.items() for sample in samples] + list(OWN_SAMPLES.items())


def kinds(text: str | bytes) -> set[str]:
    return {hit.kind for hit in patterns.find(text.encode() if isinstance(text, str) else text)}


@pytest.mark.parametrize(("name", "sample"), EACH)
def test_each_pattern_finds_its_sample(name: str, sample: str) -> None:
    text = f'first line\n{{"value": "x"}} {sample} end\n'
    hits = [hit for hit in patterns.find(text.encode()) if hit.kind == name and not hit.how]
    assert hits
    assert name in PATTERNS


@pytest.mark.parametrize("name", patterns.PLUGINS)
def test_there_is_a_sample_for_each_pattern_of_a_plugin(name: str) -> None:
    """detect-secrets is free to add patterns: then the trigger must be looked at, and a sample added."""
    plugin = patterns.PLUGINS[name]
    made = getattr(importlib.import_module(f"detect_secrets.plugins.{plugin.module}"), plugin.type)
    own = len(made.denylist) - (1 if name == "private_key" else 0)
    assert len(SAMPLES[name]) - (1 if name == "private_key" else 0) == own
    for pattern in made.denylist:
        assert any(pattern.search(sample) for sample in SAMPLES[name]), pattern.pattern


def test_the_names_are_those_that_a_policy_can_ignore() -> None:
    assert set(PATTERNS) == {*patterns.PLUGINS, *patterns.OWN}


@pytest.mark.parametrize(("name", "sample"), EACH)
def test_an_ignored_kind_is_not_found(name: str, sample: str) -> None:
    assert name not in {hit.kind for hit in patterns.find(sample.encode(), frozenset({name}))}


@pytest.mark.parametrize("text", BENIGN.values(), ids=BENIGN)
def test_ordinary_output_has_none(text: str) -> None:
    assert kinds(text) == set()


@pytest.mark.parametrize("name", ["github", "stripe", "aws", "slack", "private_key", "sendgrid"])
def test_encoded_once(name: str) -> None:
    raw = (SAMPLES[name][0] + " padding").encode()
    for worn in (
        base64.b64encode(raw), base64.urlsafe_b64encode(raw), base64.b64encode(raw).rstrip(b"="), raw.hex().encode(),
        raw.hex().upper().encode(), b"".join(b"%%%02x" % byte for byte in raw), base64.encodebytes(b"x" * 57 + raw),
    ):  # fmt: skip
        assert name in kinds(b"value: " + worn + b"\n"), worn
        assert name in kinds(b"a line of text before it\nabcdefghijklmnopqrstuvwxy\n" + worn + b"\nabcdefgh\n"), worn


def test_an_encoded_key_is_covered_as_a_whole() -> None:
    text = b"<" + base64.b64encode(SAMPLES["github"][0].encode()) + b">"
    (hit,) = patterns.find(text)
    assert (hit.start, hit.end, hit.how) == (1, len(text) - 1, "base64")


def test_a_private_key_is_covered_with_its_body() -> None:
    text = "before\n" + SAMPLES["private_key"][5] + "\nafter"
    (hit,) = patterns.find(text.encode())
    assert text[: hit.start] == "before\n"
    assert text[hit.end :] == "\nafter"
    cut = f"-----BEGIN RSA PRIVATE KEY-----\n{KEY_BODY}\n"
    (hit,) = patterns.find(cut.encode())
    assert KEY_BODY not in cut[: hit.start] + cut[hit.end :]


@pytest.mark.parametrize(
    "evil",
    [b"eyJ", b"sk-", b"://a:b", b"A", b"%41", b"//a", b"aws key", b"glagent-", b"xoxb-1-", b"eyJ.", b"a" * 23 + b"\n"],
)
def test_near_matches_do_not_add_up(evil: bytes) -> None:
    """4 MB each. A pattern that is quadratic takes hours; nothing is timed here."""
    keys = (b"glagent-", b"xoxb-1-")  # these do look like keys
    try:
        assert evil in keys or patterns.find(evil * (4 * 2**20 // len(evil))) == []
        assert evil not in keys or patterns.find(evil * (4 * 2**20 // len(evil)))
    except TooMany:
        assert evil in keys


def test_a_flood_is_not_counted_to_its_end() -> None:
    with pytest.raises(TooMany):
        patterns.find((SAMPLES["aws"][0].encode() + b"\n") * (patterns.MAX_HITS + 1))


def test_an_allow_list_comment_does_not_allow() -> None:
    assert kinds(SAMPLES["github"][0] + "  # pragma: allowlist secret") == {"github"}


def test_it_is_imported_for_nothing_less_than_a_key() -> None:
    """Importing detect-secrets takes 0.1 s, and it brings an HTTP client along."""
    code = (
        "import sys, orchestrator\n"
        "from orchestrator.outputs import patterns\n"
        "patterns.find(b'sha e3b0c44298fc1c149afbf4c8996fb924, password: x')\n"
        "assert not {m for m in sys.modules if m.startswith('detect_secrets')}, 'too early'\n"
        f"assert patterns.find({SAMPLES['github'][0].encode()!r})\n"
        "assert 'detect_secrets.plugins.base' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_no_key_is_verified_over_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a key was sent somewhere")

    import socket

    monkeypatch.setattr(socket.socket, "connect", refused)
    for _, sample in EACH:
        patterns.find(sample.encode())
