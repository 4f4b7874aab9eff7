"""The tables ``[secrets]`` and ``[content]`` of a policy file."""

from __future__ import annotations

import pytest

from orchestrator.errors import PolicyError
from orchestrator.policy import Policy, load_policy
from tests.support.policies import PROFILE, SHIPPED


def loaded(*changes: tuple[str, str]) -> Policy:
    text = (SHIPPED / "standard.toml").read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return load_policy("standard", text.encode(), {"sandbox.json": PROFILE})


def test_each_key_is_read() -> None:
    policy = loaded(('stdout = "redact"', 'stdout = "allow"\nignore = ["jwt"]'), ('html = "escape"', 'html = "strip"'))
    rules = policy.parts.outputs
    assert (rules.secrets.stdout, rules.secrets.ignore, rules.content.html) == ("allow", ("jwt",), "strip")
    assert policy.digest != loaded().digest


@pytest.mark.parametrize(
    ("old", "new", "pointer"),
    [
        ('stdout = "redact"', 'stdout = "warn"', "/secrets/stdout"),
        ('html = "escape"', 'html = "redact"', "/content/html"),
        ('html = "escape"', 'htlm = "escape"', "/content"),
        ('stdout = "redact"', 'stdout = "redact"\nignore = ["jwtt"]', "/secrets/ignore/0"),
    ],
)
def test_mistakes_are_named(old: str, new: str, pointer: str) -> None:
    with pytest.raises(PolicyError) as caught:
        loaded((old, new))
    assert pointer in [problem.pointer for problem in caught.value.problems]
