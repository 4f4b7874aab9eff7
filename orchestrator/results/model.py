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
    """Measured by the supervisor (PID 1), which the skill cannot reach, save ``file_opens``, ``write_opens`` (of those,
    to write) and ``connection_attempts``: counted by the executor's audit hook, so a skill that breaks out of Python
    can falsify these."""

    wall_seconds: float = 0.0
    user_cpu_seconds: float = 0.0
    system_cpu_seconds: float = 0.0
    memory_peak_bytes: int = 0  # of the sandbox's cgroup, page cache and interpreter included
    pids_peak: int = 0
    bytes_written: int = 0
    file_opens: int = 0
    write_opens: int = 0
    connection_attempts: int = 0


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
    """What a run that failed ended with: the skill's exception, as told by the executor (untrusted text, capped), or
    else the status as ``type`` and the reason as ``message``.

    ``time`` is when it was found (Unix seconds), ``skill`` is "name@version". ``inputs`` have the structure of what the
    run was given; long strings are cut and secrets taken out. ``traceback`` has the skill's own frames, and is there
    only with the setting ``log_level`` "verbose".
    """

    type: str
    message: str
    traceback: str = ""
    time: float = 0.0
    skill: str = ""
    inputs: Any = None


@dataclass(frozen=True, slots=True)
class FallbackOf:
    """The run that a fallback stands in for: its skill ("name@version"), id and ending."""

    skill: str
    run_id: str
    status: Status
    reason: str


@dataclass(frozen=True, slots=True)
class RunResult:
    """``attempts`` counts how often the skill that was asked for ran: more than once where ``on_conflict="retry"`` or
    the manifest's ``on_error`` ran it again, 0 where no sandbox could be had. ``attempt_reasons`` says, in order, why
    each time was not the last, and names what is no run: a sandbox that broke before it had the job (another one was
    taken), an attempt that found no sandbox, or one that the registry or a session did not let in."""

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
    attempts: int = 1  # how often it ran
    attempt_reasons: tuple[str, ...] = ()  # why that was not enough: more than attempts where sandboxes broke
    degraded: bool = False  # not what was asked for: the manifest's fallback stands in
    fallback_of: FallbackOf | None = None  # this is another skill's run, in the place of that one
    fallback_value: Any = None  # of a degraded run that failed: the manifest's constant. See ``or_fallback``
    cached: bool = False  # nothing ran: the recorded output of a pure skill's run stands here
    cached_run_id: str = ""  # of that run
    usage: Usage = field(default_factory=Usage)
    timings: Timings = field(default_factory=Timings)
    warm: bool = False
    exit_code: int | None = None
    signal: int | None = None
    violations: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    enforcement: str = "enforce"  # "audit": the policy was tried, not enforced
    would_deny: tuple[Finding, ...] = ()  # in audit mode: what it would have denied, before the run and during it
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

    def or_fallback(self, default: Any = None) -> Any:
        """The output of a run that went well (a fallback skill's too); else the manifest's constant; else ``default``.
        Never raises."""
        if self.status in (Status.SUCCEEDED, Status.HELD):
            return self.output
        return self.fallback_value if self.degraded else default

    def to_dict(self) -> Mapping[str, Any]:
        """Plain JSON-ready values."""
        return asdict(self)
