"""``RunResult``: what one run came to. Everything in it that a skill wrote is untrusted text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from orchestrator.errors import SkillFailed
from orchestrator.validation.finding import Finding
from orchestrator.vault.changes import Change


class Status(StrEnum):
    """The closed set. Each run ends in exactly one."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"  # exception, non-zero exit, no result, or output off its schema
    SIGNALED = "signaled"  # died of a signal nobody of ours sent
    TIMED_OUT = "timed_out"
    CPU_EXCEEDED = "cpu_exceeded"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_EXCEEDED = "output_exceeded"
    DENIED = "denied"  # by the policy, before anything started; or changes it refuses
    CONFLICT = "conflict"  # ran well, but somebody changed the same notes meanwhile: nothing was written
    HELD = "held"  # ran well, and its changes wait for a person's review: nothing is written yet
    CANCELLED = "cancelled"
    SANDBOX_ERROR = "sandbox_error"  # ours or the engine's fault


FAILURES = frozenset(Status) - {Status.SUCCEEDED, Status.HELD, Status.CONFLICT, Status.DENIED, Status.CANCELLED}


@dataclass(frozen=True, slots=True)
class Usage:
    """Measured by the supervisor (PID 1), which the skill cannot reach, save ``file_opens``: counted by the
    executor's audit hook, so a skill that breaks out of Python can falsify that one."""

    wall_seconds: float = 0.0
    user_cpu_seconds: float = 0.0
    system_cpu_seconds: float = 0.0
    memory_peak_bytes: int = 0  # of the sandbox's cgroup, page cache and interpreter included
    pids_peak: int = 0
    bytes_written: int = 0
    file_opens: int = 0


@dataclass(frozen=True, slots=True)
class Timings:
    """Host-side monotonic stages of one run, in seconds."""

    validate: float = 0.0
    lease: float = 0.0
    run: float = 0.0
    commit: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class SkillError:
    """The exception a skill ended with, as told by the executor: untrusted text, capped."""

    type: str
    message: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class RunResult:
    run_id: str
    skill: str  # name@version
    level: str
    status: Status
    reason: str  # one sentence
    output: Any = None
    stdout: str = ""
    stderr: str = ""
    error: SkillError | None = None
    changes: tuple[Change, ...] = ()
    committed: bool = False  # the changes are in the vault; False too where there are none
    diff: str = ""  # of changes that are not in the vault: a dry run's, held ones, ones in conflict. Escaped
    review: str = ""  # id of the review item that this run left
    attempts: int = 1  # more where ``on_conflict="retry"`` ran it again
    usage: Usage = field(default_factory=Usage)
    timings: Timings = field(default_factory=Timings)
    warm: bool = False
    exit_code: int | None = None
    signal: int | None = None
    violations: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    policy_digest: str = ""
    image_id: str = ""
    manifest_digest: str = ""

    @property
    def ok(self) -> bool:
        return self.status is Status.SUCCEEDED

    def raise_for_status(self) -> RunResult:
        """Return self, or raise ``SkillFailed`` unless the run succeeded."""
        if not self.ok:
            raise SkillFailed(f"{self.skill}: {self.status}: {self.reason}", self)
        return self

    def to_dict(self) -> Mapping[str, Any]:
        """Plain JSON-ready values."""
        return asdict(self)
