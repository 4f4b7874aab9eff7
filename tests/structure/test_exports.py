"""The public surface is deliberate: what ``__all__`` says, what is lazily found, and what the type checker sees."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import orchestrator


def test_every_name_resolves() -> None:
    for name in orchestrator.__all__:
        assert getattr(orchestrator, name) is not None
        assert name in dir(orchestrator)


def test_the_lazy_table_and_the_type_checkers_imports_agree() -> None:
    tree = ast.parse(Path(orchestrator.__file__).read_text())
    for_checkers = {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        and (node.module or "").startswith("orchestrator.") for alias in node.names
    }  # fmt: skip
    assert set(orchestrator.__all__) == set(orchestrator._HOME_OF) == for_checkers
    assert list(orchestrator.__all__) == sorted(orchestrator.__all__)


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import orchestrator, sys; print(sorted({'docker', 'pydantic', 'jsonschema'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
