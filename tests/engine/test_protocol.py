"""What the host does with bytes that the real supervisor never sends: it refuses, keeps little, and always comes back.

The other end of the attached socket is the test: it sends Docker's multiplexed stream with whatever it likes inside.
"""

from __future__ import annotations

import faulthandler
import importlib.util
import json
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.errors import EngineError, ProtocolError, SandboxError
from orchestrator.results import report as results_report
from orchestrator.results.classify import EXIT_NOT_STARTED, Report, classify
from orchestrator.results.model import Status
from orchestrator.sandbox import sandbox as sandbox_module
from orchestrator.sandbox import wire
from orchestrator.sandbox.outcome import CAUSES, FinalReport, Outcome, parse_final
from orchestrator.sandbox.sandbox import Sandbox
from orchestrator.sandbox.slot import NoSlot
from orchestrator.sandbox.spec import Limits
from orchestrator.sandbox.stream import Stream, StreamEnded
from orchestrator.sandbox.wire import CHUNK_BYTES, CONTROL_BYTES, HEADER, Frame, FrameReader, FrameType, encode
from orchestrator.testing import FakeEngine, fake_container
from orchestrator.testing.fake_container import MUX, Manner
from tests.support.sandboxes import job_of, limits_for, spec_for

LIMITS = limits_for(wall_seconds=0.1, grace_seconds=0.05, stdout_bytes=100, stderr_bytes=100, result_bytes=1000)
FINAL_FIELDS: dict[str, Any] = {
    "cause": "exited", "started": True, "setup_error": "", "exit_code": 0, "signal": None, "wall_seconds": 0.1,
    "user_cpu_seconds": 0.1, "system_cpu_seconds": 0, "memory_peak_bytes": 1, "oom_kills": 0, "pids_peak": 2,
    "bytes_written": 0, "file_opens": 0,
}  # fmt: skip
FINAL = encode(FrameType.FINAL, json.dumps(FINAL_FIELDS).encode())
RESULT = encode(FrameType.RESULT, b"V1")


