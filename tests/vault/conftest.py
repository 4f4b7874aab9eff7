from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.sandbox.spec import VaultView
from tests.vault.world import World

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="mounting an overlay, and changing owners, needs root")


@pytest.fixture
def base() -> Iterator[Path]:
    """A directory that another uid can reach, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="vault-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(params=[pytest.param("overlay", marks=NEEDS_ROOT), "copy"])
def world(request: pytest.FixtureRequest, base: Path) -> Iterator[World]:
    view: VaultView = request.param
    made = World(base, view)
    yield made
    made.close()


@pytest.fixture
def overlay(base: Path) -> Iterator[World]:
    if os.geteuid() != 0:
        pytest.skip("mounting an overlay needs root")
    made = World(base, "overlay")
    yield made
    made.close()


@pytest.fixture
def copy(base: Path) -> Iterator[World]:
    made = World(base, "copy")
    yield made
    made.close()
