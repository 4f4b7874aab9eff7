"""One "container" of ``FakeEngine``: a socket pair, and a thread that answers as the supervisor would. Runs nothing.

To the host it sends Docker's multiplexed stream (stream number, three zero bytes, length) carrying the frames of
``orchestrator.sandbox.wire``; from the host it reads frames as they are, as the real attached stdin does.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from orchestrator.errors import EngineError
from orchestrator.sandbox.wire import HEADER, PROTOCOL_VERSION, FrameType, encode

MUX = struct.Struct(">BxxxI")
MUX_STDOUT, MUX_STDERR = 1, 2
SENT_BY_HOST = (FrameType.JOB, FrameType.ATTEST, FrameType.CANCEL)
FAKE_PYTHON, FAKE_LANDLOCK = "3.13.5", 7
READY = {"protocol": PROTOCOL_VERSION, "python": FAKE_PYTHON, "landlock": FAKE_LANDLOCK}
UNLIMITED = 2**63 - 1

Posture = dict[str, Any]
OnPosture = Callable[[Posture], Posture]


class Manner(Enum):
    """How a container behaves once it is started."""

    PROPER = "says READY and answers"
    SILENT = "runs, but never says READY"
    GARBAGE = "says something that is no frame"
    EARLY_END = "ends at once, with a word on standard error"
    UNMULTIPLEXED = "sends frames without Docker's stream header"
    CHATTY = "says READY and then STDOUT, although nobody asked"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a job yields. ``final`` overrides fields of the proper FINAL; None sends no FINAL: the container ends."""

    stdout: bytes = b""
    stderr: bytes = b""
    result: bytes | None = b'{"ok": true, "value": null}'
    final: Mapping[str, Any] | None = field(default_factory=dict)


OnJob = Callable[[Mapping[str, Any]], Answer]


def succeed(job: Mapping[str, Any]) -> Answer:
    """The default: every job returns its inputs."""
    return Answer(result=json.dumps({"ok": True, "value": job.get("inputs")}).encode())


PROPER_FINAL: Mapping[str, Any] = {
    "cause": "exited",
    "started": True,
    "setup_error": "",
    "exit_code": 0,
    "signal": None,
    "wall_seconds": 0.001,
    "user_cpu_seconds": 0.001,
    "system_cpu_seconds": 0.0,
    "memory_peak_bytes": 8 * 2**20,
    "oom_kills": 0,
    "pids_peak": 2,
    "bytes_written": 0,
    "file_opens": 0,
}


