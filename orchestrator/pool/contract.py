"""What the pool asks of a sandbox and of the one who makes it, and the figures it works by. No behaviour here.

The pool knows nothing of containers: ``orchestrator.sandbox`` provides the real ``Sandbox`` and ``Maker``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Protocol, TypeVar

from orchestrator.errors import SettingsError
from orchestrator.sandbox.spec import SandboxSpec


class Sandbox(Protocol):
    """A started, attached, verified sandbox that has not run anything yet."""

    @property
    def id(self) -> str: ...

    @property
    def spec(self) -> SandboxSpec: ...

    def alive(self) -> bool:
        """Whether the attached stream is still open and silent. No I/O; called while nobody leases it, by every run."""
        ...

    def answers(self) -> bool:
        """Alive, and it answers a question within seconds, as one that is paused does not. No engine I/O; called while
        nobody leases it, by the periodic check."""
        ...

    def destroy(self) -> None:
        """Kill and remove, whatever it is doing. Idempotent, callable from any thread, retries inside.

        Raises ``EngineError`` when the container may still be there; the pool then calls it again later."""
        ...


S = TypeVar("S", bound=Sandbox)  # the kind of sandbox a pool holds, so that a lease gives it with its own verbs

Maker = Callable[[SandboxSpec], S]
"""Create, attach, start, wait until ready, verify the posture: slow and blocking, within a finite time.

Raises ``EngineError`` (``EngineUnavailable``, ``PostureError``), ``SandboxError`` or ``OperatorError``, and has then
left nothing behind."""


@dataclass(frozen=True, slots=True)
class SpecCeilings:
    """What one spec may take of the shared budget, whatever is free; None: no ceiling of its own."""

    max_containers: int | None = None
    max_waiting: int | None = None


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """One budget shared by all specs. Raises ``SettingsError`` on figures that cannot work."""

    max_containers: int = 8  # everything that exists: starting, warm, checking, leased and removing
    max_waiting: int = 64  # callers without a sandbox yet; one more gets PoolSaturated; 0 = only warm sandboxes serve
    acquire_timeout_seconds: float = 30.0
    create_workers: int = 4  # creations at once; 3-4 gave the best sustained rate on 2 cores (busy 96 and 97 %)
    remove_workers: int = 6  # removals at once, on threads of their own: mostly they wait for a container to be gone
    max_idle_seconds: float = 3600.0  # a warm sandbox is replaced after 90-100 % of this
    hold_back_seconds: float = 0.025  # how long a replacement may let the run that took a warm one go first
    linger_seconds: float = 0.006  # how long a run may go on undisturbed after it has returned its sandbox
    check_seconds: float = 5.0  # how often idle sandboxes are asked whether they are alive
    retry_seconds: float = 0.25  # first pause after a failed creation; doubles, with jitter
    retry_max_seconds: float = 5.0
    fault_retry_seconds: float = 60.0  # pause after a fault of configuration, which time alone does not mend
    attempts_before_failing: int = 3  # rounds of failed creations after which those who wait are told
    removal_grace_seconds: float = 30.0  # what close() allows for destroying, after it has waited for leases

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            floor = 0 if field.name == "max_waiting" else 1 if isinstance(value, int) else 0.001
            if not floor <= value < float("inf"):
                raise SettingsError(f"pool setting {field.name} is {value}; it must be at least {floor} and finite")
