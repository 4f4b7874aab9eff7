"""One orchestrator over one vault for the tests that only need "an orchestrator"."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator, Settings
from orchestrator.image.model import BuiltImage

OWNER = 1000


def manifest(code: str, **changes: Any) -> dict[str, Any]:
    """A manifest around ``code``; what the tests vary is given as keys."""
    return {
        "manifest_version": 1,
        "name": "probe",
        "version": "1.0.0",
        "description": "a test",
        "code": code,
        **changes,
    }


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("vault")
    for name, text in {"Inbox/a.md": "# A\n", "Inbox/b.md": "# B\n", "Private/secret.md": "canary-4711\n"}.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    if os.geteuid() == 0:
        for entry in (root, *root.rglob("*")):
            os.chown(entry, OWNER, OWNER)
    return root


@pytest.fixture(scope="module")
def orchestrator(engine_url: str, image: BuiltImage, state_dir: Path, vault: Path) -> Iterator[Orchestrator]:
    settings = Settings(
        docker_host=engine_url,
        state_dir=state_dir,
        vault=vault,
        warm_targets={"strict": 0, "standard": 2, "relaxed": 0},
    )
    with Orchestrator(settings) as orchestrator:
        orchestrator.prime()
        yield orchestrator
