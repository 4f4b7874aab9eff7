"""scripts/engine.py: finds an engine, leaves it alone, and says what to do where there is none.

The engines here are sockets that answer a ping. What starts and ends a real private one needs a machine without an
engine and is exercised by .ci/run.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import shutil
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts/engine.py"
NOBODY = 65534


class _Ping(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/_ping" else 404)
        self.send_header("Api-Version", "1.41")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[str]:
    path = tmp_path / "docker.sock"
    with socketserver.ThreadingUnixStreamServer(str(path), _Ping) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"unix://{path}"
        server.shutdown()
        thread.join()


def script(state: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.defpath, "HOME": str(state), "ORCHESTRATOR_STATE_DIR": str(state), **variables}
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False, env=environment
    )


def test_an_engine_that_answers_is_used_and_left_alone(engine: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    for _ in range(2):
        done = script(state, "start", DOCKER_HOST=engine)
        assert (done.returncode, done.stderr) == (0, f"engine: using the engine at {engine}\n")
    assert [path.name for path in state.iterdir()] == ["engine.lock"]
    assert script(state, "status", DOCKER_HOST=engine).stdout == f"{engine}\n"
    stopped = script(state, "stop", DOCKER_HOST=engine)
    assert (stopped.returncode, "nothing to stop" in stopped.stderr) == (0, True)
    assert script(state, "status", DOCKER_HOST=engine).returncode == 0


@pytest.mark.parametrize("verb", ["start", "status"])
def test_a_docker_host_that_does_not_answer_is_an_error(verb: str, tmp_path: Path) -> None:
    done = script(tmp_path / "state", verb, DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    assert done.returncode == 1
    assert "no engine answers there" in done.stderr
    assert "unset DOCKER_HOST" in done.stderr


def test_the_docker_contexts_engine_is_found_and_recorded_as_not_ours(engine: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    name = "laptop"
    meta = tmp_path / "docker/contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": engine}}}))
    (tmp_path / "docker/config.json").write_text(json.dumps({"currentContext": name}))
    done = script(state, "start", DOCKER_CONFIG=str(tmp_path / "docker"))
    assert done.returncode == 0, done.stderr
    assert json.loads((state / "engine.json").read_text()) == {"socket": engine, "pid": None, "pid_start": None}
    assert script(state, "stop").returncode == 0
    assert script(state, "status", DOCKER_CONFIG=str(tmp_path / "docker")).stdout == f"{engine}\n"


@pytest.mark.parametrize("record", ["", "{", "[]", '{"socket": 1}', '{"pid": 1}'])
def test_a_damaged_record_counts_as_none(record: str, tmp_path: Path) -> None:
    (tmp_path / "engine.json").write_text(record)
    done = script(tmp_path, "stop")
    assert (done.returncode, done.stderr) == (0, "engine: no engine of ours is recorded: nothing to stop\n")


def test_a_recorded_process_that_is_not_our_dockerd_is_never_ended(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("the part that ends processes runs as root")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        start = Path(f"/proc/{bystander.pid}/stat").read_text().rpartition(")")[2].split()[19]
        uid = "4294900000"  # nobody's: the directories of that engine do not exist
        done = script(tmp_path, "root-stop", uid, str(bystander.pid), start)
        assert done.returncode == 0, done.stderr
        assert "no longer runs" in done.stderr
        assert bystander.poll() is None
        bystander.communicate(b"\n")


def test_without_root_or_sudo_it_says_what_to_do() -> None:
    python = shutil.which("python3", path="/usr/bin:/bin")
    if os.geteuid() != 0 or python is None:
        pytest.skip("becoming a user without rights takes root, and a Python that this user may start")
    with tempfile.TemporaryDirectory() as name:
        os.chown(name, NOBODY, NOBODY)
        copied = shutil.copy(SCRIPT, name)
        done = subprocess.run(
            [python, "-I", copied, "start"], capture_output=True, text=True, check=False,
            user=NOBODY, group=NOBODY, extra_groups=[],
            env={"PATH": name, "HOME": name, "ORCHESTRATOR_STATE_DIR": name},
        )  # fmt: skip
        assert not Path(name, "engine.json").exists()
    assert done.returncode == 1
    assert "run `make engine` as root or install sudo" in done.stderr
    assert "set DOCKER_HOST" in done.stderr


# --- a real private engine, in directories of its own ----------------------------------------------------------------


@pytest.fixture
def places(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A made-up user id, and the directory of that user's engine: never that of an engine in use."""
    if os.geteuid() != 0 or shutil.which("dockerd", path="/usr/bin:/usr/sbin:/usr/local/bin:/usr/local/sbin") is None:
        pytest.skip("a private engine takes root and an installed dockerd")
    uid = "4294900001"
    runtime = Path(f"/run/skill-orchestrator-engine-{uid}")
    yield uid, runtime
    if (runtime / "docker.pid").exists():
        pid = (runtime / "docker.pid").read_text()
        script(tmp_path, "root-stop", uid, pid, _start_time(int(pid)))
    Path(f"/var/log/{runtime.name}.log").unlink(missing_ok=True)


def _start_time(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def _leftovers(directory: Path) -> list[str]:
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    processes = [command.decode() for command in commands if f"{directory}/".encode() in command]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return processes + [line for line in mounts if str(directory) in line]


def test_a_private_engine_starts_once_survives_a_kill_and_ends_completely(
    places: tuple[str, Path], tmp_path: Path
) -> None:
    uid, runtime = places
    first = json.loads(script(tmp_path, "root-start", uid).stdout)
    assert first["socket"] == f"unix://{runtime}/docker.sock"
    assert f" {runtime} " in "".join(line for line in _leftovers(runtime) if " - tmpfs " in line)
    assert json.loads(script(tmp_path, "root-start", uid).stdout) == first

    os.kill(first["pid"], signal.SIGKILL)
    second = json.loads(script(tmp_path, "root-start", uid).stdout)
    assert second["pid"] != first["pid"]
    assert script(tmp_path, "status", DOCKER_HOST=second["socket"]).returncode == 0

    other = script(tmp_path, "root-stop", uid, str(second["pid"]), "1")  # the id was given to another process since
    assert (other.returncode, "left alone" in other.stderr) == (1, True)
    assert script(tmp_path, "status", DOCKER_HOST=second["socket"]).returncode == 0

    done = script(tmp_path, "root-stop", uid, str(second["pid"]), str(second["pid_start"]))
    assert done.returncode == 0, done.stderr
    assert not runtime.exists()
    assert _leftovers(runtime) == []
