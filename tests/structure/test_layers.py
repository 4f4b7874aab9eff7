"""The shape of the code: imports point down only, one module knows docker, one reads the environment."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import orchestrator

PACKAGE = Path(orchestrator.__file__).parent

# Lowest first. A module imports from its own layer and from those before it.
LAYERS = (
    "errors", "text", "strictjson", "private", "forks", "interruption", "upkeep", "schemas", "settings", "logs",
    "sandbox", "manifest", "validation", "policy", "pool", "records", "vault", "outputs", "results", "registry",
    "sessions", "memo", "audit", "image", "events", "live", "jobs", "janitor", "watch", "installation",
    "reviews", "alerts", "recovery", "metrics", "dashboard", "running", "warming", "chores", "books", "core", "testing",
    "examples", "doctor", "cli",
)  # fmt: skip
# Plain values that lower layers share, without behaviour: they may be imported from anywhere.
VALUES = {"orchestrator.manifest.model", "orchestrator.validation.finding", "orchestrator.vault.changes"}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if not path.relative_to(PACKAGE).parts[0].startswith("_"))


def imported(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def layer(dotted: str) -> str | None:
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "orchestrator" and parts[1] in LAYERS else None


def own_layer(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def upward(path: Path) -> list[str]:
    here = LAYERS.index(own_layer(path))
    found = []
    for dotted, line in imported(path):
        target = layer(dotted)
        is_value = any(dotted == value or dotted.startswith(value + ".") for value in VALUES)
        if target is not None and LAYERS.index(target) > here and not is_value:
            found.append(f"{path.relative_to(PACKAGE)}:{line} imports {dotted}")
    return found


def test_every_module_has_a_layer() -> None:
    tops = {own_layer(path) for path in modules()} - {"__init__"}
    assert tops == set(LAYERS)


def test_imports_point_down_only() -> None:
    assert [line for path in modules() if own_layer(path) != "__init__" for line in upward(path)] == []


def test_the_check_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = tmp_path / "text.py"
    wrong.write_text("from orchestrator.core import Orchestrator\n")
    monkeypatch.setattr("tests.structure.test_layers.PACKAGE", tmp_path)
    assert upward(wrong)


def test_declaring_the_verbs_loads_none_of_their_work() -> None:
    """`orchestrator --help` waits for no engine, database or vault; nor does one verb for another's modules."""
    code = "import sys, orchestrator.cli.app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    verbs = {f"verbs.{path.stem}" for path in (PACKAGE / "cli" / "verbs").glob("[!_]*.py")}
    assert verbs, "the check does not see the verbs any more"
    declarations = {"app", "console", "exits", "failures", "options", "verbs", *verbs}
    of_cli = {name.removeprefix("orchestrator.cli.") for name in loaded if name.startswith("orchestrator.cli.")}
    assert of_cli == declarations
    heavy = {"docker", "jsonschema", "sqlalchemy", "loguru", "pydantic"}
    assert not loaded & {*heavy, "orchestrator.core", "orchestrator.policy", "orchestrator.sessions"}


def test_docker_is_imported_in_one_module() -> None:
    users = {
        str(path.relative_to(PACKAGE))
        for path in modules()
        for dotted, _ in imported(path)
        if dotted.split(".")[0] == "docker"
    }
    assert users == {"sandbox/docker_engine.py"}


def test_the_environment_is_read_in_one_module() -> None:
    users = set()
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
                users.add(str(path.relative_to(PACKAGE)))
    assert users <= {"settings.py"}


def test_no_function_outgrows_a_screen() -> None:
    """60 lines is the outer edge; most are far below. Data tables are not functions."""
    long = []
    for path in [*modules(), *(PACKAGE.parent / "sandbox-image").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > 60:
                    long.append(f"{path.name}:{node.name} has {length} lines")
    assert long == []
