"""``FakeEngine``: an ``Engine`` in memory, with latency and faults, for tests of whatever uses engines.

NOT A SANDBOX. It runs no code and confines nothing: its "containers" are a socket pair and a thread that answers as
the supervisor would, with what the test scripted. Nothing in this package falls back to it; never use it to serve.

It keeps an engine's manners: attach before start, ids of 64 hex digits, labels, an inspect document, Docker's stream
multiplexing (``fake_container``), auto-removal when the host lets go, errors of our own tree. It passes the checks of
``orchestrator.testing.conformance``.

Faults are scripted with ``fail`` (raise on the n-th call, before or after it took effect), ``down`` (nothing answers),
``hold`` (block a verb until released: the way to test a race without sleeping), ``on_start`` (a container that is
silent, talks garbage, or dies), ``on_posture`` (an engine that did not do as asked), ``kill``, ``end_all`` and
``vanish`` (behind our back), ``hidden`` (lists that omit a container) and ``lingering`` (removals that take a while).
"""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from orchestrator.errors import EngineError, EngineUnavailable
from orchestrator.sandbox.engine import ContainerRow, EngineInfo
from orchestrator.testing.fake_container import FakeContainer, Manner, OnJob, OnPosture, Posture, succeed

Verb = Literal["info", "create", "attach", "start", "update", "inspect", "stats", "remove", "wait_removed", "list"]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a verb, recorded when it began."""

    verb: Verb
    container_id: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Fault:
    """``error`` is raised by calls ``first`` to ``last`` of ``verb``, the next call being number 1.

    ``after`` raises it once the call took effect: a time-out whose request arrived.
    """

    verb: Verb
    error: Exception
    first: int
    last: int
    after: bool
    seen: int = 0

    def strikes(self, *, after: bool) -> bool:
        """Whether the present call fails here. Each call asks twice: before and after its effect."""
        if not after:
            self.seen += 1
        return self.after is after and self.first <= self.seen <= self.last


class Gate:
    """Where the calls of one verb wait until the test lets them go on."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._arrived = 0
        self._is_open = False

    def wait_for(self, count: int, timeout: float) -> bool:
        """Until ``count`` calls have arrived; False if they have not within ``timeout`` seconds."""
        with self._condition:
            return self._condition.wait_for(lambda: self._arrived >= count, timeout)

    def pass_through(self) -> None:
        with self._condition:
            self._arrived += 1
            self._condition.notify_all()
            self._condition.wait_for(lambda: self._is_open)

    def open(self) -> None:
        with self._condition:
            self._is_open = True
            self._condition.notify_all()


