"""The corpora: every way around is denied by the rule that its file names, and no ordinary skill is."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.validation.rules import RULES
from tests.support.policies import CORPUS, LEVELS, decide, shipped, skill

HOSTILE = sorted((CORPUS / "hostile").glob("*.py"))
BENIGN = sorted((CORPUS / "benign").glob("*.py"))
POLICIES = {level: shipped(level) for level in LEVELS}


def read(path: Path) -> tuple[str, str]:
    """The code, byte for byte (no newline translation), and its first line."""
    code = path.read_bytes().decode("utf-8")
    return code, code.splitlines()[0]


def test_the_corpora_are_there() -> None:
    assert len(HOSTILE) >= 60
    assert len(BENIGN) >= 30


@pytest.mark.parametrize("path", HOSTILE, ids=lambda path: path.stem)
def test_hostile_code_is_denied_by_the_named_rule(path: Path) -> None:
    code, head = read(path)
    _, _, rule, _, levels = head.split(" ", 4)
    assert rule in RULES
    for level in LEVELS if levels == "all" else levels.split():
        decision = decide(POLICIES[level], skill(code, level))
        assert not decision.allowed
        named = [violation for violation in decision.violations if violation.rule == rule]
        assert named, f"{level}: {[str(violation) for violation in decision.violations]}"
        assert all(violation.fix for violation in named)


@pytest.mark.parametrize("path", BENIGN, ids=lambda path: path.stem)
def test_ordinary_code_is_allowed(path: Path) -> None:
    code, head = read(path)
    for level in ("standard", "relaxed") if head.startswith("# not strict") else LEVELS:
        decision = decide(POLICIES[level], skill(code, level))
        assert decision.allowed, f"{level}: {[str(violation) for violation in decision.violations]}"


def test_most_ordinary_code_is_allowed_by_strict() -> None:
    allowed = [decide(POLICIES["strict"], skill(read(path)[0], "strict")).allowed for path in BENIGN]
    assert sum(allowed) / len(allowed) >= 0.9