class FakeContainer:
    """Created, attached, started, ended. ``on_end`` is told of the end if the options say AutoRemove."""

    def __init__(
        self,
        container_id: str,
        name: str,
        options: Mapping[str, Any],
        *,
        on_job: OnJob,
        on_posture: OnPosture | None,
        on_end: Callable[[FakeContainer], None],
    ) -> None:
        self.id, self.name = container_id, name
        self.options = options
        self.labels: dict[str, str] = dict(options.get("Labels") or {})
        self.host_config: dict[str, Any] = dict(options.get("HostConfig") or {})
        self.state = "created"
        self._on_job, self._on_posture, self._on_end = on_job, on_posture, on_end
        self._ours: socket.socket | None = None
        self._manner = Manner.PROPER
        self._thread: threading.Thread | None = None
        self._killed = threading.Event()
        self.ended = threading.Event()

    # what the engine does with it

    def carries(self, labels: Mapping[str, str]) -> bool:
        return all(key in self.labels and value in ("", self.labels[key]) for key, value in labels.items())

    def attach(self) -> socket.socket:
        if self._ours is not None:
            raise EngineError("attach: the fake engine gives one stream per container")
        theirs, self._ours = socket.socketpair()
        return theirs

    def start(self, manner: Manner) -> None:
        """Idempotent, like the engine's."""
        if self._thread is not None:
            return
        self._manner = manner
        self.state = "running"
        self._thread = threading.Thread(target=self._live, name=f"fake-container-{self.id[:8]}", daemon=True)
        self._thread.start()

    def update(self, limits: Mapping[str, int]) -> None:
        swap = limits.get("MemorySwap", self.host_config.get("MemorySwap", 0))
        if 0 < swap < limits.get("Memory", self.host_config.get("Memory", 0)):
            raise EngineError("update: the engine says: MemorySwap must not be smaller than Memory")
        self.host_config.update(limits)

    def end(self) -> None:
        """The processes die; the stream ends. Idempotent, from any thread."""
        self._killed.set()
        if self._ours is not None:
            with contextlib.suppress(OSError):
                self._ours.shutdown(socket.SHUT_RDWR)
        if self._thread is None:
            self._finish()
        elif self._thread is not threading.current_thread():
            self._thread.join(10.0)

    def document(self) -> Mapping[str, Any]:
        """The inspect document, as far as anybody here reads it."""
        copied = ("User", "Tty", "OpenStdin", "StdinOnce", "WorkingDir", "Cmd", "Hostname")
        mounts = self.host_config.get("Mounts") or ()
        return {
            "Id": self.id,
            "Name": f"/{self.name}",
            "Image": self.options.get("Image"),
            "State": {"Status": self.state, "Running": self.state == "running", "Pid": 0, "ExitCode": 0},
            "Config": {key: self.options.get(key) for key in copied} | {"Labels": dict(self.labels)},
            "HostConfig": dict(self.host_config),
            "Mounts": [{"Type": mount["Type"], "Destination": mount["Target"]} for mount in mounts],
        }

    # what happens "inside"

    def _live(self) -> None:
        try:
            self._speak_first()
            if self._manner is not Manner.EARLY_END:
                self._serve()
        except OSError:
            pass  # the host let go, or the engine killed us: a container ends then
        finally:
            self._finish()

    def _finish(self) -> None:
        self.state = "exited"
        if self._ours is not None:
            self._ours.close()
        if self.host_config.get("AutoRemove"):
            self._on_end(self)
        self.ended.set()

    def _speak_first(self) -> None:
        ready = encode(FrameType.READY, json.dumps(READY).encode())
        if self._manner is Manner.GARBAGE:
            self._say(b"Traceback (most recent call last):\n")
        elif self._manner is Manner.EARLY_END:
            self._say(b"exec: python3: not found\n", MUX_STDERR)
        elif self._manner is Manner.UNMULTIPLEXED:
            self._raw(ready)
        elif self._manner is not Manner.SILENT:
            self._say(ready)
        if self._manner is Manner.CHATTY:
            self._say(encode(FrameType.STDOUT, b"hello"))

    def _serve(self) -> None:
        while (frame := self._receive()) is not None:
            kind, payload = frame
            if self._manner is Manner.SILENT:
                continue
            if kind is FrameType.ATTEST:
                self._say(encode(FrameType.POSTURE, json.dumps(self._posture()).encode()))
            elif kind is FrameType.JOB and not self._run(json.loads(payload)):
                return

    def _run(self, job: Mapping[str, Any]) -> bool:
        """Send the scripted answer; False if the container dies of it. TAKEN comes at once: what a test scripts may
        take its time."""
        self._say(encode(FrameType.TAKEN))
        answer = self._on_job(job)
        for kind, output in ((FrameType.STDOUT, answer.stdout), (FrameType.STDERR, answer.stderr)):
            if output:
                self._say(encode(kind, output))
        if answer.result is not None:
            self._say(encode(FrameType.RESULT, answer.result))
        if answer.final is None:
            return False
        self._say(encode(FrameType.FINAL, json.dumps({**PROPER_FINAL, **answer.final}).encode()))
        return True

    def _receive(self) -> tuple[FrameType, bytes] | None:
        """The host's next frame; None when it let go, or sent what a supervisor would hang up on."""
        header = self._exactly(HEADER.size)
        if header is None:
            return None
        number, length = HEADER.unpack(header)
        payload = self._exactly(length) if number in SENT_BY_HOST else None
        return None if payload is None else (FrameType(number), payload)

    def _exactly(self, size: int) -> bytes | None:
        if self._ours is None:  # started with nobody attached: it runs until it is killed
            self._killed.wait()
            return None
        received = bytearray()
        while len(received) < size:
            chunk = self._ours.recv(size - len(received))
            if not chunk:
                return None
            received += chunk
        return bytes(received)

    def _say(self, payload: bytes, stream: int = MUX_STDOUT) -> None:
        self._raw(MUX.pack(stream, len(payload)) + payload)

    def _raw(self, payload: bytes) -> None:
        if self._ours is not None:
            self._ours.sendall(payload)

    def _posture(self) -> Posture:
        posture = posture_of(self.options, self.host_config)
        return self._on_posture(posture) if self._on_posture else posture


def posture_of(options: Mapping[str, Any], host: Mapping[str, Any]) -> Posture:
    """What a supervisor would report under an engine that did exactly as asked: derived, nothing is in force here."""
    user, _, group = str(options.get("User") or "0:0").partition(":")
    ulimits = {limit["Name"]: limit["Hard"] for limit in host.get("Ulimits") or ()}
    security = host.get("SecurityOpt") or ()
    dropped = "ALL" in (host.get("CapDrop") or ())
    mounts = {"/": ["ro"] if host.get("ReadonlyRootfs") else ["rw"]}
    mounts |= {target: flags.split(",") for target, flags in (host.get("Tmpfs") or {}).items()}
    mounts |= {mount["Target"]: ["nosuid", "nodev", "noexec"] for mount in host.get("Mounts") or ()}
    return {
        "uid": [int(user)] * 4,
        "gid": [int(group or 0)] * 4,
        "groups": [],
        "no_new_privs": int("no-new-privileges" in security),
        "seccomp": 0 if "seccomp=unconfined" in security else 2,
        "capabilities": dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), 0 if dropped else 1),
        "memory_bytes": host.get("Memory") or UNLIMITED,
        "memory_swap_bytes": host.get("MemorySwap") or UNLIMITED,
        "pids_max": host.get("PidsLimit"),
        "cpu_quota_us": host.get("CpuQuota", -1),
        "cpu_period_us": host.get("CpuPeriod", 100_000),
        "mounts": mounts,
        "interfaces": [] if host.get("NetworkMode") == "none" else ["eth0"],
        "landlock": FAKE_LANDLOCK,
        "nofile": ulimits.get("nofile", 1048576),
        "fsize": ulimits.get("fsize", UNLIMITED),
        "core": ulimits.get("core", UNLIMITED),
        "cgroup_version": 1,
    }
