"""The corpora: every way around is denied by the rule that its file names, and ordinary skills are not.

The rates are asserted and printed (``pytest -s``); docs/threat-model.md repeats them.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from orchestrator.manifest.model import VaultGrants
from orchestrator.policy import Decision
from orchestrator.validation.rules import RULES
from tests.support.policies import CORPUS, LEVELS, REPOSITORY, decide, shipped, skill

HOSTILE = sorted((CORPUS / "hostile").glob("*.py"))
BENIGN = sorted((CORPUS / "benign").glob("*.py"))
POLICIES = {level: shipped(level) for level in LEVELS}
# What is promised for ordinary code, and what is measured here.
PROMISED = {"strict": 0.95, "standard": 0.99, "relaxed": 0.99}
VAULT = VaultGrants(read=(".",), write=(".",))
EXPECTATION = re.compile(r"# expect: (ORC\d{3} at [a-z ]+(?:; ORC\d{3} at [a-z ]+)*)\Z")


def read(path: Path) -> tuple[str, str]:
    """The code, byte for byte (no newline translation), and its first line."""
    code = path.read_bytes().decode("utf-8")
    return code, code.splitlines()[0]


@cache
def judged(path: Path, level: str) -> Decision:
    """As a skill that may read and write the whole vault: what is examined here is the code."""
    return decide(POLICIES[level], skill(read(path)[0], level, vault=VAULT))


def expected(path: Path) -> dict[str, str]:
    """Rule by level, from the file's first line."""
    found = EXPECTATION.match(read(path)[1])
    assert found, f"{path.name} does not say which rule must deny it"
    rules = {}
    for clause in found[1].split("; "):
        rule, _, levels = clause.partition(" at ")
        rules.update(dict.fromkeys(LEVELS if levels == "all" else levels.split(), rule))
    return rules


def rate(level: str) -> float:
    return sum(judged(path, level).allowed for path in BENIGN) / len(BENIGN)


def test_the_corpora_are_there() -> None:
    assert len(HOSTILE) >= 400
    assert len(BENIGN) >= 200


@pytest.mark.parametrize("path", HOSTILE, ids=lambda path: path.stem)
def test_hostile_code_is_denied_by_the_named_rule(path: Path) -> None:
    for level, rule in expected(path).items():
        assert rule in RULES
        decision = judged(path, level)
        assert not decision.allowed
        named = [violation for violation in decision.violations if violation.rule == rule]
        assert named, f"{level}: {[str(violation) for violation in decision.violations]}"
        assert all(violation.fix for violation in named)


@pytest.mark.parametrize("level", ["strict", "standard"])
def test_all_hostile_code_is_denied(level: str) -> None:
    denied = [path for path in HOSTILE if not judged(path, level).allowed]
    print(f"\nhostile, {level}: {len(denied)} of {len(HOSTILE)} denied")
    assert sorted(path.stem for path in set(HOSTILE) - set(denied)) == []


@pytest.mark.parametrize("path", BENIGN, ids=lambda path: path.stem)
def test_ordinary_code_is_allowed(path: Path) -> None:
    head = read(path)[1]
    for level in ("standard", "relaxed") if head.startswith("# not strict") else LEVELS:
        decision = judged(path, level)
        assert decision.allowed, f"{level}: {[str(violation) for violation in decision.violations]}"


@pytest.mark.parametrize("level", LEVELS)
def test_the_promised_share_of_ordinary_code_is_allowed(level: str) -> None:
    print(f"\nordinary, {level}: {rate(level):.1%} of {len(BENIGN)} allowed")
    assert rate(level) >= PROMISED[level]


def test_the_reasons_to_be_not_strict_are_real() -> None:
    marked = {path for path in BENIGN if read(path)[1].startswith("# not strict")}
    assert [path.name for path in marked if judged(path, "strict").allowed] == []


def test_the_published_rates_are_the_measured_ones() -> None:
    text = " ".join((REPOSITORY / "docs" / "threat-model.md").read_text("utf-8").split())
    for level in LEVELS:
        assert f"{rate(level):.1%} at `{level}`" in text
    assert f"{len(HOSTILE)} hostile programs" in text
    assert f"{len(BENIGN)} ordinary ones" in text
