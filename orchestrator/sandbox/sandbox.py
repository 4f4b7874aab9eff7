"""``Sandbox``: one container from start to destruction, good for exactly one job.

``Sandbox.start`` returns it warm: supervisor ready, restrictions read back and equal to what was asked. ``fit``
adapts it to a run's limits, ``run`` gives it the job, ``destroy`` ends it. Any deviation raises and leaves nothing.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from orchestrator.errors import EngineError, PostureError, ProtocolError, SandboxError
from orchestrator.sandbox.engine import Engine
from orchestrator.sandbox.options import BOOT_CPUS, CPU_PERIOD_US, container_options, cpu_quota_us
from orchestrator.sandbox.outcome import Job, Outcome, parse_final
from orchestrator.sandbox.posture import inspect_differences, probe_differences
from orchestrator.sandbox.slot import Slot
from orchestrator.sandbox.spec import Limits, SandboxSpec
from orchestrator.sandbox.stream import Stream, StreamEnded
from orchestrator.sandbox.wire import PROTOCOL_VERSION, Frame, FrameType

BOOT_SECONDS: Final = 20.0  # from start to READY: 0.1 s is usual, a host under full load needs more
ANSWER_SECONDS: Final = 10.0  # from ATTEST to POSTURE while it starts
SILENCE_SECONDS: Final = 3.0  # from ATTEST to POSTURE later, and from JOB to a first frame: 1 and 20 ms are usual
HOST_SLACK_SECONDS: Final = 5.0  # how long after its own deadline and grace the supervisor may still report
GRACE_SECONDS: Final = 0.5
# A supervisor whose input has ended is usually gone in 0.05 s. It is asked about several times, for engine 20.10 never
# answers some waits that reach it while the removal is under way (4 of 640, measured under load).
LEAVE_SECONDS, LEAVE_ASKS = 0.25, 8
CANCEL_POLL_SECONDS: Final = 0.02
_LONGEST_POLL_SECONDS: Final = 1.0

OutputCallback = Callable[[FrameType, bytes], None]
Cancelled = Callable[[], bool]


def _never() -> bool:
    return False


class Sandbox:
    """Not thread-safe; one owner at a time."""

    def __init__(self, engine: Engine, container_id: str, spec: SandboxSpec, stream: Stream, slot: Slot) -> None:
        self._engine = engine
        self.id = container_id
        self.spec = spec
        self.slot = slot
        self._stream = stream
        self._memory_bytes, self._pids = spec.memory_bytes, spec.pids
        self._used = self._heard = False
        self.landlock = 0
        self.python = ""

    @classmethod
    def start(cls, engine: Engine, spec: SandboxSpec, *, name: str, labels: Mapping[str, str], slot: Slot) -> Sandbox:
        """Create, attach, start, wait for READY, tighten, verify. Raises EngineError, SandboxError or PostureError,
        and then the container is gone; ``slot`` is the caller's until this returns."""
        options = container_options(spec, labels=labels, mounts=slot.mounts)
        container_id = engine.create(name, options)
        stream: Stream | None = None
        try:
            stream = Stream(engine.attach(container_id))
            engine.start(container_id)
            sandbox = cls(engine, container_id, spec, stream, slot)
            sandbox._wait_ready()
            if spec.cpus < BOOT_CPUS:
                engine.update(container_id, {"CpuPeriod": CPU_PERIOD_US, "CpuQuota": cpu_quota_us(spec.cpus)})
            sandbox._verify(options)
        except BaseException:
            if stream is not None:
                stream.close()
            with contextlib.suppress(EngineError):  # the first error is the one to tell; the maker tries again
                engine.remove(container_id)
            raise
        return sandbox

    def _wait_ready(self) -> None:
        try:
            frame = self._stream.receive(BOOT_SECONDS)
        except StreamEnded:
            said = self._stream.diagnostic
            raise SandboxError(f"the sandbox ended while it started: {said or 'it said nothing'}") from None
        if frame is None:
            raise SandboxError(f"the sandbox was not ready within {BOOT_SECONDS:.0f} s: {self._stream.diagnostic}")
        if frame.type is not FrameType.READY:
            raise ProtocolError(f"the sandbox began with {frame.type.name}, not READY")
        document = _json_object(frame)
        if document.get("protocol") != PROTOCOL_VERSION:
            raise ProtocolError("the image speaks another protocol version: rebuild it with `make sandbox-image`")
        landlock, self.python = document.get("landlock"), str(document.get("python", ""))[:40]
        self.landlock = landlock if type(landlock) is int else 0

    def probe(self, seconds: float = ANSWER_SECONDS) -> Mapping[str, Any]:
        """What the supervisor finds itself confined to (see ``sandbox-image/accounting.py``, ``posture``); SandboxError
        where it does not say so within ``seconds``."""
        self._stream.send(FrameType.ATTEST, b"", time.monotonic() + seconds)
        frame = self._stream.receive(seconds)
        if frame is None:
            raise SandboxError("the supervisor does not answer")
        if frame.type is not FrameType.POSTURE:
            raise ProtocolError(f"the sandbox answered ATTEST with {frame.type.name}")
        return _json_object(frame)

    def _verify(self, options: Mapping[str, Any] | None = None) -> None:
        """``options``: it is starting, and the engine is asked too."""
        found: tuple[str, ...] = ()
        seconds = SILENCE_SECONDS if options is None else ANSWER_SECONDS
        if options is not None:
            document = self._engine.inspect(self.id)
            if document is None:
                raise SandboxError("the container vanished while it started")
            if self.spec.cpus < BOOT_CPUS:
                host = {**options["HostConfig"], "CpuQuota": cpu_quota_us(self.spec.cpus)}
                options = {**options, "HostConfig": host}
            found += inspect_differences(options, document)
        found += probe_differences(self.spec, self.probe(seconds), memory_bytes=self._memory_bytes, pids=self._pids)
        if found:
            raise PostureError(
                "the engine did not apply what was asked for, so nothing was run: " + "; ".join(found),
                hint="`orchestrator doctor` shows what this engine can enforce",
            )

    def alive(self) -> bool:
        """Idle as it should be: still connected and silent. No I/O: every run asks. A paused one looks the same."""
        return not self._used and self._stream.quiet()

    def answers(self) -> bool:
        """Alive, and its supervisor answers: 1 ms, or up to ``SILENCE_SECONDS`` where it does not. No engine I/O."""
        try:
            return self.alive() and bool(self.probe(SILENCE_SECONDS)) and self.alive()
        except SandboxError:
            self._used = True  # or its late answer would be taken for the next one
            return False

    def fit(self, limits: Limits) -> None:
        """Set memory and pids of this container to a run's limits where they differ from the spec's; read back."""
        memory_bytes = limits.memory_mb * 2**20
        if (memory_bytes, limits.pids) == (self._memory_bytes, self._pids):
            return
        self._engine.update(self.id, {"Memory": memory_bytes, "MemorySwap": memory_bytes, "PidsLimit": limits.pids})
        self._memory_bytes, self._pids = memory_bytes, limits.pids
        self._verify()

    def run(self, job: Job, *, on_output: OutputCallback | None = None, cancelled: Cancelled | None = None) -> Outcome:
        """Give the job, collect until FINAL or the host's own deadline. A sandbox takes one job, ever.

        Never raises for what the sandbox does: that is in the ``Outcome``. ``on_output`` gets STDOUT and STDERR
        chunks as they come; what it raises goes through, and destroying the sandbox then ends the job.

        One that gives no sign of life (it is paused, say) is given up after ``SILENCE_SECONDS`` and removed; the
        outcome is ``answered`` nevertheless unless that is certain, and nothing came before its end.
        """
        if self._used:
            raise SandboxError("a sandbox is used once")
        self._used = True
        outcome = Outcome()
        limits = job.limits
        deadline = time.monotonic() + limits.wall_seconds + limits.grace_seconds + HOST_SLACK_SECONDS
        self._stream.expect_result(limits.result_bytes)
        self._heard = False
        try:
            self._stream.send(FrameType.JOB, job.encode(), min(deadline, time.monotonic() + SILENCE_SECONDS))
            self._collect(job, outcome, deadline, on_output, cancelled or _never)
        except SandboxError as error:
            outcome.failure = str(error)
            ended = isinstance(error, (StreamEnded, ProtocolError))
            outcome.answered = ended or self._heard or not self._ended_in_silence()
        return outcome

    def _ended_in_silence(self) -> bool:
        """Remove it; whether it is certain that it is gone and had said nothing of the job. One that is paused dies
        before it can go on: the engine kills first and thaws then."""
        try:
            self._engine.remove(self.id)
            self._stream.receive(ANSWER_SECONDS)
        except StreamEnded:
            return self._stream.between_frames
        except (EngineError, SandboxError):
            return False
        return False

    def _collect(
        self, job: Job, outcome: Outcome, deadline: float, on_output: OutputCallback | None, cancelled: Cancelled
    ) -> None:
        first_by = time.monotonic() + SILENCE_SECONDS
        while outcome.final is None:
            left = deadline - time.monotonic()
            if left <= 0:
                outcome.overdue = True
                raise SandboxError("the supervisor did not end the run by its deadline")
            if not outcome.cancelled and cancelled():
                outcome.cancelled = True
                deadline = min(deadline, time.monotonic() + HOST_SLACK_SECONDS)
                self._stream.send(FrameType.CANCEL, b"", deadline)
            longest = _LONGEST_POLL_SECONDS if cancelled is _never else CANCEL_POLL_SECONDS
            frame = self._stream.receive(min(left, longest))
            if frame is None and not self._heard and time.monotonic() >= first_by:
                raise SandboxError(f"the supervisor gave no sign of the job within {SILENCE_SECONDS:g} s")
            if frame is not None:
                self._heard = True
                _take(frame, job, outcome)
                if on_output is not None and frame.type in (FrameType.STDOUT, FrameType.STDERR):
                    on_output(frame.type, frame.payload)
        if self._stream.trailing:
            outcome.final = None  # whoever goes on after the end is not our supervisor: nothing it said counts
            raise ProtocolError("the sandbox went on after FINAL")

    def destroy(self) -> None:
        """End and remove it, volumes and slot included. Idempotent, from any thread; raises EngineError.

        The gentle way first: at the end of its input the supervisor exits, and the engine removes what has exited. It
        saves the engine a process per removal. What is not gone by then is killed.
        """
        try:
            self._stream.end_input()
            if not self._has_left():
                self._engine.remove(self.id)
        finally:
            self._stream.close()
        self.slot.remove()

    def _has_left(self) -> bool:
        """Whether the container is gone by itself, soon."""
        return any(self._engine.wait_removed(self.id, LEAVE_SECONDS) for _ in range(LEAVE_ASKS))


