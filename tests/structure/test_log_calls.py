"""No text from outside is ever a template of loguru's: every call in the package has a literal one, and a tame one."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.structure.test_layers import PACKAGE, modules

_LEVELS = {"trace", "debug", "info", "success", "warning", "error", "critical", "exception", "log"}
_FORBIDDEN_OPTIONS = {"colors", "ansi", "raw", "lazy", "capture"}  # markup in messages, or messages as they are


def root(node: ast.AST) -> str:
    """The name a chain of attributes and calls begins with: ``logger`` of ``logger.bind(x=1).info``."""
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else ""


def loggers(tree: ast.AST) -> set[str]:
    """``logger``, and the names that hold what its methods return."""
    bound = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and root(node.value) == "logger"
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return {"logger", *bound}


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    names = loggers(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and root(node.func) in names:
            yield node, node.func.attr


def escapes(tree: ast.AST) -> list[int]:
    """Lines where ``logger`` itself is handed on, so that its calls could not be followed."""
    used = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == "logger" and id(node) not in used
    ]


def offence(call: ast.Call, name: str) -> str:
    """What is wrong with a call of a logger's method; "" if nothing is."""
    if name == "opt":
        wrong = {keyword.arg or "**" for keyword in call.keywords} & {*_FORBIDDEN_OPTIONS, "**"}
        return f"uses {sorted(wrong)}" if wrong else ""
    if name not in _LEVELS:
        return ""
    if any(keyword.arg is None for keyword in call.keywords) or not call.args:
        return "has no positional template"
    template = call.args[1] if name == "log" and len(call.args) > 1 else call.args[0]
    if not isinstance(template, ast.Constant) or not isinstance(template.value, str):
        return "has a template that is no literal"
    for _, field, spec, _ in string.Formatter().parse(template.value):
        if field and not field.isidentifier():
            return f"reads {field!r} out of an argument"
        if spec and "{" in spec:
            return "has a width that an argument decides"
    return ""


def offences(paths: list[Path]) -> list[str]:
    return [
        f"{path.name}:{call.lineno} {found}"
        for path in paths
        for call, name in calls(ast.parse(path.read_text("utf-8")))
        if (found := offence(call, name))
    ]


def test_every_template_is_a_literal() -> None:
    paths = modules()
    known = [name for path in paths for _, name in calls(ast.parse(path.read_text("utf-8"))) if name in _LEVELS]
    assert len(known) > 30, "the check does not see the calls any more"
    assert offences(paths) == []
    assert [path for path in paths if escapes(ast.parse(path.read_text("utf-8")))] == []


def test_there_is_one_way_to_log() -> None:
    """``from loguru import logger``, under that name; the standard library's logging is nowhere used."""
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                assert not {alias.name.split(".")[0] for alias in node.names} & {"logging", "loguru"}, path
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] != "logging", path
                if node.module == "loguru":
                    assert all(alias.asname is None for alias in node.names), path


@pytest.mark.parametrize(
    "line",
    [
        'logger.info(f"run {run}")', "logger.info(message)", 'logger.info("a" + b)', 'logger.info("%s" % b)',
        'logger.opt(exception=error).warning(f"{error}")', 'logger.bind(run=1).error(text)', 'logger.log("INFO", text)',
        'bound = logger.bind(x=1)\nbound.error("{0.__class__}", x)', 'logger.error("{x[0]}", x=y)',
        'logger.opt(colors=True).info("x")', 'logger.info("{:{}}", x, y)', "logger.info(*args)",
        "logger.info(**options)",
    ],
)  # fmt: skip
def test_the_check_can_fail(line: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(line)
    assert offences([wrong])
    assert escapes(ast.parse("say = logger\n"))


def test_the_check_knows_what_is_right(tmp_path: Path) -> None:
    assert PACKAGE.is_dir()
    right = tmp_path / "right.py"
    right.write_text('logger.log("INFO", "{}: {!r} {:.1f}", a, b, c)\nlogger.opt(exception=e).warning("{{}} {}", x)\n')
    assert offences([right]) == []
