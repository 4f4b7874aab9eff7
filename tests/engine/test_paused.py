"""A container that somebody paused, on the real engine: it looks idle, and no run may be lost to it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from orchestrator import Orchestrator, RunEvent, Settings, Status
from orchestrator.image.model import BuiltImage
from orchestrator.sandbox import sandbox as sandbox_module
from orchestrator.sandbox.docker_engine import DockerEngine
from orchestrator.sandbox.options import LABEL, LABEL_INSTANCE
from orchestrator.sandbox.ownership import state_id
from orchestrator.sandbox.wire import FrameType
from tests.conftest import MakeSettings, MakeVault
from tests.core.conftest import manifest
from tests.support.sandboxes import job_of, sandbox_of, spec_for

DEADLINE = 30.0
ADDS = "def main():\n    with open('/vault/Inbox/log.md', 'a') as log:\n        log.write('ran\\n')\n"


@pytest.fixture
def client(engine_url: str) -> Iterator[docker.APIClient]:
    client = docker.APIClient(base_url=engine_url)
    yield client
    client.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_module, "SILENCE_SECONDS", 1.5)


def idle(engine: DockerEngine, orchestrator: Orchestrator) -> str:
    """The one container of ``orchestrator``."""
    [row] = engine.list({LABEL: "", LABEL_INSTANCE: orchestrator._installation.instance.id})
    return row.id


def one_warm(make_settings: MakeSettings, vault: Path) -> Settings:
    return make_settings(vault=vault, warm_targets={"strict": 0, "standard": 1, "relaxed": 0}, max_containers=2)


def test_an_idle_one_is_asked_for_an_answer(
    real_engine: DockerEngine, image: BuiltImage, state_dir: Path, client: docker.APIClient
) -> None:
    with sandbox_of(real_engine, spec_for(image.image_id), state_id(state_dir)) as sandbox:
        assert sandbox.answers()
        client.pause(sandbox.id)
        assert sandbox.alive(), "the control: nothing else gives it away"
        assert not sandbox.answers()
        client.unpause(sandbox.id)
        assert not sandbox.answers(), "what comes late does not make it whole"


def test_the_pools_check_replaces_it(
    make_settings: MakeSettings, make_vault: MakeVault, real_engine: DockerEngine, client: docker.APIClient
) -> None:
    with Orchestrator(one_warm(make_settings, make_vault())) as orchestrator:
        orchestrator.prime(DEADLINE)
        paused = idle(real_engine, orchestrator)
        client.pause(paused)
        orchestrator._pools.wait_until(lambda stats: stats.dead_total == 1, DEADLINE)
        orchestrator.prime(DEADLINE)
        assert orchestrator.run(manifest("def main():\n    return 1\n")).attempt_reasons == ()
        assert real_engine.wait_removed(paused, DEADLINE)


def test_a_run_that_got_it_is_given_another_and_happens_once(
    make_settings: MakeSettings, make_vault: MakeVault, real_engine: DockerEngine, client: docker.APIClient
) -> None:
    vault = make_vault({"Inbox/a.md": "a"})
    there: list[bool] = []
    with Orchestrator(one_warm(make_settings, vault)) as orchestrator:
        orchestrator._pools._next_check = time.monotonic() + 3600  # or the pool could find it first
        orchestrator.prime(DEADLINE)
        paused = idle(real_engine, orchestrator)
        client.pause(paused)

        def look(event: RunEvent) -> None:
            if event.kind == "started":
                there.append(real_engine.inspect(paused) is not None)

        result = orchestrator.run(manifest(ADDS, vault={"write": ["Inbox"]}), on_event=look)
    assert (result.status, len(result.attempt_reasons)) == (Status.SUCCEEDED, 1), result.reason
    assert "no sign of the job" in result.attempt_reasons[0]
    assert there == [True, False], "it is gone before another has the job: nobody can let it go on"
    assert (vault / "Inbox/log.md").read_text() == "ran\n"


def test_a_job_that_takes_its_time_in_silence_is_announced(
    real_engine: DockerEngine, image: BuiltImage, state_dir: Path
) -> None:
    """Or it would be taken for one that is paused."""
    with sandbox_of(real_engine, spec_for(image.image_id), state_id(state_dir)) as sandbox:
        job = job_of("while True:\n    pass\n")
        sandbox._stream.send(FrameType.JOB, job.encode(), time.monotonic() + DEADLINE)
        frame = sandbox._stream.receive(DEADLINE)
        assert frame is not None
        assert (frame.type, frame.payload) == (FrameType.TAKEN, b"")