@pytest.fixture(autouse=True)
def _short_deadlines(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sandbox_module, "HOST_SLACK_SECONDS", 0.2)
    monkeypatch.setattr(sandbox_module, "BOOT_SECONDS", 0.3)
    monkeypatch.setattr(sandbox_module, "ANSWER_SECONDS", 0.3)
    faulthandler.dump_traceback_later(90, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def muxed(payload: bytes, stream: int = 1) -> bytes:
    return MUX.pack(stream, len(payload)) + payload


def run_against(script: bytes, *, ends: bool = True) -> tuple[Outcome, Stream]:
    """A run whose sandbox sends ``script`` (already multiplexed) in one piece and then hangs up, or falls silent."""
    host, other = socket.socketpair()

    def speak() -> None:
        try:
            other.sendall(script)
            if ends:
                other.shutdown(socket.SHUT_WR)
            while other.recv(1 << 16):
                pass
        except OSError:
            pass  # the host let go

    stream = Stream(host)
    sandbox = Sandbox(FakeEngine(), "0" * 64, spec_for("sha256:" + "0" * 64), stream, NoSlot())
    speaker = threading.Thread(target=speak)
    speaker.start()
    try:
        return sandbox.run(job_of("result = 1", limits=LIMITS)), stream
    finally:
        sandbox.destroy()
        speaker.join(10)
        other.close()
        assert not speaker.is_alive()


def test_control_a_proper_end_is_taken() -> None:
    outcome, _ = run_against(muxed(encode(FrameType.STDOUT, b"x") + RESULT + FINAL), ends=False)
    assert outcome.failure == ""
    assert outcome.final == FinalReport(**FINAL_FIELDS)
    assert (bytes(outcome.stdout), outcome.result) == (b"x", b"V1")


def _final(**changes: Any) -> bytes:
    return muxed(encode(FrameType.FINAL, json.dumps({**FINAL_FIELDS, **changes}).encode()))


HOSTILE: dict[str, tuple[bytes, str]] = {
    # what is sent: (the bytes, a word of the failure)
    "type 99": (muxed(HEADER.pack(99, 0)), "unknown type 99"),
    "type 0": (muxed(HEADER.pack(0, 0)), "unknown type 0"),
    "a JOB": (muxed(encode(FrameType.JOB, b"{}")), "only the host sends"),
    "an ATTEST": (muxed(encode(FrameType.ATTEST)), "only the host sends"),
    "a CANCEL": (muxed(encode(FrameType.CANCEL)), "only the host sends"),
    "READY in a run": (muxed(encode(FrameType.READY, b"{}")), "READY during a run"),
    "POSTURE in a run": (muxed(encode(FrameType.POSTURE, b"{}")), "POSTURE during a run"),
    "STDOUT too long": (muxed(HEADER.pack(FrameType.STDOUT, CHUNK_BYTES + 1)), "the cap is"),
    "STDOUT of 4 GiB": (muxed(HEADER.pack(FrameType.STDOUT, 2**32 - 1)), "the cap is"),
    "RESULT too long": (muxed(HEADER.pack(FrameType.RESULT, 1001)), "the cap is"),
    "RESULT of 2 GiB": (muxed(HEADER.pack(FrameType.RESULT, 2**31)), "the cap is"),
    "FINAL too long": (muxed(HEADER.pack(FrameType.FINAL, CONTROL_BYTES + 1)), "the cap is"),
    "more STDOUT than allowed": (muxed(encode(FrameType.STDOUT, b"x" * 101) + FINAL), "more than 100 bytes"),
    "more STDERR, in pieces": (muxed(encode(FrameType.STDERR, b"x" * 60) * 2 + FINAL), "more than 100 bytes"),
    "two FINALs": (muxed(FINAL + FINAL), "after FINAL"),
    "RESULT after FINAL": (muxed(FINAL + RESULT), "after FINAL"),
    "STDOUT after FINAL": (muxed(RESULT + FINAL + encode(FrameType.STDOUT, b"x")), "after FINAL"),
    "part of a frame after FINAL": (muxed(RESULT + FINAL + b"\x10"), "after FINAL"),
    "two RESULTs": (muxed(RESULT + RESULT + FINAL), "RESULT after RESULT"),
    "STDOUT after RESULT": (muxed(RESULT + encode(FrameType.STDOUT, b"x") + FINAL), "STDOUT after RESULT"),
    "half a frame": (muxed(FINAL[:40]), "ended"),
    "half a header": (muxed(FINAL[:3]), "ended"),
    "a result and no FINAL": (muxed(RESULT), "ended"),
    "TAKEN with a payload": (muxed(encode(FrameType.TAKEN, b"x")), "the cap is"),
    "TAKEN after the result": (muxed(RESULT + encode(FrameType.TAKEN)), "TAKEN after RESULT"),
    "nothing": (b"", "ended"),
    "half of Docker's header": (MUX.pack(1, 5)[:4], "ended"),
    "Docker's stdin": (muxed(FINAL, stream=0), "multiplexed"),
    "Docker's stream 3": (muxed(FINAL, stream=3), "multiplexed"),
    "not multiplexed": (b"Traceback (most recent call last):", "multiplexed"),
    "a stream of 2 GiB": (MUX.pack(1, 2**31), "multiplexed"),
    "FINAL on standard error": (muxed(FINAL, stream=2), "ended"),
    "FINAL that is not JSON": (muxed(encode(FrameType.FINAL, b"\xff{")), "not JSON"),
    "FINAL nested deep": (muxed(encode(FrameType.FINAL, b"[" * 60_000)), "not JSON"),
    "FINAL that is a list": (muxed(encode(FrameType.FINAL, b"[]")), "keys"),
    "FINAL with a key more": (_final(more=1), "keys"),
    "FINAL with a key less": (muxed(encode(FrameType.FINAL, b"{}")), "keys"),
    "FINAL with an unknown cause": (_final(cause="approved"), "cause"),
    "FINAL with a list for a cause": (_final(cause=["exited"]), "cause"),
    "FINAL with text for a flag": (_final(started="yes"), "started"),
    "FINAL with a flag for a code": (_final(exit_code=False), "exit_code"),
    "FINAL with a negative code": (_final(exit_code=-1), "exit_code"),
    "FINAL with a large signal": (_final(signal=256), "signal"),
    "FINAL with NaN": (_final(wall_seconds=float("nan")), "wall_seconds"),
    "FINAL with infinity": (_final(user_cpu_seconds=float("inf")), "user_cpu_seconds"),
    "FINAL with negative seconds": (_final(wall_seconds=-0.1), "wall_seconds"),
    "FINAL with a huge integer": (_final(bytes_written=2**63), "bytes_written"),
    "FINAL with a fraction of a byte": (_final(memory_peak_bytes=1.5), "memory_peak_bytes"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_supervisor_sends_is_refused(name: str) -> None:
    script, word = HOSTILE[name]
    outcome, _ = run_against(script)
    assert outcome.final is None
    assert word in outcome.failure
    assert classify(outcome, Report(ok=True, value=1), Limits()).status is Status.SANDBOX_ERROR


SILENT: dict[str, bytes] = {
    "from the start": b"",
    "in a frame": muxed(FINAL[:40]),
    "in Docker's header": MUX.pack(1, 5)[:4],
    "after the result": muxed(RESULT),
    "after empty frames": muxed(encode(FrameType.STDOUT)) * 1000,
}


@pytest.mark.parametrize("name", SILENT)
def test_silence_ends_at_the_hosts_own_deadline(name: str) -> None:
    outcome, _ = run_against(SILENT[name], ends=False)
    assert outcome.overdue
    assert outcome.final is None
    assert "deadline" in outcome.failure


def test_a_sandbox_that_does_not_read_its_job_is_given_up() -> None:
    host, other = socket.socketpair()
    sandbox = Sandbox(FakeEngine(), "0" * 64, spec_for("sha256:" + "0" * 64), Stream(host), NoSlot())
    outcome = sandbox.run(job_of("x = 1\n" * 500_000, limits=LIMITS))
    sandbox.destroy()
    other.close()
    assert outcome.final is None
    assert "does not read" in outcome.failure
    assert outcome.answered  # nobody knows whether it is gone


class Removing(FakeEngine):
    """``remove`` does what the test says to the other end of the stream."""

    def __init__(self, removal: Callable[[socket.socket], None]) -> None:
        super().__init__()
        self.host, self.other = socket.socketpair()
        self._removal = removal

    def remove(self, container_id: str) -> None:
        self._removal(self.other)


def end(other: socket.socket) -> None:
    other.shutdown(socket.SHUT_WR)


def cannot(_other: socket.socket) -> None:
    raise EngineError("the engine is away")


def nothing(_other: socket.socket) -> None:
    pass


def after(said: bytes) -> Callable[[socket.socket], None]:
    def removal(other: socket.socket) -> None:
        other.sendall(said)
        end(other)

    return removal


NO_SIGN: dict[str, tuple[Callable[[socket.socket], None], bool]] = {
    # what its removal does: (the deed, whether the run counts as answered)
    "it is gone, and had said nothing": (end, False),
    "it is gone, and left words on standard error": (after(muxed(b"noise", stream=2)), False),
    "it is gone, and had said something": (after(muxed(encode(FrameType.TAKEN))), True),
    "it is gone, and had begun a frame": (after(muxed(FINAL[:3])), True),
    "it is gone, and had begun a header": (after(MUX.pack(1, 5)[:4]), True),
    "it is gone, and left nonsense": (after(muxed(HEADER.pack(99, 0))), True),
    "it may be there still": (nothing, True),
    "the engine fails": (cannot, True),
}


@pytest.mark.parametrize("name", NO_SIGN)
def test_one_that_gives_no_sign_of_the_job_is_removed_and_only_then_known_to_have_no_part_in_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox_module, "SILENCE_SECONDS", 0.2)
    removal, answered = NO_SIGN[name]
    engine = Removing(removal)
    sandbox = Sandbox(engine, "0" * 64, spec_for("sha256:" + "0" * 64), Stream(engine.host), NoSlot())
    outcome = sandbox.run(job_of("result = 1", limits=limits_for(wall_seconds=60)))
    engine.host.close()
    engine.other.close()
    assert "no sign of the job" in outcome.failure
    assert outcome.answered is answered
    assert outcome.final is None


@pytest.mark.parametrize("said", [b"", muxed(FINAL[:40])])
def test_one_whose_stream_ends_by_itself_may_have_had_the_job(said: bytes) -> None:
    """A skill may be the cause: it would run again."""
    outcome, _ = run_against(said)
    assert outcome.answered
    assert "ended" in outcome.failure


def test_what_the_container_says_on_standard_error_is_kept_short() -> None:
    outcome, stream = run_against(muxed(b"e" * (1 << 20), stream=2) * 8)
    assert outcome.final is None
    assert len(stream.diagnostic) <= 8192


def test_ten_thousand_tiny_frames_in_one_piece() -> None:
    script = muxed(encode(FrameType.STDERR) * 10_000 + encode(FrameType.STDOUT, b"x") * 100 + RESULT + FINAL)
    outcome, _ = run_against(script, ends=False)
    assert outcome.failure == ""
    assert bytes(outcome.stdout) == b"x" * 100


# --- the parsers ------------------------------------------------------------------------------------------------------

FRAMES = st.lists(
    st.tuples(st.sampled_from([FrameType.STDOUT, FrameType.STDERR, FrameType.RESULT]), st.binary(max_size=50)),
    max_size=8,
)


@given(FRAMES, st.lists(st.integers(1, 40), min_size=1))
def test_frames_do_not_depend_on_how_they_are_cut(frames: list[tuple[FrameType, bytes]], cuts: list[int]) -> None:
    data = b"".join(encode(kind, payload) for kind, payload in frames)
    reader, found, at, turn = FrameReader(result_bytes=50), [], 0, 0
    while at < len(data):
        size = cuts[turn % len(cuts)]
        found += list(reader.feed(data[at : at + size]))
        at, turn = at + size, turn + 1
    assert found == [Frame(kind, payload) for kind, payload in frames]
    assert reader.pending == 0


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_raise_a_protocol_error(data: bytes) -> None:
    reader = FrameReader(result_bytes=50)
    try:
        frames = list(reader.feed(data))
    except ProtocolError:
        return
    assert sum(len(frame.payload) for frame in frames) <= len(data)


def test_an_announced_length_allocates_nothing() -> None:
    reader = FrameReader(result_bytes=1000)
    with pytest.raises(ProtocolError):
        list(reader.feed(struct.pack(">BI", FrameType.RESULT, 2**32 - 1)))
    assert reader.pending <= HEADER.size


@given(FRAMES, st.lists(st.integers(1, 60), min_size=1))
def test_the_stream_undoes_any_multiplexing(frames: list[tuple[FrameType, bytes]], cuts: list[int]) -> None:
    data = b"".join(encode(kind, payload) for kind, payload in frames)
    pieces, at, turn = b"", 0, 0
    while at < len(data):
        size = cuts[turn % len(cuts)]
        pieces += muxed(data[at : at + size]) + muxed(b"noise", stream=2) + muxed(b"")
        at, turn = at + size, turn + 1
    host, other = socket.socketpair()
    with other:
        other.sendall(pieces)
        other.shutdown(socket.SHUT_WR)
        stream = Stream(host)
        stream.expect_result(50)
        found = [stream.receive(5) for _ in frames]
        with pytest.raises(StreamEnded):
            stream.receive(5)
        stream.close()
    assert found == [Frame(kind, payload) for kind, payload in frames]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(
    st.dictionaries(st.sampled_from(sorted(FINAL_FIELDS)), JSON, max_size=3),
    st.sets(st.sampled_from(sorted(FINAL_FIELDS)), max_size=1),
)
@example({"cause": {}}, set())
@example({"wall_seconds": True}, set())
def test_a_final_report_is_whole_and_typed_or_refused(changes: dict[str, Any], without: set[str]) -> None:
    document = {key: value for key, value in {**FINAL_FIELDS, **changes}.items() if key not in without}
    try:
        report = parse_final(json.dumps(document).encode("utf-8", "surrogatepass"))
    except ProtocolError:
        return
    assert not without
    assert report.cause in CAUSES
    assert type(report.started) is bool
    assert report.exit_code is None or 0 <= report.exit_code <= 255
    assert report.signal is None or 0 <= report.signal <= 255
    for name in ("memory_peak_bytes", "oom_kills", "pids_peak", "bytes_written", "file_opens"):
        assert type(getattr(report, name)) is int
        assert 0 <= getattr(report, name) < 2**63
    for name in ("wall_seconds", "user_cpu_seconds", "system_cpu_seconds"):
        assert 0 <= getattr(report, name) < 1e9


@given(st.binary(max_size=100))
def test_a_final_report_of_any_bytes_is_refused(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_final(payload)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("guard_notes", None), ("guard_notes", "import os"), ("guard_notes", [1]), ("guard_notes", [""]),
        ("guard_notes", ["x" * 201]), ("guard_notes", ["x"] * 65), ("guard_notes", [["x"]]), ("write_opens", -1),
        ("write_opens", 2**63), ("write_opens", True), ("connection_attempts", "1"), ("more", 1),
    ],
)  # fmt: skip
def test_what_the_executor_counted_and_noted_is_bounded_or_refused(name: str, value: Any) -> None:
    with pytest.raises(ProtocolError):
        parse_final(json.dumps({**FINAL_FIELDS, name: value}).encode())


def test_an_image_that_counts_less_is_understood() -> None:
    old = parse_final(json.dumps(FINAL_FIELDS).encode())
    assert (old.write_opens, old.connection_attempts, old.guard_notes) == (0, 0, ())
    new = parse_final(json.dumps({**FINAL_FIELDS, "write_opens": 2, "guard_notes": ["import os"]}).encode())
    assert (new.write_opens, new.guard_notes) == (2, ("import os",))


# --- starting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("manner", [manner for manner in Manner if manner is not Manner.PROPER])
def test_a_sandbox_that_starts_oddly_is_an_error_and_gone(manner: Manner) -> None:
    engine = FakeEngine(on_start=lambda container_id: manner)
    with pytest.raises(SandboxError):
        Sandbox.start(engine, spec_for("sha256:" + "0" * 64), name="odd", labels={}, slot=NoSlot())
    assert engine.containers == []


def test_another_protocol_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fake_container.READY, "protocol", wire.PROTOCOL_VERSION + 1)
    engine = FakeEngine()
    with pytest.raises(ProtocolError, match="another protocol version"):
        Sandbox.start(engine, spec_for("sha256:" + "0" * 64), name="odd", labels={}, slot=NoSlot())
    assert engine.containers == []


# --- both sides agree -------------------------------------------------------------------------------------------------


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The supervisor's module; importing it runs nothing."""
    path = Path(__file__).parents[2] / "sandbox-image" / "supervisor.py"
    before = set(sys.modules)
    spec = importlib.util.spec_from_file_location("supervisor", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    for name in {"accounting", "confine", "executor"} - before:
        sys.modules.pop(name, None)


def test_host_and_supervisor_use_the_same_numbers(supervisor: Any) -> None:
    assert {kind.name: getattr(supervisor, kind.name) for kind in FrameType} == {
        kind.name: kind.value for kind in FrameType
    }
    assert supervisor.HEADER.format == HEADER.format
    assert supervisor.PROTOCOL_VERSION == wire.PROTOCOL_VERSION
    assert supervisor.JOB_BYTES == wire.JOB_BYTES
    assert supervisor.CHUNK <= wire.CHUNK_BYTES
    assert (supervisor.executor.VALUE, supervisor.executor.ERROR) == (results_report.VALUE, results_report.ERROR)
    assert supervisor.executor.EXIT_NOT_STARTED == EXIT_NOT_STARTED
