"""Outlines: what the code says, followed through names and never guessed; bounded; and believed by nobody."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.manifest.model import SkillManifest
from orchestrator.validation import source
from orchestrator.validation.outline import Outline, outline
from orchestrator.validation.scanner import inspect
from orchestrator.validation.scopes import Program
from tests.support.policies import CORPUS

BENIGN = sorted((CORPUS / "benign").glob("*.py"))
CODE = """
import sqlite3
from pathlib import Path as P

VAULT = P("/vault")
LIMIT = 3
double = lambda n: 2 * n


def run(note, /, limit, *rest, deep=False, **more):
    (VAULT / "Out" / f"{note}.md").write_text("x")
    sqlite3.connect(":memory:")


@staticmethod
def decorated(x):
    pass
"""


def of(code: str) -> Outline:
    tree = source.read(code).tree
    assert tree is not None
    return outline(Program(tree))


def test_functions_with_their_parameters() -> None:
    found = of(CODE)
    functions = {function.name: function for function in found.functions}
    assert set(functions) == {"double", "run"}
    assert [(p.name, p.kind, p.required) for p in functions["run"].parameters] == [
        ("note", "positional", True),
        ("limit", "either", True),
        ("rest", "args", False),
        ("deep", "keyword", False),
        ("more", "kwargs", False),
    ]
    assert found.values == ("LIMIT",)
    assert "decorated" in found.names  # what a decorator makes of it is not known


@pytest.mark.parametrize(
    "code",
    ["if x:\n    def f(a): pass\nelse:\n    def f(b): pass", "def f(a): pass\nf = wrap(f)", "f = wrap(g)",
     "def g():\n    global f\n    def f(a): pass", "from m import f", "class f: pass", "def f(a): pass\ndel f"],
)  # fmt: skip
def test_a_name_that_may_be_anything_has_no_parameters(code: str) -> None:
    found = of(code)
    assert "f" not in {function.name for function in found.functions}
    assert "f" in found.names


@pytest.mark.parametrize(
    ("expression", "path", "whole"),
    [
        ('"/vault/a.md"', "/vault/a.md", True),
        ('P("/vault", "a", "b.md")', "/vault/a/b.md", True),
        ('VAULT / "a" / name', "/vault/a/", False),
        ('f"{VAULT}/a/{name}.md"', "/vault/a/", False),
        ('"/vault/" + name', "/vault/", False),
        ('os.path.join("/vault", name)', "/vault/", False),
        ('str(VAULT / "x.md")', "/vault/x.md", True),
        ('VAULT.joinpath("a", "b").resolve()', "/vault/a/b", True),
        ('(VAULT / "a.md").with_suffix(".bak")', "/vault/", False),
        ('VAULT / "/tmp/x"', "/tmp/x", True),
        ('f"{name}/x"', "", False),
        ("name", "", False),
        ("twice", "", False),
        ("VAULT / 1", "/vault/", False),
    ],
)
def test_a_path_is_followed_as_far_as_it_is_literal(expression: str, path: str, whole: bool) -> None:
    head = 'import os\nfrom pathlib import Path as P\nVAULT = P("/vault")\ntwice = "/a"\ntwice = "/b"\n'
    (write,) = of(f"{head}def main(name):\n    open({expression}, mode='w')\n").writes
    assert (write.path, write.whole) == (path, whole)


@pytest.mark.parametrize(
    "code",
    ["open('/vault/x')", "open('/vault/x', 'rb')", "open('/vault/x', mode)", "P('/vault/x').read_text()",
     "text.replace('a', 'b')", "frame.rename('a')", "def open(a, b): pass\nopen('/vault/x', 'w')"],
)  # fmt: skip
def test_what_is_no_write(code: str) -> None:
    assert of(f"from pathlib import Path as P\n{code}").writes == ()


def test_paths_that_double_cost_no_more() -> None:
    doubling = 'a0 = ""\n' + "".join(f"a{n + 1} = a{n} + a{n}\n" for n in range(200))
    (write,) = of(f"{doubling}open(a200, 'w')").writes
    assert write.path == ""


def test_many_of_everything_is_bounded() -> None:
    many = "".join(f"def f{n}(a): pass\n" for n in range(1000)) + "open('/x', 'w')\n" * 2000
    found = of(many)
    assert len(found.functions) + len([n for n in found.names if n.startswith("f")]) == 1000
    assert len(found.writes) == 500
    assert not of("".join(f"n{n} = g()\n" for n in range(6000))).read


@pytest.mark.parametrize("path", BENIGN, ids=lambda path: path.stem)
def test_an_outline_survives_json(path: Any) -> None:
    found = of(path.read_text("utf-8"))
    assert Outline.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_the_scan_brings_it_back_from_its_process() -> None:
    assert inspect(SkillManifest("s", "1.0.0", CODE)).outline == of(CODE)
    assert not inspect(SkillManifest("s", "1.0.0", "def main(:")).outline.read


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


DOCUMENT = json.loads(json.dumps(of(CODE).to_json()))
JUNK: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text() | st.just({}) | st.just([[]])
)


@pytest.mark.parametrize(
    ("place", "junk"),
    [
        (("read",), 1),
        (("names",), ["x"] * 5001),
        (("names", 0), "x" * 401),
        (("names", 0), 7),
        (("functions", 0, "line"), True),
        (("functions", 0, "line"), -1),
        (("functions", 0, "parameters"), [DOCUMENT["functions"][0]["parameters"][0]] * 101),
        (("functions", 0, "parameters", 0, "kind"), "other"),
        (("writes", 0, "path"), None),
        (("writes",), {}),
        (("vault_line",), 1.5),
        ((), []),
        ((), {**DOCUMENT, "more": 1}),
    ],
)
def test_what_is_no_outline_is_refused(place: tuple[Any, ...], junk: Any) -> None:
    forged: Any = {"whole": copy.deepcopy(DOCUMENT)}
    *way, last = ("whole", *place)
    spot = forged
    for step in way:
        spot = spot[step]
    spot[last] = junk
    with pytest.raises(ValueError, match="not"):
        Outline.from_json(forged["whole"])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(places(DOCUMENT)), JUNK)
def test_a_forged_outline_is_refused_or_an_outline(place: tuple[Any, ...], junk: Any) -> None:
    forged: Any = {"whole": copy.deepcopy(DOCUMENT)}
    *way, last = ("whole", *place)
    spot = forged
    for step in way:
        spot = spot[step]
    spot[last] = junk
    try:
        found = Outline.from_json(forged["whole"])
    except ValueError:
        return
    assert isinstance(found, Outline)
    assert Outline.from_json(found.to_json()) == found
