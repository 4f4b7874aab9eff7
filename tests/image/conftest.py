"""The image as `make sandbox-image` builds it, and the engine it was loaded into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from orchestrator.image.build import Assembled, assemble, ensure_image
from orchestrator.image.model import BuiltImage
from orchestrator.image.recipe import Recipe, locate
from orchestrator.sandbox.discovery import engine_url
from orchestrator.sandbox.docker_engine import DockerEngine
from orchestrator.settings import Settings


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return locate()


@pytest.fixture(scope="session")
def store() -> Iterator[DockerEngine]:
    engine = DockerEngine(engine_url(Settings()))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def client() -> Iterator[docker.DockerClient]:
    """To look at images and to start containers of them, past the code under test."""
    client = docker.DockerClient(base_url=engine_url(Settings()))
    yield client
    client.close()


@pytest.fixture(scope="session")
def cache_dir() -> Path:
    """The user's own: Debian packages are not fetched again for every test run."""
    return Settings().cache_dir


@pytest.fixture(scope="session")
def assembled(recipe: Recipe, cache_dir: Path) -> Assembled:
    return assemble(recipe, cache_dir)


@pytest.fixture(scope="session")
def image(store: DockerEngine, cache_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> BuiltImage:
    return ensure_image(store, tmp_path_factory.mktemp("state"), cache_dir)
