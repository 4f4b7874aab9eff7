"""Properties of the scanner and of what policies make of it, over generated programs."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from orchestrator.policy import Decision
from orchestrator.policy.model import Enforcement
from orchestrator.validation.checks import CHECKS, PLAIN
from orchestrator.validation.examine import examine
from orchestrator.validation.finding import Finding
from orchestrator.validation.folding import UNKNOWN, Folder
from orchestrator.validation.rules import RULES, make_finding
from orchestrator.validation.scopes import Program
from tests.support.policies import HOST, LEVELS, shipped, skill

POLICIES = {level: shipped(level) for level in LEVELS}

# § is where the next, smaller piece goes. None of these has a quote, so that they nest in f-strings of every Python.
EXPRESSIONS = [
    "§", "(§)", "[§]", "{§}", "{1: §}", "{§: 1}", "{**§}", "[*§]", "(§, 1)", "-(§)", "not (§)", "(§) + 1", "1 @ (§)",
    "x and (§)", "x < (§) < y", "(§) if x else y", "x if (§) else y", "(z := (§))", "lambda: (§)", "lambda a=(§): a",
    "[(§) for i in x]", "[i for i in (§)]", "[i for i in x if (§)]", "{i: (§) for i in x}", "sum((§) for i in x)",
    "x[(§)]", "x[1:(§):2]", "(§)[0]", "(§).real", "f(§)", "f(*(§))", "f(a=(§))", "f(**(§))", "(§)(1)", "f'{(§)}'",
    "f'{x:{(§)}}'", "f'{x!r:>{(§)}}'", "(yield (§))", "(yield from (§))", "(await (§))",
]  # fmt: skip
STATEMENTS = [
    "§", "x = §", "x: (§) = 1", "x += (§)", "del x[(§)]", "assert (§)", "assert x, (§)", "raise (§)", "return (§)",
    "if (§):\n    pass", "while (§):\n    break", "for i in (§):\n    pass", "for x[(§)] in y:\n    pass",
    "with (§) as w:\n    pass", "try:\n    pass\nexcept (§):\n    pass", "try:\n    pass\nexcept* (§):\n    pass",
    "match (§):\n    case 1:\n        pass",
    "match x:\n    case 1 if (§):\n        pass",
    "@(§)\ndef g():\n    pass", "@(§)\nclass C:\n    pass",
    "class C(§):\n    pass", "class C(metaclass=(§)):\n    pass", "class C:\n    a: (§)",
    "class C:\n    def m(self):\n        return (§)",
    "def g(a=(§)):\n    pass", "def g(a: (§)):\n    pass", "def g(*, a: (§) = 1):\n    pass",
    "def g() -> (§):\n    pass", "async def g(*a: (§)):\n    pass",
    "async def g():\n    async with (§):\n        pass", "async def g():\n    async for i in (§):\n        pass",
]  # fmt: skip
BLOCKS = [
    "§", "if x:\n    §", "if 0:\n    §", "else_ = 1\nif x:\n    pass\nelse:\n    §", "for i in x:\n    §",
    "while 0:\n    pass\nelse:\n    §", "with x:\n    §", "try:\n    pass\nfinally:\n    §",
    "try:\n    §\nexcept E:\n    pass", "def f():\n    §", "class K:\n    §", "match x:\n    case [a, *_]:\n        §",
]  # fmt: skip
PLANTED = {
    "eval": ("ORC201", "eval"),
    "x.__globals__": ("ORC301", "__globals__"),
    "x.gi_frame": ("ORC302", "gi_frame"),
    "__builtins__": ("ORC203", "__builtins__"),
    "getattr(x, y())": ("ORC202", "getattr"),
    "(10 ** 10 ** 9)": ("ORC601", "number"),
}


def put_into(outer: str, inner: str) -> str:
    """Fill the hole of a block with lines, at the hole's indentation."""
    line = next(line for line in outer.split("\n") if "§" in line)
    margin = line[: len(line) - len(line.lstrip())]
    return outer.replace("§", ("\n" + margin).join(inner.split("\n")))


