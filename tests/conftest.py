"""Fixtures shared by all suites: the real engine, the real image, vaults, sandboxes with layers taken off.

The engine is the one that ``DOCKER_HOST``, the default socket or `make engine` gives. Each session uses a state
directory of its own, so nothing of the user's installation is touched; at the end nothing of ours may be left.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from loguru import logger

import orchestrator.core  # noqa: F401 - so that it has silenced the library before we undo that
from orchestrator.image.build import ensure_image
from orchestrator.image.model import BuiltImage
from orchestrator.sandbox.discovery import engine_url as find_engine
from orchestrator.sandbox.docker_engine import DockerEngine
from orchestrator.sandbox.options import LABEL, LABEL_STATE
from orchestrator.sandbox.ownership import state_id
from orchestrator.settings import Settings
from tests.support.postgres import PostgresOfTests, programs
from tests.support.recording import RecordingClient, recorded_calls

logger.enable("orchestrator")  # importing the core silences the library; tests look at what it logs

VAULT_OWNER = 1000  # an ordinary user, so that the overlay view is used when the suite runs as root

MakeVault = Callable[..., Path]
MakeSettings = Callable[..., Settings]


@pytest.fixture(scope="session")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state", numbered=True)


@pytest.fixture(scope="session")
def engine_url() -> str:
    return find_engine(Settings())


@pytest.fixture(scope="session")
def real_engine(engine_url: str, state_dir: Path) -> Iterator[DockerEngine]:
    """The engine, its HTTP calls recorded. After the session: no container of ours, and no forbidden call."""
    engine = DockerEngine(engine_url, client=RecordingClient)
    yield engine
    left = left_behind(engine, state_id(state_dir))
    engine.close()
    assert left == [], "containers were left behind"
    forbidden = [call for call in recorded_calls() if "/exec" in call.path or "/archive" in call.path]
    assert forbidden == [], "the engine's exec or archive API was used"


def left_behind(engine: DockerEngine, state: str) -> list[str]:
    """Names of containers that are still there when those on their way out have had time to go."""
    deadline = time.monotonic() + 10
    while True:
        left = [f"{row.name} ({row.state})" for row in engine.list({LABEL: "", LABEL_STATE: state})]
        if not left or time.monotonic() > deadline:
            return left
        threading.Event().wait(0.1)


@pytest.fixture(scope="session")
def image(real_engine: DockerEngine, state_dir: Path) -> BuiltImage:
    settings = Settings()
    return ensure_image(real_engine, state_dir, settings.cache_dir)


@pytest.fixture
def make_vault(tmp_path: Path) -> MakeVault:
    """``make_vault({"Inbox/a.md": "text"}, owner=1000)``: a directory of notes, owned by an ordinary user."""

    def make(notes: dict[str, str] | None = None, *, owner: int = VAULT_OWNER, name: str = "notes") -> Path:
        root = tmp_path / name
        root.mkdir()
        for path, text in (notes or {"Inbox/a.md": "# A\n"}).items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        if os.geteuid() == 0:
            for entry in (root, *root.rglob("*")):
                os.chown(entry, owner, owner)
        return root

    return make


@pytest.fixture
def make_settings(engine_url: str, image: BuiltImage, state_dir: Path) -> MakeSettings:
    """Settings on the session's engine and state directory; nothing is kept warm unless asked for."""

    def make(**changes: object) -> Settings:
        cold = {"strict": 0, "standard": 0, "relaxed": 0}
        return Settings(
            **{"docker_host": engine_url, "state_dir": state_dir, "warm_targets": cold, **changes}  # type: ignore[arg-type]
        )

    return make


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresOfTests]:
    """A PostgreSQL server of the suite's own, as Debian's package `postgresql` has it."""
    binaries = programs()
    if binaries is None:
        missing = "PostgreSQL is not installed: apt-get install postgresql"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with tempfile.TemporaryDirectory(prefix="orchestrator-pg-") as directory:
        Path(directory).chmod(0o755)  # it runs as another user where we are root
        server = PostgresOfTests(Path(directory) / "server", binaries)
        try:
            yield server
        finally:
            server.stop()
