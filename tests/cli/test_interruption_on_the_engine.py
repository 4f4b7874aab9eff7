"""SIGINT and SIGTERM at real processes with real sandboxes: in mid-run, in the queue, while changes land, twice."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.image.model import BuiltImage
from orchestrator.sandbox.docker_engine import DockerEngine
from orchestrator.sandbox.ownership import state_id
from tests.conftest import MakeVault, left_behind

PATIENCE = 60
CODES = pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
SPINS = "def main():\n    print('running')\n    while True:\n        pass\n"
# Waits until the test edits a note, so that the test chooses the moment of the landing. (A note that it made would not
# be seen: an overlay remembers which names are not there.)
LANDS = """
import time
from pathlib import Path

def main():
    print("ready")
    while Path("/vault/Inbox/a.md").read_text() == "a":
        time.sleep(0.02)
    for name in ("one", "two"):
        Path(f"/vault/Inbox/{name}.md").write_text(name)
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def own_state(tmp_path: Path, state_dir: Path, image: BuiltImage) -> Path:
    """A state directory of this test's, so that what it leaves cannot be another's."""
    own = tmp_path / "state"
    own.mkdir(mode=0o700)
    for name in ("image.json",):
        (own / name).write_bytes((state_dir / name).read_bytes())
    return own


@pytest.fixture
def start(engine_url: str, own_state: Path) -> Iterator[Start]:
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "DOCKER_HOST": engine_url,
            "ORCHESTRATOR_STATE_DIR": str(own_state),
            "COLUMNS": "200",
        }
        process = subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()


