"""Syntax newer than the sandbox's Python is refused, and what this host cannot parse as well, in words that say so."""

from __future__ import annotations

import ast
import sys
from dataclasses import replace

import pytest

from orchestrator.image.wheels import PYTHON_VERSION
from orchestrator.policy.decision import RECIPE_PYTHON
from orchestrator.validation import syntax
from orchestrator.validation.examine import examine
from orchestrator.validation.inspection import digest_of
from orchestrator.validation.rules import make_finding
from tests.support.policies import HOST, shipped, skill

NEWER = [
    ("type Pair = tuple[int, int]", (3, 12)),
    ("def f[T](x: T) -> T:\n    return x", (3, 12)),
    ("class A[T = int]:\n    pass", (3, 13)),
    ("x = t'{1}'", (3, 14)),
    ("try:\n    pass\nexcept ValueError, KeyError:\n    pass", (3, 14)),
]


@pytest.mark.parametrize(("code", "since"), NEWER)
def test_newer_syntax_is_dated_or_refused_by_name(code: str, since: tuple[int, int]) -> None:
    findings = examine(code).findings
    if sys.version_info[:2] >= since:
        assert ".".join(map(str, since)) in {f.subject for f in findings if f.rule == "ORC010"}
    else:
        (finding,) = [f for f in findings if f.rule == "ORC001"]
        ours = f"Python {sys.version_info.major}.{sys.version_info.minor}"
        assert finding.message.startswith(f"{ours}, which examines the code, cannot parse it")
        assert "whatever the sandbox's Python" in finding.fix


class TypeAlias(ast.AST):  # as on a newer host
    pass


def test_nodes_have_a_version() -> None:
    assert syntax.since(TypeAlias()) == (3, 12)
    assert syntax.since(ast.parse("x = 1")) == syntax.OLDEST
    caught = ast.parse("try:\n    pass\nexcept (A, B):\n    pass").body[0].handlers[0]  # type: ignore[attr-defined]
    assert syntax.since(caught) == syntax.OLDEST
    caught.type.col_offset = caught.type.elts[0].col_offset  # as `except A, B:` is parsed from 3.14 on
    assert syntax.since(caught) == (3, 14)


@pytest.mark.parametrize(("sandbox", "allowed"), [((3, 11), False), ((3, 13), False), ((3, 14), True), ((3, 15), True)])
def test_the_sandboxs_python_decides(sandbox: tuple[int, int], allowed: bool) -> None:
    wanted = skill("x = 1\n")
    found = replace(make_finding("ORC010", "3.14", "uses syntax of Python 3.14 (TemplateStr)", line=1))
    inspection = replace(examine(wanted.code), findings=(found,))
    assert inspection.code_digest == digest_of(wanted.code)
    decision = shipped("standard").evaluate(wanted, inspection, replace(HOST, python=sandbox))
    assert decision.allowed == allowed
    assert {v.rule for v in decision.violations} == (set() if allowed else {"POL504"})


def test_the_assumed_python_is_the_recipes() -> None:
    assert ".".join(map(str, RECIPE_PYTHON)) == PYTHON_VERSION