@st.composite
def programs(draw: st.DrawFn) -> str:
    expression = "§"
    for outer in draw(st.lists(st.sampled_from(EXPRESSIONS), max_size=5)):
        assume(not ("f'" in outer and "f'" in expression))
        expression = outer.replace("§", expression)
    code = put_into(draw(st.sampled_from(STATEMENTS)), expression)
    for outer in draw(st.lists(st.sampled_from(BLOCKS), max_size=4)):
        code = put_into(outer, code)
    needs_function = any(word in code for word in ("await", "yield", "return"))
    return put_into("async def around():\n    §" if needs_function else "§", code)


@settings(max_examples=300, deadline=None)
@given(programs(), st.sampled_from(sorted(PLANTED)))
def test_what_is_banned_is_found_wherever_it_is_planted(program: str, planted: str) -> None:
    code = program.replace("§", planted)
    try:
        compile(code, "generated", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        assume(False)
    rule, subject = PLANTED[planted]
    assert (rule, subject) in {(finding.rule, finding.subject) for finding in examine(code).findings}, code


@settings(max_examples=150, deadline=None)
@given(programs())
def test_what_is_not_banned_is_not_found(program: str) -> None:
    code = program.replace("§", "value.name")
    try:
        compile(code, "generated", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        assume(False)
    assert {finding.rule for finding in examine(code).findings if not RULES[finding.rule].is_fact} == set()


@pytest.mark.parametrize("kind", sorted(set(CHECKS) | PLAIN))
def test_no_class_of_node_is_known_twice(kind: str) -> None:
    assert not (kind in CHECKS and kind in PLAIN)


FINDINGS = st.builds(
    make_finding,
    st.sampled_from(sorted(RULES)),
    st.sampled_from(["eval", "os", "json", "__class__", "__name__", "3.14", "x", "yaml.load"]),
    st.just("something"),
)


def decision_about(level: str, findings: tuple[Finding, ...], rules: dict[str, Enforcement] | None = None) -> Decision:
    wanted, policy = skill("x = 1\n", level), POLICIES[level]
    if rules is not None:
        code = replace(policy.parts.code, rules={**policy.parts.code.rules, **rules})
        policy = replace(policy, parts=replace(policy.parts, code=code))
    return policy.evaluate(wanted, replace(examine(wanted.code), findings=findings), HOST)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(LEVELS), st.lists(FINDINGS, max_size=4).map(tuple), FINDINGS)
def test_one_more_rule_never_turns_a_denial_into_an_allowance(
    level: str, findings: tuple[Finding, ...], more: Finding
) -> None:
    before, after = decision_about(level, findings), decision_about(level, (*findings, more))
    assert before.allowed or not after.allowed
    assert {v.rule for v in before.violations} <= {v.rule for v in after.violations}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(LEVELS), st.lists(FINDINGS, max_size=4).map(tuple), st.sampled_from(sorted(RULES)))
def test_a_rule_set_to_deny_never_allows_more(level: str, findings: tuple[Finding, ...], rule: str) -> None:
    before, after = decision_about(level, findings), decision_about(level, findings, {rule: "deny"})
    assert before.allowed or not after.allowed


TEXTS = st.text(st.characters(codec="ascii", exclude_characters="{}%"), max_size=6)


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=5), st.integers(0, 5))
def test_what_is_folded_is_what_python_makes_of_it(parts: list[str], which: int) -> None:
    """The evaluator of folding.py against Python itself, on expressions that only know literals."""
    text = "".join(parts)
    code = [
        " + ".join(map(repr, parts)),
        f"{''!r}.join({parts!r})",
        f"{text[::-1]!r}[::-1]",
        f"bytes({list(text.encode())!r}).decode()",
        f"''.join(map(chr, {[ord(c) for c in text]!r}))",
        f"''.join(chr(c ^ 7) for c in {[ord(c) ^ 7 for c in text]!r})",
    ][which]
    tree = ast.parse(f"result = {code}")
    program = Program(tree)
    assign = tree.body[0]
    assert isinstance(assign, ast.Assign)
    value = Folder(program).fold(assign.value, program.module)
    assert value is not UNKNOWN
    assert value == text