def verb(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-c", "from orchestrator.cli import main; main()", *map(str, arguments)]


@pytest.fixture
def skill(tmp_path: Path) -> Callable[..., Path]:
    def skill(code: str, **document: Any) -> Path:
        path = tmp_path / "skill.json"
        whole = {"manifest_version": 1, "name": "a", "version": "1.0.0", "code": code, "limits": {"wall_seconds": 60}}
        path.write_text(json.dumps({**whole, **document}))
        return path

    return skill


def read_until(process: subprocess.Popen[str], words: str) -> None:
    assert process.stderr is not None
    while words not in (line := process.stderr.readline()):
        assert line, f"it ended before it said {words!r}"


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        threading.Event().wait(0.01)


def containers_left(engine: DockerEngine, state: Path) -> list[str]:
    return left_behind(engine, state_id(state))


# --- in mid-run


@CODES
def test_a_signal_in_mid_run_cancels_and_shows_how_it_ended(
    start: Start, skill: Any, own_state: Path, real_engine: DockerEngine, number: signal.Signals, code: int
) -> None:
    process = start(*verb("run", skill(SPINS)))
    read_until(process, "| running")
    process.send_signal(number)
    returned, out, err = ended(process)
    assert (returned, out) == (code, "")
    assert "cancelling; once more hurries\n" in err
    assert "cancelled: the caller cancelled the run" in err
    assert containers_left(real_engine, own_state) == []


@CODES
def test_the_document_of_a_cancelled_run_is_whole_and_has_its_output(
    start: Start, skill: Any, own_state: Path, real_engine: DockerEngine, number: signal.Signals, code: int,
    make_vault: MakeVault,
) -> None:  # fmt: skip
    """Without events nothing tells of the run's start, so a note that it makes in its view does."""
    vault = make_vault({"Inbox/a.md": "a"})
    process = start(*verb("run", skill(LANDS, vault={"write": ["Inbox"]}), "--vault", vault, "-o", "json"))
    until(lambda: _running(real_engine, own_state), "no sandbox appeared")
    process.send_signal(number)
    returned, out, err = ended(process)
    assert returned == code, err
    document = json.loads(out)
    assert document["status"] == "cancelled"
    assert document["changes"] == []
    assert sorted(path.name for path in (vault / "Inbox").iterdir()) == ["a.md"]
    assert containers_left(real_engine, own_state) == []


def _running(engine: DockerEngine, state: Path) -> bool:
    from orchestrator.sandbox.options import LABEL, LABEL_STATE

    return any(row.state == "running" for row in engine.list({LABEL: "", LABEL_STATE: state_id(state)}))


# --- in the queue

WAITS = """
import sys, threading
from orchestrator import Orchestrator, Settings
from orchestrator.interruption import cancelling

def skill(code):
    return {"manifest_version": 1, "name": "a", "version": "1.0.0", "code": code, "limits": {"wall_seconds": 60}}

cold = {"strict": 0, "standard": 0, "relaxed": 0}
with Orchestrator(Settings(max_containers=1, warm_targets=cold)) as orchestrator:
    started, end = threading.Event(), threading.Event()
    busy = threading.Thread(
        target=orchestrator.run, args=(skill("def main():\\n    while True:\\n        pass\\n"),),
        kwargs={"cancel": end, "on_event": lambda _: started.set()},
    )
    busy.start()
    started.wait()

    def tell():
        while not orchestrator.stats().waiting:
            threading.Event().wait(0.01)
        print("in the queue", file=sys.stderr, flush=True)

    threading.Thread(target=tell).start()
    with cancelling() as cancel:
        result = orchestrator.run(skill("def main():\\n    return 1\\n"), cancel=cancel)
    print(result.status, result.reason)
    end.set()
    busy.join()
sys.exit(cancel.exit_code)
"""


@CODES
def test_a_signal_in_the_queue_ends_the_wait(
    start: Start, own_state: Path, real_engine: DockerEngine, number: signal.Signals, code: int
) -> None:
    process = start(sys.executable, "-c", WAITS)
    read_until(process, "in the queue")
    process.send_signal(number)
    returned, out, err = ended(process)
    assert returned == code, err
    assert out == "cancelled the caller cancelled the run before a sandbox was free; nothing ran\n"
    assert containers_left(real_engine, own_state) == []


# --- while changes land


@contextmanager
def landing(start: Start, skill: Any, vault: Path) -> Iterator[tuple[subprocess.Popen[str], Callable[[], None]]]:
    """A run that waits for the vault's lock, which this holds, to land its changes; and what lets it go on."""
    process = start(*verb("run", skill(LANDS, vault={"write": ["Inbox"]}), "--vault", vault))
    read_until(process, "| ready")
    directory = os.open(vault, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        (vault / "Inbox" / "a.md").write_text("go")
        until(lambda: f" {process.pid} " in _lock_waiters(), "the run does not come to its landing")
        yield process, lambda: fcntl.flock(directory, fcntl.LOCK_UN)
    finally:
        os.close(directory)


def _lock_waiters() -> str:
    return "".join(line for line in Path("/proc/locks").read_text().splitlines() if "->" in line)


def written(vault: Path) -> list[str]:
    return sorted(path.name for path in (vault / "Inbox").iterdir() if path.name != "a.md")


def recorded(start: Start, vault: Path) -> list[dict[str, Any]]:
    returned, out, err = ended(start(*verb("history", "--vault", vault, "-o", "json")))
    assert returned == 0, err
    document = json.loads(out)
    runs: list[dict[str, Any]] = document["runs"] if isinstance(document, dict) else document
    return runs


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_changes_that_land_do_so_whole_and_the_run_ends_as_it_would_have(
    start: Start, skill: Any, own_state: Path, real_engine: DockerEngine, make_vault: MakeVault, number: signal.Signals
) -> None:
    vault = make_vault({"Inbox/a.md": "a"})
    with landing(start, skill, vault) as (process, go_on):
        process.send_signal(number)
        read_until(process, "cancelling")
        assert written(vault) == []
        go_on()
        returned, out, err = ended(process)
    assert (returned, out) == (0, "null\n"), err
    assert written(vault) == ["one.md", "two.md"]
    (run,) = recorded(start, vault)
    assert run["state"] == "committed"
    assert containers_left(real_engine, own_state) == []


@CODES
def test_a_second_signal_leaves_at_once_no_container_and_no_half_of_the_changes(
    start: Start, skill: Any, own_state: Path, real_engine: DockerEngine, make_vault: MakeVault,
    number: signal.Signals, code: int,
) -> None:  # fmt: skip
    """The lock is held throughout, so the landing that it leaves behind cannot have ended by itself."""
    vault = make_vault({"Inbox/a.md": "a"})
    with landing(start, skill, vault) as (process, _):
        process.send_signal(number)
        read_until(process, "cancelling")
        process.send_signal(number)
        returned, out, err = ended(process)
        assert (returned, out) == (code, ""), err
        assert "hurrying" in err
        assert containers_left(real_engine, own_state) == []
    assert written(vault) in ([], ["one.md", "two.md"])
    assert len(recorded(start, vault)) == (1 if written(vault) else 0)


# --- the demo


@CODES
def test_the_demo_is_cancelled_whole(
    start: Start, real_engine: DockerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals, code: int,
) -> None:  # fmt: skip
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    scratch.chmod(0o755)
    process = start(*verb("demo"))
    assert process.stdout is not None
    assert process.stdout.readline().startswith("A vault of ")
    [state] = [each.read_text() for each in scratch.glob("orchestrator-demo-*/state/id")]
    process.send_signal(number)
    returned, out, err = ended(process)
    assert returned == code, (out, err)
    assert out.rstrip().endswith("Cancelled.")
    assert list(scratch.glob("orchestrator-demo-*")) == []
    assert left_behind(real_engine, state) == []