def _json_object(frame: Frame) -> Mapping[str, Any]:
    try:
        document = json.loads(frame.payload)
    except (ValueError, RecursionError):
        raise ProtocolError(f"the {frame.type.name} frame is not JSON") from None
    if not isinstance(document, dict):
        raise ProtocolError(f"the {frame.type.name} frame is not an object")
    return document


def _take(frame: Frame, job: Job, outcome: Outcome) -> None:
    """Put one frame into the outcome, or refuse it: order, number and the host's own caps."""
    if frame.type is FrameType.FINAL:
        outcome.final = parse_final(frame.payload)
    elif outcome.result is not None:
        raise ProtocolError(f"the sandbox sent {frame.type.name} after RESULT")
    elif frame.type is FrameType.RESULT:
        outcome.result = frame.payload
    elif frame.type is FrameType.TAKEN:
        pass  # it lives
    elif frame.type in (FrameType.STDOUT, FrameType.STDERR):
        is_out = frame.type is FrameType.STDOUT
        kept, cap = (outcome.stdout, job.limits.stdout_bytes) if is_out else (outcome.stderr, job.limits.stderr_bytes)
        if len(kept) + len(frame.payload) > cap:
            raise ProtocolError(f"the supervisor let more than {cap} bytes of {frame.type.name.lower()} through")
        kept += frame.payload
    else:
        raise ProtocolError(f"the sandbox sent {frame.type.name} during a run")
