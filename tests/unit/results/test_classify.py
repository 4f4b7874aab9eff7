"""Who was at fault: the table of ``classify``, and what becomes of a report that the executor, or a skill, made up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Problem
from orchestrator.manifest import SkillManifest, load_manifest
from orchestrator.results.classify import Report, classify
from orchestrator.results.model import SkillError, Status
from orchestrator.results.report import parse_report
from orchestrator.sandbox.outcome import CAUSES, FinalReport, Outcome
from orchestrator.sandbox.spec import Limits

LIMITS = Limits()
FINAL = FinalReport(
    cause="exited", started=True, setup_error="", exit_code=0, signal=None, wall_seconds=0.1, user_cpu_seconds=0.1,
    system_cpu_seconds=0.0, memory_peak_bytes=1, oom_kills=0, pids_peak=2, bytes_written=0, file_opens=0,
)  # fmt: skip
OK = Report(ok=True, value=1)
ERROR = Report(error=SkillError("ValueError", "no"))
MAX = 10_000


@pytest.fixture(scope="module")
def skill() -> SkillManifest:
    return load_manifest(
        {
            "manifest_version": 1,
            "name": "t",
            "version": "1.0.0",
            "description": "d",
            "code": "def main():\n    return 1\n",
        }
    )


def status(report: Report = OK, *, result: bytes | None = b"V1", **final: Any) -> Status:
    return classify(Outcome(result=result, final=replace(FINAL, **final)), report, LIMITS).status


TABLE: list[tuple[Status, Report, dict[str, Any]]] = [
    (Status.SUCCEEDED, OK, {}),
    # what the supervisor measured comes before everything the skill says
    (Status.TIMED_OUT, OK, {"cause": "wall"}),
    (Status.TIMED_OUT, ERROR, {"cause": "wall", "exit_code": 1}),
    (Status.CPU_EXCEEDED, OK, {"cause": "cpu"}),
    (Status.OUT_OF_MEMORY, OK, {"cause": "memory"}),
    (Status.OUT_OF_MEMORY, OK, {"cause": "memory", "started": False}),
    (Status.OUTPUT_EXCEEDED, OK, {"cause": "output"}),
    (Status.OUTPUT_EXCEEDED, OK, {"cause": "write"}),
    (Status.CANCELLED, OK, {"cause": "cancelled"}),
    # then whether it ever ran
    (Status.SANDBOX_ERROR, OK, {"started": False}),
    (Status.SANDBOX_ERROR, OK, {"started": False, "signal": 9, "exit_code": None}),
    # then how the process ended
    (Status.SIGNALED, OK, {"signal": 11, "exit_code": None}),
    (Status.SIGNALED, ERROR, {"signal": 9, "exit_code": None}),
    (Status.SIGNALED, OK, {"signal": 24, "exit_code": None}),  # SIGXCPU of its own: no limit was reached
    (Status.SIGNALED, OK, {"signal": 127, "exit_code": None}),
    (Status.CPU_EXCEEDED, OK, {"signal": 9, "exit_code": None, "user_cpu_seconds": LIMITS.cpu_seconds + 1}),
    # then the skill's own words, downwards only
    (Status.FAILED, ERROR, {}),
    (Status.FAILED, ERROR, {"exit_code": 1}),
    (Status.FAILED, Report(problems=(Problem("", "no"),)), {}),
    (Status.FAILED, OK, {"exit_code": 1}),
    (Status.FAILED, OK, {"exit_code": 124}),  # no meaning in an exit code
    (Status.FAILED, OK, {"exit_code": 137}),
    (Status.FAILED, OK, {"exit_code": None}),
    (Status.FAILED, Report(), {}),
]


@pytest.mark.parametrize(("expected", "report", "final"), TABLE, ids=lambda value: str(value)[:60])
def test_table(expected: Status, report: Report, final: dict[str, Any]) -> None:
    assert status(report, **final) is expected


def test_no_result_is_never_a_success() -> None:
    for exit_code in (0, 1, 137, None):
        assert status(Report(), result=None, exit_code=exit_code) is Status.FAILED
    assert status(OK, result=None) is Status.FAILED


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(failure="broken"), Status.SANDBOX_ERROR),
        (Outcome(), Status.SANDBOX_ERROR),
        (Outcome(result=b"V1", overdue=True), Status.SANDBOX_ERROR),
        (Outcome(cancelled=True, failure="x"), Status.CANCELLED),
    ],
)
def test_without_a_final_report_a_result_counts_for_nothing(outcome: Outcome, expected: Status) -> None:
    verdict = classify(outcome, OK, LIMITS)
    assert verdict.status is expected
    assert verdict.reason


@given(
    cause=st.sampled_from(sorted(CAUSES)), started=st.booleans(), exit_code=st.none() | st.integers(0, 255),
    signal=st.none() | st.integers(0, 255), ok=st.booleans(), result=st.none() | st.just(b"V1"), oom=st.integers(0, 3),
)  # fmt: skip
def test_success_has_one_way(
    cause: str, started: bool, exit_code: int | None, signal: int | None, ok: bool, result: bytes | None, oom: int
) -> None:
    report = OK if ok else Report()
    found = status(
        report, result=result, cause=cause, started=started, exit_code=exit_code, signal=signal, oom_kills=oom
    )
    clean = cause == "exited" and started and exit_code == 0 and signal is None and ok and result is not None
    assert (found is Status.SUCCEEDED) is clean


def test_a_reason_is_one_safe_line() -> None:
    hostile = Report(error=SkillError("E\x1b[31m", "a\nb\u202e\r" + "x" * 10_000))
    reason = classify(Outcome(result=b"X", final=FINAL), hostile, LIMITS).reason
    assert len(reason) <= 500
    assert reason.isprintable()
    broken = Outcome(final=replace(FINAL, started=False, setup_error="\x1b]0;x\x07\n" * 100))
    assert classify(broken, Report(), LIMITS).reason.isprintable()


# --- reports ----------------------------------------------------------------------------------------------------------


def test_a_value_and_an_error(skill: SkillManifest) -> None:
    assert parse_report(b'V{"a":[1,null]}', skill, MAX) == Report(ok=True, value={"a": [1, None]})
    found = parse_report(b'X{"type":"E","message":"m","traceback":"t"}', skill, MAX)
    assert found == Report(error=SkillError("E", "m", "t"))


def test_controls_in_an_error_are_escaped(skill: SkillManifest) -> None:
    error = parse_report(b'X{"type":"E\\u001b[1m","message":"\\u202e","traceback":"a\\nb\\r"}', skill, MAX).error
    assert error is not None
    assert error.type == "E\\x1b[1m"
    assert error.message == "\\u202e"
    assert error.traceback == "a\nb\\r"  # lines stay lines


FORGED = [
    b"", b"V", b"X", b"S", b"VV1", b"V1V2", b"V1 2", b"Vnull\x00", b"V{", b"VNaN", b"VInfinity", b"V1e999",
    b'V{"a":1,"a":2}',
    b'V"\\ud800"', b"V\xff\xfe", b"V" + b"[" * 100_000, b"V" + b"9" * 5000, b"V" + b"[" * 65 + b"]" * 65,
    b"X1", b"X[]", b"X{", b"\x80\x04K\x01.", b"v1", b"V\xef\xbb\xbf1", b"V" + b" " * (MAX + 1), b'{"ok": true}',
]  # fmt: skip


@pytest.mark.parametrize("raw", FORGED, ids=lambda raw: repr(raw[:20]))
def test_what_is_not_a_report_is_a_problem_and_no_value(skill: SkillManifest, raw: bytes) -> None:
    report = parse_report(raw, skill, MAX)
    assert not report.ok
    assert report.value is None
    assert report.problems
    assert classify(Outcome(result=raw, final=FINAL), report, LIMITS).status is Status.FAILED


@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise(raw: bytes) -> None:
    manifest = load_manifest(
        {
            "manifest_version": 1,
            "name": "t",
            "version": "1.0.0",
            "description": "d",
            "code": "def main():\n    return 1\n",
        }
    )
    for prefix in (b"", b"V", b"X"):
        parse_report(prefix + raw, manifest, MAX)


def test_fields_of_an_error_may_be_anything(skill: SkillManifest) -> None:
    error = parse_report(b'X{"type":[],"message":7,"more":{}}', skill, MAX).error
    assert error == SkillError("Exception", "", "")