class FakeEngine:
    """See the module's docstring: not a sandbox. Thread-safe. ``latency`` is seconds per verb; others take none."""

    def __init__(
        self,
        *,
        latency: Mapping[Verb, float] | None = None,
        on_job: OnJob = succeed,
        on_start: Callable[[str], Manner] | None = None,
        on_posture: OnPosture | None = None,
    ) -> None:
        self.latency: dict[Verb, float] = dict(latency or {})
        self.on_job = on_job
        self.on_start = on_start
        self.on_posture = on_posture
        self.down = False
        self.calls: list[Call] = []
        self.hidden: set[str] = set()  # ids that ``list`` omits
        self.lingering = 0  # how many lists still show a removed container, as "removing"
        self.most_creating = 0  # the most creations that were ever in progress at once
        self._creating = 0
        self._lock = threading.RLock()
        self._containers: dict[str, FakeContainer] = {}
        self._going: dict[str, tuple[int, FakeContainer]] = {}
        self._faults: list[Fault] = []
        self._gates: dict[Verb, Gate] = {}

    # the script

    def fail(self, verb: Verb, error: Exception, *, at: int = 1, times: int = 1, after: bool = False) -> None:
        """Make ``verb`` raise ``error``, from its ``at``-th call from now on, ``times`` times (see ``Fault``)."""
        with self._lock:
            self._faults.append(Fault(verb, error, at, at + times - 1, after))

    @contextmanager
    def hold(self, verb: Verb) -> Iterator[Gate]:
        """Calls of ``verb`` that begin inside the block do not go on before it ends."""
        gate = self._gates[verb] = Gate()
        try:
            yield gate
        finally:
            self._gates.pop(verb, None)
            gate.open()

    def kill(self, container_id: str) -> None:
        """The container's processes die (OOM, an operator): its stream ends and auto-removal takes it."""
        self._container(container_id).end()

    def vanish(self, container_id: str) -> None:
        """As ``kill``, but the engine at once knows nothing of it any more: somebody removed it."""
        with self._lock:
            container = self._containers.pop(container_id)
        container.end()

    def end_all(self) -> None:
        """Every container dies: the engine crashed."""
        for container in self.containers:
            container.end()

    @property
    def containers(self) -> list[FakeContainer]:
        """Those that exist, whatever their state."""
        with self._lock:
            return list(self._containers.values())

    def called(self, verb: Verb) -> int:
        """How often ``verb`` was called."""
        with self._lock:
            return sum(call.verb == verb for call in self.calls)

    # the verbs

    def info(self) -> EngineInfo:
        with self._verb("info"):
            return EngineInfo(
                name="FakeEngine (runs nothing)",
                version="20.10.24",
                api_version="1.41",
                kernel="6.1.0",
                cgroup_version="1",
                storage_driver="fake",
                security_options=("name=seccomp,profile=default",),
                runtimes=("runc",),
                default_runtime="runc",
                cpus=2,
                rootless=False,
                remote=False,
            )

    def create(self, name: str, options: Mapping[str, Any]) -> str:
        container_id = secrets.token_hex(32)
        with self._verb("create", container_id, name=name, options=options), self._lock:
            if any(container.name == name for container in self._containers.values()):
                raise EngineError(f"create: the engine says: the name {name!r} is already in use")
            self._containers[container_id] = FakeContainer(
                container_id, name, options, on_job=self.on_job, on_posture=self.on_posture, on_end=self._forget
            )
        return container_id

    def attach(self, container_id: str) -> socket.socket:
        with self._verb("attach", container_id):
            return self._container(container_id).attach()

    def start(self, container_id: str) -> None:
        with self._verb("start", container_id):
            manner = self.on_start(container_id) if self.on_start else Manner.PROPER
            self._container(container_id).start(manner)

    def update(self, container_id: str, limits: Mapping[str, int]) -> None:
        with self._verb("update", container_id, limits=dict(limits)):
            self._container(container_id).update(limits)

    def inspect(self, container_id: str) -> Mapping[str, Any] | None:
        with self._verb("inspect", container_id), self._lock:
            container = self._containers.get(container_id)
            return None if container is None else container.document()

    def stats(self, container_id: str) -> Iterator[Mapping[str, Any]]:
        """One sample, then the end: nothing runs here that could be measured."""
        with self._verb("stats", container_id):
            container = self._container(container_id)
        yield {"id": container.id, "memory_stats": {"usage": 0}, "pids_stats": {"current": 2}, "cpu_stats": {}}

    def remove(self, container_id: str) -> None:
        with self._verb("remove", container_id):
            with self._lock:
                container = self._containers.pop(container_id, None)
                if container is not None and self.lingering:
                    self._going[container_id] = (self.lingering, container)
            if container is not None:
                container.end()

    def wait_removed(self, container_id: str, timeout: float) -> bool:
        with self._verb("wait_removed", container_id):
            with self._lock:
                container = self._containers.get(container_id)
            if container is None:
                return True
            container.ended.wait(timeout)
            with self._lock:
                return container_id not in self._containers

    def list(self, labels: Mapping[str, str]) -> list[ContainerRow]:
        with self._verb("list", labels=dict(labels)), self._lock:
            rows = [(container, container.state) for container in self._containers.values()]
            rows += [(container, "removing") for _, container in self._going.values()]
            self._going = {key: (left - 1, row) for key, (left, row) in self._going.items() if left > 1}
        return [
            ContainerRow(container.id, container.name, state, dict(container.labels))
            for container, state in rows
            if container.id not in self.hidden and container.carries(labels)
        ]

    def close(self) -> None:
        """Nothing to let go of. Containers stay, as an engine's do: a test can count what was left behind."""

    # plumbing

    @contextmanager
    def _verb(self, verb: Verb, container_id: str = "", /, **arguments: Any) -> Iterator[None]:
        """Record, delay, and fail as scripted, around what the verb does."""
        with self._lock:
            self.calls.append(Call(verb, container_id, arguments))
            gate = self._gates.get(verb)
            creating = verb == "create"
            self._creating += creating
            self.most_creating = max(self.most_creating, self._creating)
        try:
            if gate is not None:
                gate.pass_through()
            if delay := self.latency.get(verb, 0.0):
                time.sleep(delay)
            self._strike(verb, after=False)
            yield
            self._strike(verb, after=True)
        finally:
            with self._lock:
                self._creating -= creating

    def _strike(self, verb: Verb, *, after: bool) -> None:
        if self.down:
            raise EngineUnavailable(f"{verb}: nothing answers (the fake engine is down)")
        with self._lock:
            for fault in self._faults:
                if fault.verb == verb and fault.strikes(after=after):
                    raise fault.error

    def _container(self, container_id: str) -> FakeContainer:
        with self._lock:
            container = self._containers.get(container_id)
        if container is None:
            raise EngineError(f"the engine says: no such container: {container_id}")
        return container

    def _forget(self, container: FakeContainer) -> None:
        """Auto-removal."""
        with self._lock:
            self._containers.pop(container.id, None)


__all__ = ["Call", "FakeContainer", "FakeEngine", "Fault", "Gate", "Manner", "Posture", "Verb"]
