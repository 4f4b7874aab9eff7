"""The bench for probes, on the session's engine and image."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.image.model import BuiltImage
from orchestrator.sandbox.docker_engine import DockerEngine
from orchestrator.sandbox.ownership import state_id
from tests.security.lab import Lab


@pytest.fixture(scope="session")
def lab(real_engine: DockerEngine, image: BuiltImage, state_dir: Path) -> Lab:
    return Lab(real_engine, image.image_id, state_id(state_dir))
