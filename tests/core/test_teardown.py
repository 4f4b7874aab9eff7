"""After ``close``, and after ``kill -9`` at any moment, nothing is left: container, volume, process, scratch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest

from orchestrator import Orchestrator, PoolClosed, Settings, Status
from orchestrator.sandbox.docker_engine import DockerEngine
from orchestrator.sandbox.options import LABEL, LABEL_INSTANCE, LABEL_STATE
from orchestrator.sandbox.ownership import Instance, state_id
from orchestrator.sandbox.sweep import sweep
from tests.core.conftest import manifest

GONE_WITHIN_SECONDS = 10.0  # how long the test waits; the promise is 2 s, and `make bench` measures it

LOOP = "def main():\n    print('on', flush=True)\n    while True:\n        pass\n"

CHILD = """
import sys, threading
from orchestrator import Orchestrator, Settings
settings = Settings(docker_host=sys.argv[1], state_dir=sys.argv[2], vault=sys.argv[3],
                    warm_targets={"strict": 0, "standard": 2, "relaxed": 0})
orchestrator = Orchestrator(settings)
print("open", orchestrator._installation.instance.id, flush=True)
if sys.argv[4] == "running":
    orchestrator.prime()
    loop = {"manifest_version": 1, "name": "loop", "version": "1.0.0", "code": sys.argv[5]}
    orchestrator.run(loop, on_event=lambda event: print(event.kind, flush=True))
threading.Event().wait()
"""


def containers(engine: DockerEngine, instance: str) -> list[str]:
    return [row.id for row in engine.list({LABEL: "", LABEL_INSTANCE: instance})]


def volumes(url: str, instance: str) -> list[str]:
    """Overlay volumes over that instance's slots; others on this engine are not ours to count."""
    client = docker.APIClient(base_url=url)
    try:
        found = client.volumes()["Volumes"] or []
    finally:
        client.close()
    return [volume["Name"] for volume in found if instance in str(volume.get("Options"))]


def wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + GONE_WITHIN_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.05)
    return True


def spawn(engine_url: str, state_dir: Path, vault: Path, phase: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, engine_url, str(state_dir), str(vault), phase, LOOP],
        stdout=subprocess.PIPE,
        text=True,
    )


