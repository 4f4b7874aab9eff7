"""Facts of the scanner: places, scopes, limits, cache."""

from __future__ import annotations

import ast
import sys
import types
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.validation import names
from orchestrator.validation.checks import CHECKS, PLAIN
from orchestrator.validation.finding import Finding
from orchestrator.validation.rules import RULES
from orchestrator.validation.scanner import inspect
from tests.support.policies import skill


def found(code: str, rule: str) -> list[Finding]:
    return [finding for finding in inspect(skill(code)).findings if finding.rule == rule]


def subjects(code: str, rule: str) -> set[str]:
    return {finding.subject for finding in found(code, rule)}


def test_a_finding_names_its_place() -> None:
    (finding,) = found("def main():\n    x = 'ü'; import subprocess\n", "ORC101")
    assert (finding.line, finding.column) == (2, 21)  # in characters, not bytes
    assert finding.subject == "subprocess"
    assert str(finding).startswith("line 2:21: [ORC101] imports subprocess")


def test_imports_are_listed() -> None:
    code = "from __future__ import annotations\nimport os.path as p\nfrom json import loads\nimport csv, json\n"
    assert inspect(skill(code)).imports == ("csv", "json", "os.path")


@pytest.mark.parametrize(
    "code",
    [
        "def main(compile): return compile(1)",
        "def compile(x): return x\ndef main(): return compile(1)",
        "def main(): return compile(1)\nimport json\ndef compile(x: int = 1) -> list[int]: return x",
        "def compile(n): return compile(n - 1)",
        "compile = 1\nprint(compile)",
        "from re import compile\ncompile('x')",
        "def main():\n    for compile in []: pass\n    return compile",
        "def main():\n    compile = 1\n    def inner():\n        nonlocal compile\n        return compile",
        "class A:\n    compile = 1\n    x = compile",
        "x = [compile for compile in []]",
        "def main(x):\n    match x:\n        case [compile, *_]:\n            return compile",
    ],
)
def test_a_name_of_the_program_is_not_the_builtin(code: str) -> None:
    assert "compile" not in subjects(code, "ORC201")


@pytest.mark.parametrize(
    "code",
    [
        "compile",
        "if x:\n    compile = 1\ncompile",
        "compile\ncompile = 1",
        "main()\ndef main(): pass\nmain()\ndef early(): return compile(1)\nearly()\ndef compile(x): pass",
        "class A:\n    compile = 1\n    def run(self): return compile",
        "class A:\n    if x:\n        compile = 1\n    y = compile",
        "class A(B):\n    compile = 1\n    y = compile",
        "compile = 1\ndef f():\n    global compile\n    del compile\nf()\ncompile",
        "compile = compile",
        "compile: int\ncompile",
        "@compile\ndef compile(): pass",
        "def compile(x=compile): pass",
        "for compile in (): pass\ncompile",
        "(compile := 1) if x else 0\ncompile",
    ],
)
def test_a_name_that_may_be_unbound_is_the_builtin(code: str) -> None:
    assert "compile" in subjects(code, "ORC201")


def test_aliases_are_followed() -> None:
    code = "import os as a\nb = a\ndef main():\n    c = b.path\n    d = c\n    return d.join('x'), b.getcwd()\n"
    assert {"os.path", "os.path.join", "os.getcwd"} <= subjects(code, "ORC401")


def test_an_alias_bound_to_two_modules_is_both() -> None:
    code = "import json as m\ndef main():\n    global m\n    import os as m\nm.x\n"
    assert {"json.x", "os.x"} <= subjects(code, "ORC401")


def test_aliases_in_a_circle_end() -> None:
    assert inspect(skill("import os\na = b\nb = a\na = os\nb.system\nn = n.next\n")).findings


def test_too_many_aliases_are_denied() -> None:
    chain = "a0 = json\n" + "".join(f"a{n} = a{n - 1}\na{n}.x\n" for n in range(1, 1500))
    assert found("import json\n" + chain, "ORC004")


@pytest.mark.parametrize("code", ["x = 1\0", "x = '\ud800'", "\ufeff\ufeffx", "x = " + "(" * 5000, "\x1a"])
def test_unreadable_text_is_denied(code: str) -> None:
    rules = {finding.rule for finding in inspect(skill(code)).findings}
    assert rules & {"ORC001", "ORC003"}


def test_a_large_source_is_denied() -> None:
    assert found("#" * 600_000, "ORC002")


def test_findings_are_bounded_and_say_so() -> None:
    assert found("\n".join(f"unknown_{n}" for n in range(6000)), "ORC004")


def test_repeated_findings_are_few() -> None:
    assert len(found("exec\n" * 1000, "ORC201")) < 10


def test_doubtful_escapes_do_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not found("x = '\\d' is 1\n", "ORC001")


def test_the_same_code_is_inspected_once() -> None:
    code = "x = 'cached'\n"
    assert inspect(skill(code)) is inspect(skill(code, level="strict"))


