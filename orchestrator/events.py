"""What ``on_event`` is told while a run goes on. Called in the thread that called ``run``, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from orchestrator.results.model import RunResult

EventKind = Literal["started", "stdout", "stderr", "stats", "finished"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One live sample of the engine's stats stream; about one a second, only for runs that last."""

    memory_bytes: int
    cpu_seconds: float  # of the whole sandbox since its start
    pids: int


@dataclass(frozen=True, slots=True)
class RunEvent:
    """``text`` for stdout and stderr (untrusted, not escaped; secrets by the policy, see ``outputs/stream.py``),
    ``sample`` for stats, ``result`` for finished."""

    kind: EventKind
    run_id: str
    text: str = ""
    sample: Sample | None = None
    result: RunResult | None = None
