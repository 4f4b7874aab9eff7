"""The live probe: a real sandbox of each level, made as the pool makes it, questioned from outside and from inside.

Three parts. Making it already compares the engine's inspect document and the supervisor's posture with the spec, and
refuses to go on when they differ. Then the limits are read back once more, for the record. Then the one job of that
sandbox is ``inside.py``: it tries what no skill may do, with Landlock and both seccomp stages on and without the
in-process guards, which are no boundary. Every attempt must be refused by the kernel. At the end it must be gone.

``question`` does not care how its sandbox was made: a test gives it weakened ones, and requires it to say so.
"""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from orchestrator import strictjson
from orchestrator.doctor.model import Question, Result, Severity, failed, passed, unknown
from orchestrator.errors import OrchestratorError, PostureError
from orchestrator.sandbox.engine import Engine
from orchestrator.sandbox.outcome import Job, JobLimits, Outcome
from orchestrator.sandbox.posture import probe_differences
from orchestrator.sandbox.sandbox import Sandbox
from orchestrator.sandbox.spec import SandboxSpec

GONE_SECONDS: Final = 5.0  # removal is answered before the engine has forgotten the container
_POLL_SECONDS: Final = 0.05
_REFUSALS: Final = frozenset({errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOSYS})
_NO_SUCH_FAMILY: Final = _REFUSALS | {errno.EAFNOSUPPORT}  # the kernel itself does not know it
_RESULT_BYTES: Final = 64 * 1024
_FIX: Final = "the sandbox is weaker than the policy says: do not run skills here; see the engine's and kernel's checks"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One thing that ``inside.py`` tries. ``landlock``: without Landlock nothing else would refuse it."""

    name: str
    title: str
    refusals: frozenset[int] = _REFUSALS
    landlock: bool = False


ATTEMPTS: Final = (
    Attempt("write-root", "writing to the root directory"),
    Attempt("write-system", "writing beside the standard library"),
    Attempt("write-supervisor", "writing beside the supervisor"),
    Attempt("read-passwd", "reading a file that was not granted", landlock=True),
    Attempt("read-supervisor", "reading the supervisor's code", landlock=True),
    Attempt("read-environment", "reading the supervisor's environment"),
    Attempt("read-memory", "opening the supervisor's memory"),
    Attempt("socket-inet", "an IPv4 socket"),
    Attempt("socket-inet6", "an IPv6 socket"),
    Attempt("socket-unix", "a Unix socket"),
    Attempt("socket-netlink", "a netlink socket"),
    Attempt("socket-alg", "a socket into the kernel's cryptography", _NO_SUCH_FAMILY),
    Attempt("socket-vsock", "a socket to the hypervisor", _NO_SUCH_FAMILY),
    Attempt("fork", "starting a process"),
    Attempt("execve", "starting a program"),
    Attempt("mount", "mounting"),
    Attempt("ptrace", "tracing a process"),
    Attempt("process-memory", "reading another process's memory"),
    Attempt("user-namespace", "a new user namespace"),
    Attempt("enter-namespace", "entering a namespace"),
    Attempt("keyring", "the kernel's keyring"),
    Attempt("bpf", "BPF"),
    Attempt("perf", "perf events"),
    Attempt("userfaultfd", "userfaultfd"),
    Attempt("io-uring", "io_uring"),
    Attempt("memfd", "a file in memory"),
    Attempt("splice", "splice"),
    Attempt("open-by-handle", "opening files by handle"),
    Attempt("pidfd", "a handle on a process"),
    Attempt("symlink", "making a symbolic link"),
    Attempt("mknod", "making a special file"),
)


def probe_level(level: str, make: Callable[[SandboxSpec], Sandbox], spec: SandboxSpec) -> tuple[Result, ...]:
    """All results for one level. Leaves nothing behind, whatever happens, as far as the engine lets it."""
    start = _question(level, "start", "a sandbox starts as asked for")
    try:
        sandbox = make(spec)
    except PostureError as error:
        return (start.settled(failed(error.message)),)
    except OrchestratorError as error:
        return (start.settled(unknown(f"none could be started: {error}")),)
    started = start.settled(
        passed(f"Python {sandbox.python}, Landlock ABI {sandbox.landlock}; inspect and posture as asked for")
    )
    try:
        return (started, *question(level, sandbox, spec))
    finally:
        with suppress(OrchestratorError):  # the check below says so
            sandbox.destroy()


def gone(level: str, engine: Engine, container_id: str) -> Result:
    """Whether the probed container is really gone."""
    check = _question(level, "gone", "it is gone afterwards", fix="`orchestrator cleanup`")
    deadline = time.monotonic() + GONE_SECONDS
    try:
        while engine.inspect(container_id) is not None:
            if time.monotonic() > deadline:
                return check.settled(failed(f"the container {container_id[:12]} is still there"))
            time.sleep(_POLL_SECONDS)
    except OrchestratorError as error:
        return check.settled(unknown(str(error)))
    return check.settled(passed("no container, no volume"))


def question(level: str, sandbox: Sandbox, spec: SandboxSpec, job: Job | None = None) -> Iterator[Result]:
    """Limits and posture, then every attempt. Uses the sandbox up. ``job`` is another way to run ``inside.py``: tests
    leave layers out."""
    try:
        posture = sandbox.probe()
        differences = probe_differences(spec, posture, memory_bytes=spec.memory_bytes, pids=spec.pids)
        seen = failed("; ".join(differences)) if differences else passed(_limits(posture))
    except OrchestratorError as error:
        seen = unknown(str(error))
    yield _question(level, "limits", "limits and rights read back").settled(seen)
    try:
        answers = parse_answers(sandbox.run(job or probe_job(spec, sandbox)))
    except OrchestratorError as error:
        answers = str(error)
    for attempt in ATTEMPTS:
        yield _judged(level, attempt, answers, landlock=bool(sandbox.landlock))


def _limits(posture: Mapping[str, Any]) -> str:
    memory = int(posture["memory_bytes"]) // 2**20
    cpus = int(posture["cpu_quota_us"]) / int(posture["cpu_period_us"])
    return (
        f"{memory} MB memory and swap, {posture['pids_max']} pids, {cpus:g} CPUs, {posture['nofile']} files, "
        f"uid {posture['uid'][0]}, no capabilities, seccomp filter, no new privileges, no network, read-only root"
    )


def _judged(level: str, attempt: Attempt, answers: Mapping[str, int] | str, *, landlock: bool) -> Result:
    severity = Severity.WARNING if attempt.landlock and not landlock else Severity.FATAL
    check = _question(level, attempt.name, f"{attempt.title} is refused", severity)
    if isinstance(answers, str):
        return check.settled(unknown(answers))
    answer = answers.get(attempt.name, -1)
    if answer == 0:
        return check.settled(failed("it succeeded"))
    if answer not in errno.errorcode:
        return check.settled(unknown("no answer of the kernel's"))
    words = f"{errno.errorcode[answer]}: {os.strerror(answer)}"
    return check.settled(passed(words) if answer in attempt.refusals else failed(f"not refused, only failed: {words}"))


def probe_job(spec: SandboxSpec, sandbox: Sandbox) -> Job:
    """``inside.py`` with everything on that the kernel enforces, and nothing granted."""
    return Job(
        run_id=secrets.token_hex(8),
        code=files(__package__).joinpath("inside.py").read_text("utf-8"),
        filename="probe.py",
        entrypoint="main",
        inputs={},
        limits=JobLimits(
            wall_seconds=10.0,
            grace_seconds=0.5,
            cpu_seconds=5.0,
            stdout_bytes=_RESULT_BYTES,
            stderr_bytes=_RESULT_BYTES,
            result_bytes=_RESULT_BYTES,
            write_bytes=2**20,
            file_bytes=min(2**20, spec.file_bytes),
        ),
        landlock={"required": bool(sandbox.landlock), "read": [], "write": []},
        guards=None,
        second_stage=True,
    )


def parse_answers(outcome: Outcome) -> Mapping[str, int] | str:
    """Attempt -> error number, or why there is none. The bytes are as untrusted as any skill's."""
    if outcome.final is None or outcome.result is None:
        return f"the probe did not report: {outcome.failure or 'it was ended'}"
    if not outcome.final.started:
        return f"the probe was not started: {outcome.final.setup_error}"
    kind, body = outcome.result[:1], outcome.result[1:]
    try:
        document = strictjson.loads(body, max_bytes=_RESULT_BYTES, max_depth=2, what="the probe's report")
    except strictjson.StrictJSONError as error:
        return str(error)
    if kind != b"V" or not isinstance(document, dict):
        return f"the probe failed: {document}"
    return {name: value for name, value in document.items() if type(value) is int}


def _question(level: str, name: str, title: str, severity: Severity = Severity.FATAL, fix: str = _FIX) -> Question:
    return Question(f"probe.{level}.{name}", f"{level}: {title}", severity, fix)