def test_many_threads_agree() -> None:
    codes = [f"import json\nx = {n % 7}\n" for n in range(200)]
    with ThreadPoolExecutor(8) as pool:
        inspections = list(pool.map(lambda code: inspect(skill(code)), codes))
    assert len({inspection.code_digest for inspection in inspections}) == 7
    assert all(inspection.imports == ("json",) for inspection in inspections)


def test_messages_are_printable() -> None:
    (finding,) = found("x['__import__']\nimport a" + "b" * 1000, "ORC101")
    assert len(finding.message) <= 200
    assert all(f.message.isprintable() for f in inspect(skill("x = '\u202e\x1b[31m'\n")).findings)


def test_every_node_class_is_known() -> None:
    """A new Python brings new syntax: it is denied until somebody has looked at it."""
    classes = {cls for cls in vars(ast).values() if isinstance(cls, type) and issubclass(cls, ast.AST)}
    abstract = {cls for cls in classes if cls.__subclasses__()}
    outdated = {"Num", "Str", "Bytes", "NameConstant", "Ellipsis", "Index", "ExtSlice", "Suite", "AugLoad", "AugStore",
                "Param", "Interactive", "Expression", "FunctionType", "TypeIgnore"}  # fmt: skip
    concrete = {cls.__name__ for cls in classes - abstract}
    assert concrete - outdated - set(CHECKS) - PLAIN == set()
    assert not set(CHECKS) & PLAIN


def test_rules_explain_themselves() -> None:
    for rule in RULES.values():
        assert rule.title
        assert rule.why
        assert rule.fix or rule.is_fact


def test_the_table_of_non_modules_is_right() -> None:
    """No entry may be a module on the Python at hand: it would open a way through."""
    for dotted in sorted(names.STDLIB_NOT_MODULES):
        module, _, attribute = dotted.rpartition(".")
        loaded = sys.modules.get(module)
        if loaded is not None:
            assert not isinstance(getattr(loaded, attribute, None), types.ModuleType), dotted


BANNED = "eval('1')"
POSITIONS = [
    "{}", "x = {}", "x += {}", "x: {} = 1", "x: int = {}", "del x[{}]", "assert {}", "assert x, {}", "raise {}",
    "raise x from {}", "if {}:\n pass", "while {}:\n pass", "for i in {}:\n pass", "for i in x:\n pass\nelse:\n {}",
    "with {}:\n pass", "with x as y[{}]:\n pass", "try:\n pass\nexcept {}:\n pass", "try:\n pass\nexcept* {}:\n pass",
    "try:\n pass\nfinally:\n {}", "def f(a={}):\n pass", "def f(*, a={}):\n pass", "def f(a: {}):\n pass",
    "def f(*a: {}):\n pass", "def f(**a: {}):\n pass", "def f() -> {}:\n pass", "def f(a, /, b: {} = 1):\n pass",
    "async def f():\n await {}", "async def f():\n async for i in {}:\n  pass",
    "async def f():\n async with {}:\n  pass",
    "def f():\n yield {}", "def f():\n yield from {}", "def f():\n return {}", "@{}\ndef f():\n pass",
    "@{}\nclass A:\n pass", "class A({}):\n pass", "class A(metaclass={}):\n pass", "class A:\n x = {}",
    "lambda: {}", "lambda a={}: 1", "[{}]", "({}, 1)", "{{{}}}", "{{1: {}}}", "{{{}: 1}}", "{{**{}}}", "[*{}]",
    "[{} for i in x]", "[i for i in {}]", "[i for i in x if {}]", "{{i: {} for i in x}}", "sum({} for i in x)",
    "[i for j in x for i in {}]", "x[{}]", "x[{}:1]", "x[1:2:{}]", "x.y[{}].z", "{}.x", "x({})", "x(*{})", "x(a={})",
    "x(**{})", "-{}", "not {}", "1 + {}", "x and {}", "1 < x < {}", "{} if x else 1", "1 if {} else x", "(y := {})",
    "f'{{{}}}'", "f'{{x:{{{}}}}}'", "f'{{x!r:>{{{}}}}}'", "match {}:\n case 1:\n  pass",
    "match x:\n case 1 if {}:\n  pass", "match x:\n case 1:\n  {}", "x = [\n 1,\n {},\n]", "print(end={})",
]  # fmt: skip


@pytest.mark.parametrize("position", POSITIONS)
def test_a_banned_construct_is_found_at_every_position(position: str) -> None:
    planted = BANNED if "'" not in position else 'eval("1")'
    assert "eval" in subjects(position.format(planted), "ORC201")


BLOCKS = ["def f{n}():\n", "class C{n}:\n", "if x:\n", "for i in x:\n", "with x:\n"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(BLOCKS), max_size=8))
def test_a_banned_construct_is_found_at_every_depth(blocks: list[str]) -> None:
    lines = [" " * depth + block.format(n=depth) for depth, block in enumerate(blocks)]
    code = "".join(lines) + " " * len(blocks) + "eval('1')\n"
    assert "eval" in subjects(code, "ORC201")


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_any_text_gets_an_answer(text: str) -> None:
    assert isinstance(inspect(skill(text)).findings, tuple)
