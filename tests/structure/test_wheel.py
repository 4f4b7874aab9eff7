"""``pip install .`` gives all that is needed outside the checkout: policies, image recipe, schemas, the command."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(out), str(ROOT)],
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.whl"))


def test_the_wheel_carries_everything(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for directory, prefix in (("policies", "orchestrator/_policies"), ("sandbox-image", "orchestrator/_sandbox_image")):
        for file in (ROOT / directory).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert f"{prefix}/{file.relative_to(ROOT / directory)}" in names
    for step in (ROOT / "orchestrator/records/migrations").rglob("*.py"):
        assert str(step.relative_to(ROOT)) in names
    for data in ("py.typed", "manifest/skill-manifest.schema.json", "policy/policy.schema.json"):
        assert f"orchestrator/{data}" in names
    assert not [name for name in names if name.endswith(".pyc")]


def test_it_works_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """Unpacked elsewhere, on this environment's dependencies: policies load, the recipe is found, the CLI answers."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        f"import orchestrator, pathlib; assert pathlib.Path(orchestrator.__file__).is_relative_to({str(tmp_path)!r})\n"
        "from orchestrator.policy import check, default_policy_dir; assert check(default_policy_dir()).ok\n"
        "from orchestrator.image.recipe import locate; print(locate())\n"
        "from orchestrator.cli import main\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
