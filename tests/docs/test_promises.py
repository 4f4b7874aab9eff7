"""Each promise of the threat model names tests, and those exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.docs.pages import ARCHITECTURE, ROOT, THREAT_MODEL, table

_TEST_LINK = re.compile(r"\]\((\.\./tests/[^)#\s]+)\)")
PROMISES = table(THREAT_MODEL, "Promises")
LAYERS = table(ARCHITECTURE, "Layers")


def named_tests(cell: str) -> list[Path]:
    return [(ROOT / "docs" / link).resolve() for link in _TEST_LINK.findall(cell)]


def holds_tests(path: Path) -> bool:
    """Whether the file has at least one test (or, for a conftest, an assertion in a fixture)."""
    if not path.is_file():
        return False
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    if path.name == "conftest.py":
        return any(isinstance(node, ast.Assert) for node in nodes)
    return any(isinstance(node, ast.FunctionDef) and node.name.startswith("test_") for node in nodes)


def test_promises_are_numbered() -> None:
    assert [int(row["no."]) for row in PROMISES] == list(range(1, len(PROMISES) + 1))


@pytest.mark.parametrize("row", PROMISES, ids=lambda row: row["no."])
def test_each_promise_is_held_by_tests(row: dict[str, str]) -> None:
    found = named_tests(row["held by"])
    assert found, "a promise without a test is a wish"
    assert [str(path) for path in found if not holds_tests(path)] == []


@pytest.mark.parametrize("row", LAYERS, ids=lambda row: row["layer"][:30])
def test_each_layer_names_its_tests(row: dict[str, str]) -> None:
    found = named_tests(row["tests"])
    assert found
    assert [str(path) for path in found if not holds_tests(path)] == []


def test_a_file_without_tests_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text("x = 1\n")
    assert not holds_tests(tmp_path / "test_x.py")
    assert not holds_tests(tmp_path / "missing.py")
