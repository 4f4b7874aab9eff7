#!/usr/bin/env python3
"""``make engine`` and ``make engine-stop``: finds a container engine, or starts a private one.

    engine.py start     use the engine that DOCKER_HOST, the docker context or the default socket reaches, untouched;
                        only where none answers: install docker.io (Debian, Ubuntu) if there is no dockerd, and start
                        a dockerd of our own without bridge and iptables, in directories of its own
    engine.py stop      end the one that ``start`` started, and no other
    engine.py status    print the engine's address; exit code 1 if none answers

The private engine is recorded in the state directory ($XDG_STATE_HOME/skill-orchestrator, or ORCHESTRATOR_STATE_DIR) as
``engine.json``, where the library finds it too. All that it writes but its log lies in a tmpfs of its own: its
containers live for seconds, its image comes back from the cache in seconds, and making and deleting the fifty files
of each container costs a disk more than it is worth (docs/adr/0011).
A process is taken for ours only if its id, its start time and its command line all match the record.
The standard library alone: this runs before anything is installed. What needs root is done by this same file,
started again through sudo with a verb that begins with "root-".
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

DEFAULT_HOST = "unix:///var/run/docker.sock"
PING_SECONDS = 3.0
START_SECONDS = 60.0
STOP_SECONDS = 30.0
SYSTEM_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
POLICY = Path("/usr/sbin/policy-rc.d")  # Debian: exit code 101 of this keeps packages from starting their services
SELF = Path(__file__).resolve()


def say(message: str) -> None:
    sys.stderr.write(f"engine: {message}\n")


def fail(message: str) -> NoReturn:
    say(message)
    raise SystemExit(1)


# --- finding an engine ---------------------------------------------------------------------------------------------


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PING_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PING_SECONDS)
        self.sock.connect(self._path)


def answers(host: str) -> bool:
    """Whether a Docker-compatible engine answers at ``host`` (unix:// or plain tcp://)."""
    address = urlsplit(host)
    connection: http.client.HTTPConnection
    if address.scheme == "unix":
        connection = _UnixConnection(address.path)
    elif address.scheme == "tcp" and address.hostname:
        connection = http.client.HTTPConnection(address.hostname, address.port or 2375, timeout=PING_SECONDS)
    else:
        return False
    try:
        connection.request("GET", "/_ping")
        response = connection.getresponse()
        return response.status == 200 and response.getheader("Api-Version") is not None
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def context_host() -> str | None:
    """The address of the ``docker`` command's current context, or None for its default one."""
    directory = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        name = os.environ.get("DOCKER_CONTEXT") or json.loads((directory / "config.json").read_text())["currentContext"]
        meta = directory / "contexts/meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
        return str(json.loads(meta.read_text())["Endpoints"]["docker"]["Host"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def state_directory() -> Path:
    """The library's ``Settings.state_dir``."""
    if own := os.environ.get("ORCHESTRATOR_STATE_DIR"):
        return Path(own).expanduser().absolute()
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "skill-orchestrator"


def read_record() -> dict[str, Any] | None:
    try:
        record = json.loads((state_directory() / "engine.json").read_text())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("socket"), str) else None


def write_record(record: dict[str, Any]) -> None:
    """In one step, mode 0600. ``pid`` is None for an engine that is not ours."""
    path = state_directory() / "engine.json"
    temporary = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        json.dump(record, stream)
    temporary.replace(path)


def forget_record() -> None:
    (state_directory() / "engine.json").unlink(missing_ok=True)


def find() -> str | None:
    """The address of an engine that answers, or None. Ends the program where DOCKER_HOST names one that does not."""
    if host := os.environ.get("DOCKER_HOST"):
        if not host.startswith(("unix:", "tcp:")) or os.environ.get("DOCKER_TLS_VERIFY"):
            say(f"DOCKER_HOST is {host}: taken as it is, without asking whether it answers")
        elif not answers(host):
            fail(f"DOCKER_HOST is {host}, and no engine answers there. Start that engine, or unset DOCKER_HOST.")
        return host
    record = read_record()
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    rootless = f"unix://{runtime}/docker.sock" if runtime else None
    for candidate in (context_host(), DEFAULT_HOST, rootless, record["socket"] if record else None):
        if candidate and answers(candidate):
            return candidate
    return None


# --- verbs ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """One ``start`` or ``stop`` at a time; the kernel releases it, however we end."""
    directory = state_directory()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / "engine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def start() -> None:
    with locked():
        if host := find():
            if host == context_host():
                write_record({"socket": host, "pid": None, "pid_start": None})  # so that the library finds it too
            say(f"using the engine at {host}")
            return
        if sys.platform != "linux":
            fail("no container engine answers. Start Docker Desktop (or another engine), or set DOCKER_HOST.")
        if os.path.exists(urlsplit(DEFAULT_HOST).path) and not os.access(urlsplit(DEFAULT_HOST).path, os.W_OK):  # noqa: PTH110
            say(f"{DEFAULT_HOST} exists, but this user may not use it")
        record = json.loads(as_root("root-start", str(os.getuid())))
        write_record(record)
        say(f"started a private engine at {record['socket']}; `make engine-stop` ends it")


def stop() -> None:
    with locked():
        record = read_record()
        if record is None or record.get("pid") is None:
            forget_record()
            say("no engine of ours is recorded: nothing to stop")
            return
        as_root("root-stop", str(os.getuid()), str(record["pid"]), str(record["pid_start"]))
        forget_record()
        say("the private engine has ended, and its images with it; `make sandbox-image` loads ours again")


def status() -> None:
    host = find()
    if host is None:
        fail("no container engine answers; `make engine` finds or starts one")
    sys.stdout.write(f"{host}\n")


def as_root(*arguments: str) -> str:
    """Standard output of this file's ``arguments`` run as root: directly, or through sudo."""
    command = [sys.executable, str(SELF), *arguments]
    if os.geteuid() != 0:
        sudo = shutil.which("sudo", path=SYSTEM_PATH)
        if sudo is None:
            fail(
                "no container engine answers to this user, and this takes root rights: "
                "run `make engine` as root or install sudo, or start an engine yourself and set DOCKER_HOST."
            )
        say("root rights are needed, through sudo: " + " ".join(command))
        command = [sudo, *([] if sys.stdin.isatty() else ["--non-interactive"]), *command]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - this very file
    if done.returncode != 0:
        fail(
            "that did not work (see above). Run `make engine` as root, or start an engine yourself and set DOCKER_HOST."
        )
    return done.stdout


# --- the part that runs as root ------------------------------------------------------------------------------------


class Places:
    """The private engine's directories: root's own, or one set for each user who started one through sudo."""

    def __init__(self, uid: int) -> None:
        name = "skill-orchestrator-engine" + (f"-{uid}" if uid else "")
        self.log = Path("/var/log", f"{name}.log")
        self.runtime = Path("/run", name)  # a tmpfs: gone after a reboot, so no stale process id outlives one
        self.config = self.runtime / "daemon.json"
        self.data = self.runtime / "data"
        self.execution = self.runtime / "exec"
        self.pid = self.runtime / "docker.pid"
        self.socket = self.runtime / "docker.sock"
        self.name = name


def process_start(pid: int) -> int | None:
    """The process's start time in clock ticks since boot (proc(5), stat, field 22), or None if it is not alive."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def running(places: Places) -> int | None:
    """The process id of our dockerd, if it runs."""
    try:
        pid = int(places.pid.read_text())
    except (OSError, ValueError):
        return None
    return pid if f"--pidfile={places.pid}" in command_line(pid) else None


def descendants_of_exec_root(places: Places) -> list[int]:
    """The containerd that our dockerd started: it names a configuration file below our directory."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    prefix = f"{places.execution}/"
    return [pid for pid in pids if any(part.startswith(prefix) for part in command_line(pid)[1:])]


def root_start(uid: int) -> None:
    places = Places(uid)
    pid = running(places)
    if pid is None:
        dockerd = shutil.which("dockerd", path=SYSTEM_PATH) or install()
        end(descendants_of_exec_root(places))
        remove_runtime(places)
        pid = launch(dockerd, places)
    host = f"unix://{places.socket}"
    wait_until(lambda: answers(host) or process_start(pid) is None, START_SECONDS)
    if not answers(host):
        end([pid])
        fail(f"dockerd did not come up. The end of its log, {places.log}:\n{log_tail(places.log)}")
    os.chown(places.socket, uid, 0)
    places.socket.chmod(0o600)
    json.dump({"socket": host, "pid": pid, "pid_start": process_start(pid)}, sys.stdout)


def launch(dockerd: str, places: Places) -> int:
    """Start dockerd in a session of its own, with no file of ours open. Its process id."""
    places.runtime.mkdir(mode=0o711, parents=True, exist_ok=True)
    in_memory(places.runtime)
    places.config.write_text("{}\n")  # or it would read the settings of the system's engine
    command = [
        dockerd, f"--host=unix://{places.socket}", f"--pidfile={places.pid}", f"--config-file={places.config}",
        f"--data-root={places.data}", f"--exec-root={places.execution}", f"--containerd-namespace={places.name}",
        f"--containerd-plugins-namespace={places.name}-plugins", "--group=0", "--log-level=warn",
        "--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false",
    ]  # fmt: skip
    environment = {"PATH": SYSTEM_PATH, "HOME": "/root"}
    with places.log.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - Debian's dockerd
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True, cwd="/"
        )
    process.returncode = 0  # it is meant to outlive us
    return process.pid


def in_memory(directory: Path) -> None:
    """Mount a tmpfs there, of the kernel's usual size: at most half of the memory, and only what is used of it."""
    command = ["mount", "-t", "tmpfs", "-o", "mode=0711", "skill-orchestrator-engine", str(directory)]
    done = subprocess.run(command, stdout=sys.stderr, check=False, env={"PATH": SYSTEM_PATH})  # noqa: S603
    if done.returncode != 0:
        say(f"{directory} cannot be a tmpfs (see above); the engine's files lie on the disk there, and it is slower")


def root_stop(uid: int, pid: int, pid_start: int) -> None:
    places = Places(uid)
    found = running(places)
    if found is not None and (found, process_start(found)) != (pid, pid_start):
        fail(f"the engine that runs (process {found}) is not the recorded one (process {pid}): left alone")
    if found is None:
        say("the recorded engine no longer runs")
    end([*([found] if found else []), *descendants_of_exec_root(places)], first=found)
    remove_runtime(places)


def end(pids: list[int], first: int | None = None) -> None:
    """End these processes: ``first`` is asked first and given time, for it ends the others in good order."""
    starts = {pid: process_start(pid) for pid in pids}

    def alive(pid: int) -> bool:
        reap(pid)
        return starts[pid] is not None and process_start(pid) == starts[pid]

    for sign in (signal.SIGTERM, signal.SIGKILL):
        for group in ([first] if first else [], [pid for pid in pids if pid != first]):
            for pid in filter(alive, group):
                os.kill(pid, sign)
            wait_until(lambda group=group: not any(map(alive, group)), STOP_SECONDS)  # type: ignore[misc]
    if left := [pid for pid in pids if alive(pid)]:
        fail(f"these processes of the private engine do not end: {left}")


def reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):  # not our child
        os.waitpid(pid, os.WNOHANG)