def processes_of(instance: str) -> list[str]:
    """Command lines that name the instance: the janitor's, for one."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if instance in line:
            found.append(line)
    return found


@pytest.mark.parametrize("phase", ["starting", "running"])
@pytest.mark.parametrize("delay_ms", [0, 30, 80, 150, 400])
def test_kill_9_leaves_nothing(
    phase: str,
    delay_ms: int,
    engine_url: str,
    real_engine: DockerEngine,
    image: object,
    state_dir: Path,
    make_vault: Callable[..., Path],
) -> None:
    """Also while containers are being created: those have no supervisor yet that could see us gone."""
    process = spawn(engine_url, state_dir, make_vault(), phase)
    assert process.stdout is not None
    instance = process.stdout.readline().split()[1]
    if phase == "running":
        while process.stdout.readline().strip() != "stdout":
            pass
    threading.Event().wait(delay_ms / 1000)
    process.kill()
    process.wait()
    process.stdout.close()
    assert wait_until(lambda: not containers(real_engine, instance) and not processes_of(instance))
    assert volumes(engine_url, instance) == []
    assert not (state_dir / "slots" / instance).exists()
    assert not (state_dir / "instances" / instance).exists()


def test_without_the_janitor_the_next_start_sweeps(
    engine_url: str, real_engine: DockerEngine, image: object, state_dir: Path, make_vault: Callable[..., Path],
    make_settings: Callable[..., Settings],
) -> None:  # fmt: skip
    vault = make_vault()
    process = spawn(engine_url, state_dir, vault, "starting")
    assert process.stdout is not None
    instance = process.stdout.readline().split()[1]
    children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True)
    process.stdout.close()
    process.send_signal(signal.SIGSTOP)
    os.kill(int(children.stdout.split()[0]), signal.SIGKILL)  # the janitor, which is ours
    process.kill()
    process.wait()
    with Orchestrator(make_settings(vault=vault)):
        assert containers(real_engine, instance) == []
        assert not (state_dir / "slots" / instance).exists()


def test_the_sweep_spares_the_living_and_the_foreign(real_engine: DockerEngine, image: Any, state_dir: Path) -> None:
    mine, sibling = Instance(state_dir), Instance(state_dir)
    try:
        dead = Instance(state_dir)
        dead.release()
        ids = {}
        for who, instance_id, state in (
            ("dead", dead.id, mine.state_id),
            ("sibling", sibling.id, mine.state_id),
            ("foreign", dead.id, "f" * 16),
        ):
            labels = {LABEL: "1", LABEL_INSTANCE: instance_id, LABEL_STATE: state}
            options = {"Image": image.image_id, "Labels": labels, "HostConfig": {"NetworkMode": "none"}}
            ids[who] = real_engine.create(f"skill-sweep-{who}-{mine.id}", options)
        sweep(real_engine, mine)
        left = {who for who, container_id in ids.items() if real_engine.inspect(container_id) is not None}
        assert left == {"sibling", "foreign"}
    finally:
        for container_id in ids.values():
            real_engine.remove(container_id)
        mine.release()
        sibling.release()


def test_close_waits_for_a_run_and_then_refuses(
    make_settings: Callable[..., Settings], real_engine: DockerEngine
) -> None:
    orchestrator = Orchestrator(make_settings())
    started = threading.Event()
    results = []
    code = "import time\n\ndef main():\n    print('on')\n    time.sleep(1)\n    return 'done'\n"

    def work() -> None:
        results.append(orchestrator.run(manifest(code), on_event=lambda event: started.set()))

    thread = threading.Thread(target=work)
    thread.start()
    assert started.wait(20)
    instance = orchestrator._installation.instance.id
    orchestrator.close()
    thread.join()
    assert results[0].output == "done"
    assert containers(real_engine, instance) == []
    with pytest.raises(PoolClosed):
        orchestrator.run(manifest(code))
    orchestrator.close()


def test_close_ends_what_does_not_end(make_settings: Callable[..., Settings], real_engine: DockerEngine) -> None:
    orchestrator = Orchestrator(make_settings())
    started = threading.Event()
    results = []

    def work() -> None:
        results.append(orchestrator.run(manifest(LOOP), on_event=lambda event: started.set()))

    thread = threading.Thread(target=work)
    thread.start()
    assert started.wait(20)
    instance = orchestrator._installation.instance.id
    orchestrator.close(timeout=0.2)
    thread.join()
    assert results[0].status in (Status.CANCELLED, Status.SANDBOX_ERROR)
    assert containers(real_engine, instance) == []


def test_removed_behind_our_back(make_settings: Callable[..., Settings], real_engine: DockerEngine) -> None:
    """A warm sandbox that somebody removed is not handed out."""
    with Orchestrator(make_settings(warm_targets={"standard": 1})) as orchestrator:
        orchestrator.prime()
        for container_id in containers(real_engine, orchestrator._installation.instance.id):
            real_engine.remove(container_id)
        assert orchestrator.run(manifest("def main():\n    return 1\n")).output == 1


def test_killed_while_it_runs(make_settings: Callable[..., Settings], real_engine: DockerEngine) -> None:
    """Somebody removes the container of a running skill: one clear status, no second attempt of the job."""
    with Orchestrator(make_settings()) as orchestrator:

        def on_event(event: Any) -> None:
            if event.kind == "stdout":
                for container_id in containers(real_engine, orchestrator._installation.instance.id):
                    real_engine.remove(container_id)

        result = orchestrator.run(manifest(LOOP), on_event=on_event)
        assert result.status is Status.SANDBOX_ERROR
        assert result.stdout == "on\n"


def test_state_id_is_stable(state_dir: Path) -> None:
    assert state_id(state_dir) == state_id(state_dir)
