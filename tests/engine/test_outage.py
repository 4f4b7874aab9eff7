"""The engine goes away and comes back, for real: a second dockerd of the test's own is killed and started again."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator import EngineError, Orchestrator, Settings
from orchestrator.image.build import ensure_image
from orchestrator.sandbox.docker_engine import DockerEngine
from tests.core.conftest import manifest

DOCKERD = shutil.which("dockerd") or shutil.which("dockerd", path="/usr/sbin")
START_SECONDS = 60

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0 or DOCKERD is None, reason="needs root and a dockerd of its own"),
    # docker-py drops the socket of a connection that was refused without closing it
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


class OwnEngine:
    """A dockerd below ``root``. ``kill`` is kill -9; its containerd goes with its process group."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = f"unix://{root}/docker.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        for stale in ("pid", "exec/containerd/containerd.pid"):
            (self.root / stale).unlink(missing_ok=True)
        with (self.root / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(DOCKERD), "--host", self.url, "--data-root", f"{self.root}/data",
                 "--exec-root", f"{self.root}/exec", "--pidfile", f"{self.root}/pid", "--bridge=none",
                 "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        engine = DockerEngine(self.url)
        try:
            while True:
                try:
                    engine.info()
                except EngineError:
                    assert time.monotonic() < deadline, (self.root / "log").read_text()[-2000:]
                    threading.Event().wait(0.1)
                else:
                    return
        finally:
            engine.close()

    def stop(self, signal_name: str = "TERM") -> None:
        assert self._process is not None
        if signal_name == "KILL":
            self._process.kill()
        else:
            self._process.terminate()
        self._process.wait()


@pytest.fixture
def own_engine() -> Iterator[OwnEngine]:
    # Not below pytest's directories: a socket's path may have 107 bytes at most.
    root = Path("/tmp") / f"orc-outage-{os.getpid()}"
    root.mkdir(mode=0o700)
    engine = OwnEngine(root)
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()
        subprocess.run(["umount", "--quiet", "--recursive", str(root / "exec")], check=False, capture_output=True)
        shutil.rmtree(root, ignore_errors=True)
        gc.collect()  # so that those sockets are found now, where the warning is expected


def test_degrades_fails_clearly_and_heals_by_itself(own_engine: OwnEngine, tmp_path: Path) -> None:
    settings = Settings(
        docker_host=own_engine.url,
        state_dir=tmp_path / "state",
        warm_targets={"strict": 0, "standard": 1, "relaxed": 0},
        acquire_timeout_seconds=5,
    )
    store = DockerEngine(own_engine.url)
    ensure_image(store, settings.state_dir, settings.cache_dir)
    store.close()
    one: dict[str, Any] = manifest("def main():\n    return 1\n")
    with Orchestrator(settings) as orchestrator:
        orchestrator.prime()
        own_engine.stop()
        # What was warm died with the engine; nothing can be made. The caller hears of the engine, not of a time-out.
        with pytest.raises(EngineError):
            orchestrator.run(one)
        stats = orchestrator.stats()
        assert stats.degraded
        assert stats.last_error
        own_engine.start()
        orchestrator.prime(timeout=60)
        assert orchestrator.run(one).output == 1
        # Also the removal of what died with the engine, which is repeated after a pause.
        orchestrator._pools.wait_until(lambda stats: not stats.degraded, 30)