def remove_runtime(places: Places) -> None:
    """Unmount and delete all that a dead engine left."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in sorted((m for m in mounts if f"{m}/".startswith(f"{places.runtime}/")), key=len, reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=False, env={"PATH": SYSTEM_PATH})  # noqa: S603, S607
    if places.runtime.exists():
        shutil.rmtree(places.runtime)


def install() -> str:
    """Install Debian's or Ubuntu's docker.io, its services left off. The path of dockerd."""
    apt = shutil.which("apt-get", path=SYSTEM_PATH)
    if apt is None:
        fail("no container engine answers, and this is no Debian or Ubuntu: install Docker, or set DOCKER_HOST.")
    say("installing docker.io with apt-get (--no-install-recommends), without starting the system's engine")
    environment = {**os.environ, "PATH": SYSTEM_PATH, "DEBIAN_FRONTEND": "noninteractive"}
    with services_left_off():
        for arguments in (["update"], ["install", "--yes", "--no-install-recommends", "docker.io"]):
            done = subprocess.run([apt, *arguments], stdout=sys.stderr, env=environment, check=False)  # noqa: S603
            if done.returncode != 0 and arguments[0] == "install":
                fail("apt-get could not install docker.io (see above). Install an engine yourself, or set DOCKER_HOST.")
    dockerd = shutil.which("dockerd", path=SYSTEM_PATH)
    return dockerd or fail("docker.io is installed, but there is no dockerd")


@contextlib.contextmanager
def services_left_off() -> Iterator[None]:
    """While this lasts, packages do not start their services. A policy that is there already is left alone."""
    try:
        with os.fdopen(os.open(POLICY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755), "w") as policy:
            policy.write("#!/bin/sh\nexit 101\n")
    except FileExistsError:
        yield
        return
    try:
        yield
    finally:
        POLICY.unlink()


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


def log_tail(path: Path) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-15:])
    except OSError:
        return "(no log)"


def main(arguments: list[str]) -> None:
    match arguments:
        case ["start"]:
            start()
        case ["stop"]:
            stop()
        case ["status"]:
            status()
        case ["root-start", uid]:
            root_start(int(uid))
        case ["root-stop", uid, pid, pid_start]:
            root_stop(int(uid), int(pid), int(pid_start))
        case _:
            fail("usage: engine.py start|stop|status")


if __name__ == "__main__":
    main(sys.argv[1:])
