"""``Engine``: the few verbs we ask of a container engine. ``DockerEngine`` (docker_engine.py) and
``orchestrator.testing.FakeEngine`` implement it; both pass ``orchestrator.testing.conformance``.

There is deliberately no ``exec`` and no archive (copy in/out) verb: nothing ever enters a running sandbox but its job.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

NO_ACCESS: Final = "join the group that owns the engine's socket (docker), or run as its owner"


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What the engine says of itself. Strings are untrusted: escape before showing."""

    name: str
    version: str
    api_version: str
    kernel: str
    cgroup_version: str
    storage_driver: str
    security_options: tuple[str, ...]
    runtimes: tuple[str, ...]
    default_runtime: str
    cpus: int
    rootless: bool
    remote: bool  # reached over the network: no bind mounts from this machine
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ContainerRow:
    id: str
    name: str
    state: str  # created, running, exited, removing, dead, paused
    labels: Mapping[str, str]


class Engine(Protocol):
    """Thread-safe. Every method raises ``EngineUnavailable`` when nothing answers and ``EngineError`` when the
    engine refuses. ``timeout`` of each call is the implementation's (seconds, finite)."""

    def info(self) -> EngineInfo: ...

    def create(self, name: str, options: Mapping[str, Any]) -> str:
        """Create a container from engine-API ``options``; its id. Warnings of the engine raise ``EngineError``
        (the container is removed first): an option silently dropped is a limit that does not apply."""
        ...

    def attach(self, container_id: str) -> socket.socket:
        """The hijacked stream of stdin, stdout and stderr (Docker's multiplexed framing), attached BEFORE start.

        The caller owns it."""
        ...

    def start(self, container_id: str) -> None: ...

    def update(self, container_id: str, limits: Mapping[str, int]) -> None:
        """Change resource limits: engine-API names (Memory, MemorySwap, CpuQuota, CpuPeriod, PidsLimit)."""
        ...

    def inspect(self, container_id: str) -> Mapping[str, Any] | None:
        """The engine's inspect document, or None when there is no such container."""
        ...

    def stats(self, container_id: str) -> Iterator[Mapping[str, Any]]:
        """Live samples, about one a second, until the container ends."""
        ...

    def remove(self, container_id: str) -> None:
        """Kill and remove, volumes included. Idempotent: gone or going is success."""
        ...

    def wait_removed(self, container_id: str, timeout: float) -> bool:
        """Whether a container that ends by itself is gone, with its volumes, within ``timeout`` seconds."""
        ...

    def list(self, labels: Mapping[str, str]) -> list[ContainerRow]:
        """All containers, whatever their state, that carry every one of ``labels`` (value "" = any value)."""
        ...

    def close(self) -> None: ...
