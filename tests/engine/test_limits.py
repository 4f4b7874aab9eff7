"""Every way a run can end, on the real engine: one status of the closed set each, and what was printed survives.

The scanner and the guards are off and the other layers on, unless a case says otherwise. Nothing here is timed: a
watchdog ends the session where a call does not come back at all.
"""

from __future__ import annotations

import faulthandler
import json
import platform
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator, Status
from orchestrator.image.model import BuiltImage
from orchestrator.manifest import SkillManifest, load_manifest
from orchestrator.results.classify import Report, Verdict, classify
from orchestrator.results.report import parse_report
from orchestrator.sandbox.docker_engine import DockerEngine
from orchestrator.sandbox.outcome import JobLimits, Outcome
from orchestrator.sandbox.ownership import state_id
from orchestrator.sandbox.spec import Limits
from orchestrator.sandbox.wire import FrameType, encode
from orchestrator.text import escape_controls
from tests.conftest import MakeSettings
from tests.security.lab import Lab
from tests.support.sandboxes import MB, job_of, limits_for

WATCHDOG_SECONDS = 90  # no case takes two


@pytest.fixture(autouse=True)
def _watchdog() -> Iterator[None]:
    faulthandler.dump_traceback_later(WATCHDOG_SECONDS, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="module")
def lab(real_engine: DockerEngine, image: BuiltImage, state_dir: Path) -> Lab:
    return Lab(real_engine, image.image_id, state_id(state_dir))


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


@dataclass(frozen=True)
class Ended:
    outcome: Outcome
    report: Report
    verdict: Verdict

    @property
    def status(self) -> Status:
        return self.verdict.status

    @property
    def stdout(self) -> bytes:
        return bytes(self.outcome.stdout)


def judged(outcome: Outcome, skill: SkillManifest, limits: JobLimits) -> Ended:
    assert outcome.failure == ""
    assert outcome.final is not None
    report = parse_report(outcome.result, skill, limits.result_bytes)
    verdict = classify(outcome, report, Limits(cpu_seconds=limits.cpu_seconds, wall_seconds=limits.wall_seconds))
    assert verdict.reason
    return Ended(outcome, report, verdict)


@dataclass(frozen=True)
class Case:
    """``limits`` and ``spec`` replace single fields; ``layers`` go to ``job_of``."""

    name: str
    code: str
    status: Status
    stdout: bytes | None = None  # None: not looked at
    error: str = ""  # must be in the type, message or traceback of the skill's exception
    value: Any = None  # of a run that succeeded
    signal: int | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
    layers: Mapping[str, Any] = field(default_factory=dict)


SHORT = {"wall_seconds": 0.4, "grace_seconds": 0.1}
NO_STAGE_TWO = {"second_stage": False}

TIME = (
    Case("endless loop", "print('begun')\nwhile True: pass", Status.TIMED_OUT, stdout=b"begun\n", limits=SHORT),
    Case("swallows every exception", """
import time
print("begun")
while True:
    try:
        while True: time.sleep(0.01)
    except BaseException: print("caught")
""", Status.TIMED_OUT, stdout=b"begun\ncaught\n", limits=SHORT),
    Case("ignores every signal it can", """
import signal
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM): signal.signal(number, signal.SIG_IGN)
print("begun")
while True: pass
""", Status.TIMED_OUT, stdout=b"begun\n", signal=9, limits=SHORT),
    Case("stops itself", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", Status.TIMED_OUT, limits=SHORT),
    Case("sleeps", "import time\ntime.sleep(1e8)", Status.TIMED_OUT, error="KeyboardInterrupt", limits=SHORT),
    Case("waits for itself", "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()",
         Status.TIMED_OUT, limits=SHORT),
    Case("answers after the deadline", """
import time
try: time.sleep(60)
except KeyboardInterrupt: pass
result = "too late"
""", Status.TIMED_OUT, limits=SHORT),
    Case("main thread gone, another lives", """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
ctypes.CDLL(None).syscall(60, 0)  # exit, not exit_group
""", Status.TIMED_OUT, limits=SHORT),
    Case("reads from a pipe nobody writes to", "import os\nos.read(os.pipe()[0], 1)", Status.TIMED_OUT, limits=SHORT),
    Case("spins", "while True: pass", Status.CPU_EXCEEDED, limits={"cpu_seconds": 0.2}),
    Case("spins in many threads", """
import threading
def spin():
    while True: pass
for _ in range(10): threading.Thread(target=spin, daemon=True).start()
spin()
""", Status.CPU_EXCEEDED, limits={"cpu_seconds": 0.3}),
    Case("spins in native code", "sum(range(10**12))", Status.CPU_EXCEEDED,
         limits={"cpu_seconds": 0.2}),
)  # fmt: skip

MEMORY = (
    Case("eats memory", "print('begun')\neaten = []\nwhile True: eaten.append(bytearray(1 << 20))",
         Status.OUT_OF_MEMORY, stdout=b"begun\n", signal=9),
    Case("eats memory through /tmp", """
print("begun")
with open("/tmp/a", "wb", 0) as file:
    while True: file.write(bytes(1 << 16))
""", Status.OUT_OF_MEMORY, stdout=b"begun\n", spec={"memory_bytes": 40 * MB, "tmp_bytes": 64 * MB},
         limits={"file_bytes": 64 * MB, "write_bytes": 1 << 40}),
    Case("a child is killed, the parent ends well", """
import os
if (child := os.fork()) == 0:
    eaten = []
    while True: eaten.append(bytearray(1 << 20))
os.waitpid(child, 0)
result = 1
""", Status.OUT_OF_MEMORY, layers=NO_STAGE_TWO),
    Case("stays below the limit", "result = len(bytearray(60 << 20))", Status.SUCCEEDED, value=60 << 20),
    Case("reserves a tebibyte and touches none", """
import mmap
region = mmap.mmap(-1, 1 << 40, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_NORESERVE)
result = len(region)
""", Status.SUCCEEDED, value=1 << 40),
)  # fmt: skip

PROCESSES = (
    Case("fork bomb against the pids limit", """
import os, time
while True:
    if os.fork() == 0: time.sleep(60)
""", Status.FAILED, error="BlockingIOError", layers=NO_STAGE_TWO),
    Case("fork with the second stage", "import os\nos.fork()", Status.FAILED, error="PermissionError"),
    Case("thread bomb", """
import threading, time
while True: threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
""", Status.FAILED, error="can't start new thread"),
    Case("a child outlives the skill and holds its pipes", """
import os, time
if os.fork() == 0: time.sleep(60)
result = 1
""", Status.SUCCEEDED, value=1, layers=NO_STAGE_TWO),
    Case("threads outlive the skill",
         "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\nresult = 1",
         Status.SUCCEEDED, value=1),
)  # fmt: skip

CAP = 4096
SMALL = {"stdout_bytes": CAP, "stderr_bytes": CAP}
FULL = b"x" * CAP
OUTPUT = (
    Case("flood of lines", "while True: print('x' * 999)", Status.OUTPUT_EXCEEDED,
         stdout=(b"x" * 999 + b"\n") * 4 + b"x" * 96, limits=SMALL),
    Case("flood without a newline", "import os\nwhile True: os.write(1, b'x' * 65536)", Status.OUTPUT_EXCEEDED,
         stdout=FULL, limits=SMALL),
    Case("flood of single bytes", "import os\nwhile True: os.write(1, b'x')", Status.OUTPUT_EXCEEDED, stdout=FULL,
         limits=SMALL),
    Case("flood through an enlarged pipe", """
import fcntl, os
fcntl.fcntl(1, 1031, 1 << 20)  # F_SETPIPE_SZ
while True: os.write(1, b"x" * 65536)
""", Status.OUTPUT_EXCEEDED, stdout=FULL, limits=SMALL),
    Case("flood of stderr while stdout is silent", "import os\nwhile True: os.write(2, b'x' * 65536)",
         Status.OUTPUT_EXCEEDED, stdout=b"", limits=SMALL),
    Case("flood of both by turns", "import os\nwhile True:\n    os.write(1, b'x')\n    os.write(2, b'y')",
         Status.OUTPUT_EXCEEDED, limits=SMALL),
    Case("exactly the cap", f"import os\nos.write(1, b'x' * {CAP})\nos.write(2, b'y' * {CAP})\nresult = 1",
         Status.SUCCEEDED, stdout=FULL, value=1, limits=SMALL),
    Case("one byte more", f"import os\nos.write(1, b'x' * {CAP + 1})\nresult = 1", Status.OUTPUT_EXCEEDED,
         stdout=FULL, limits=SMALL),
    Case("huge result", "result = 'x' * (8 << 20)", Status.OUTPUT_EXCEEDED),
    Case("result of exactly the cap", "result = 'x' * (4096 - 3)", Status.SUCCEEDED, value="x" * 4093,
         limits={"result_bytes": 4096}),
    Case("result one byte larger", "result = 'x' * (4096 - 2)", Status.OUTPUT_EXCEEDED, limits={"result_bytes": 4096}),
    Case("not UTF-8", "import os\nos.write(1, b'\\xff\\xfe\\x00\\xc0\\xaf')\nresult = 1", Status.SUCCEEDED,
         stdout=b"\xff\xfe\x00\xc0\xaf", value=1),
    Case("a megabyte counts as output, not as written to files", "print('x' * 1_000_000)\nresult = 1",
         Status.SUCCEEDED, value=1, limits={"write_bytes": 0}),
)  # fmt: skip

FILES = (
    Case("writes more than allowed", "while True:\n    with open('/tmp/a', 'wb') as f: f.write(bytes(1 << 20))",
         Status.OUTPUT_EXCEEDED, limits={"write_bytes": 4 * MB}),
    Case("writes more than allowed and is gone at once", """
import os
with open("/tmp/a", "wb", 0) as file: file.write(bytes(8 << 20))
os.write(4, b"V1")
os._exit(0)
""", Status.OUTPUT_EXCEEDED, limits={"write_bytes": 4 * MB}),
    Case("file larger than allowed", "with open('/tmp/a', 'wb', 0) as f:\n    while True: f.write(bytes(1 << 20))",
         Status.FAILED, error="File too large", limits={"file_bytes": 2 * MB}),
    Case("default action for a file too large", """
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
with open("/tmp/a", "wb", 0) as file:
    while True: file.write(bytes(1 << 20))
""", Status.SIGNALED, signal=25, limits={"file_bytes": 2 * MB}),
    Case("fills /tmp", "with open('/tmp/a', 'wb', 0) as f:\n    while True: f.write(bytes(1 << 16))", Status.FAILED,
         error="No space left", spec={"tmp_bytes": MB}),
    Case("sparse tebibyte", "with open('/tmp/a', 'wb') as f: f.truncate(1 << 40)", Status.FAILED,
         error="File too large"),
    Case("sparse byte at the end", "with open('/tmp/a', 'wb') as f:\n    f.seek((1 << 40) - 1)\n    f.write(b'x')",
         Status.FAILED, error="File too large"),
    Case("uses up the inodes", "for i in range(10**6): open(f'/tmp/{i}', 'w').close()", Status.FAILED,
         error="No space left"),
    Case("uses up the descriptors", "keep = [open('/dev/null') for _ in range(10**6)]", Status.FAILED,
         error="Too many open files"),
)  # fmt: skip

EXITS = (
    Case("os._exit(0)", "import os\nos._exit(0)", Status.FAILED),
    Case("os._exit(124)", "import os\nos._exit(124)", Status.FAILED),
    Case("os._exit(137)", "import os\nos._exit(137)", Status.FAILED),
    Case("os._exit(70), our own code for not started", "import os\nos._exit(70)", Status.FAILED),
    Case("sys.exit(0)", "import sys\nsys.exit(0)", Status.FAILED, error="exit code 0"),
    Case("sys.exit(1)", "import sys\nsys.exit(1)", Status.FAILED, error="exit code 1"),
    Case("sys.exit(text)", "import sys\nsys.exit('a reason')", Status.FAILED, error="a reason"),
    *(Case(f"raises {name}", f"raise {name}", Status.FAILED, error=name)
      for name in ("SystemExit", "KeyboardInterrupt", "GeneratorExit", "MemoryError", "StopIteration")),
    Case("its own BaseException", "class Odd(BaseException): pass\nraise Odd('x')", Status.FAILED, error="Odd"),
    Case("a hostile exception", """
class Hostile(Exception):
    def __str__(self): raise SystemExit(0)
raise Hostile
""", Status.FAILED, error="could not be described"),
    Case("an exception whose class has no honest name", """
import atexit
atexit.register(print, "still here")
class Meta(type):
    @property
    def __name__(cls): raise Hostile
class Hostile(BaseException, metaclass=Meta):
    def __str__(self): raise Hostile
raise Hostile
""", Status.FAILED, stdout=b"", error="Hostile"),
    Case("an exception whose text is no Unicode", "raise ValueError('a \\ud800 b')", Status.FAILED,
         error="a \\ud800 b"),
    Case("deep recursion", "def f(): return f()\nf()", Status.FAILED, error="RecursionError"),
    Case("segmentation fault", "print('begun')\nimport ctypes\nctypes.string_at(0)", Status.SIGNALED, stdout=b"begun\n",
         signal=11),
    Case("abort", "import os\nos.abort()", Status.SIGNALED, signal=6),
    *(Case(f"sends itself signal {number}", f"import os\nos.kill(os.getpid(), {number})", Status.SIGNALED,
           signal=number) for number in (9, 15, 24, 31, 40)),
    Case("catches a signal and goes on", """
import os, signal, time
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1)
except KeyboardInterrupt: pass
result = 5
""", Status.SUCCEEDED, value=5),
    Case("nothing at exit is run", """
import atexit
class Late:
    def __del__(self): print("late")
late = Late()
atexit.register(print, "late")
result = 1
""", Status.SUCCEEDED, stdout=b"", value=1),
)  # fmt: skip
NATIVE_OVERFLOW = Case("C stack overflow", """
import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=7)
page.write(b"\\x50\\xeb\\xfd")  # push rax; jump back to it
ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
""", Status.SIGNALED, signal=11)  # fmt: skip

RESULTS = (
    Case("standard input is empty", "import os, sys\nresult = [sys.stdin.read(), os.read(0, 1).decode()]",
         Status.SUCCEEDED, value=["", ""]),
    Case("ten megabytes of input", "def main(text): return len(text)", Status.SUCCEEDED, value=10 * MB,
         layers={"entrypoint": "main", "inputs": {"text": "x" * (10 * MB)}}),
    Case("awaited", "import asyncio\nasync def main():\n    await asyncio.sleep(0)\n    return 7", Status.SUCCEEDED,
         value=7, layers={"entrypoint": "main"}),
    *(Case(f"result {expression}", f"result = {expression}", Status.FAILED, error="cannot be encoded")
      for expression in ("float('nan')", "float('-inf')", "{1, 2}", "b'x'", "'\\ud800'", "object()", "1j", "10**5000")),
    Case("result nested too deep", "result = []\nfor _ in range(100_000): result = [result]", Status.FAILED),
    Case("result nested deeper than we read", "result = []\nfor _ in range(100): result = [result]", Status.FAILED),
    Case("no such entrypoint", "x = 1", Status.FAILED, error="no function", layers={"entrypoint": "main"}),
    Case("not Python", "def (", Status.FAILED, error="SyntaxError"),
    Case("forges a result: it is this run's data, no more", "import os\nos.write(4, b'V7')\nos._exit(0)",
         Status.SUCCEEDED, value=7),
    Case("forges a result and hands in another", "import os\nos.write(4, b'V7')\nresult = 8", Status.FAILED),
    Case("forges a result and ends badly", "import os\nos.write(4, b'V7')\nos._exit(1)", Status.FAILED),
    Case("forges a start", "import os\nos.write(4, b'SV7')\nos._exit(0)", Status.FAILED),
    Case("forges an error and ends well", "import os\nos.write(4, b'X{}')\nos._exit(0)", Status.FAILED),
    Case("forges a pickle", "import os\nos.write(4, b'\\x80\\x04K\\x01.')\nos._exit(0)", Status.FAILED),
    Case("closes the report", "import os\nos.close(4)\nresult = 1", Status.FAILED),
    Case("closes the job's pipe", "import os\nos.close(3)\nresult = 1", Status.SUCCEEDED, value=1),
    Case("closes everything", "import os\nos.closerange(0, 256)\nresult = 1", Status.FAILED),
    Case("closes its output", "import os\nos.close(1)\nos.close(2)\nresult = 1", Status.SUCCEEDED, stdout=b"", value=1),
)  # fmt: skip

CASES = TIME + MEMORY + PROCESSES + OUTPUT + FILES + EXITS + RESULTS
if platform.machine() == "x86_64":
    CASES += (NATIVE_OVERFLOW,)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_status(lab: Lab, skill: SkillManifest, case: Case) -> None:
    limits = limits_for(**case.limits)
    outcome = lab.outcome(case.code, spec=case.spec, limits=limits, **case.layers)
    ended = judged(outcome, skill, limits)
    assert ended.status is case.status, ended.verdict
    if case.stdout is not None:
        assert ended.stdout == case.stdout
    if case.error:
        assert ended.report.error is not None, ended
        assert case.error in f"{ended.report.error.type}: {ended.report.error.message}"
    if case.status is Status.SUCCEEDED:
        assert ended.report.value == case.value
    if case.signal is not None:
        assert outcome.final is not None
        assert outcome.final.signal == case.signal
    assert len(outcome.stdout) <= limits.stdout_bytes
    assert len(outcome.stderr) <= limits.stderr_bytes


def test_accounts_are_the_supervisors(lab: Lab) -> None:
    code = """
import os, threading
with open("/tmp/a", "wb", 0) as file: file.write(bytes(3_000_000))
eaten = bytearray(40 << 20)
gate = threading.Event()
for _ in range(5): threading.Thread(target=gate.wait).start()
import time
ends = time.process_time() + 0.3
while time.process_time() < ends: pass
gate.set()
print("x" * 500_000)
"""
    final = lab.outcome(code).final
    assert final is not None
    assert final.bytes_written == 3_000_000
    assert 43 * MB <= final.memory_peak_bytes <= 100 * MB
    assert final.pids_peak >= 7
    assert final.user_cpu_seconds + final.system_cpu_seconds >= 0.3
    assert final.wall_seconds >= final.user_cpu_seconds / 2


def test_a_forged_counter_falsifies_that_figure_alone(lab: Lab, skill: SkillManifest) -> None:
    """File opens are counted in memory that the skill can find and write to; no other figure and no status is."""
    code = """
import gc
with open("/tmp/a", "wb", 0) as file: file.write(bytes(3000))
found = [each for each in gc.get_objects() if type(each) is memoryview and each.format == "Q"]
for each in found: each[0] = 2**64 - 1
result = len(found) > 0
"""
    guards = {"imports": ["gc"], "denied_builtins": [], "denied_events": [], "max_opens": 1000}
    limits = limits_for()
    ended = judged(lab.outcome(code, limits=limits, guards=guards), skill, limits)
    assert ended.status is Status.SUCCEEDED, ended.verdict
    assert ended.report.value is True
    final = ended.outcome.final
    assert final is not None
    assert final.file_opens == 2**63 - 1
    assert final.bytes_written == 3000
    assert final.memory_peak_bytes > 0
    assert final.pids_peak >= 1
    assert 0 < final.user_cpu_seconds + final.system_cpu_seconds < limits.cpu_seconds


def test_bytes_that_look_like_frames_are_output(lab: Lab, skill: SkillManifest) -> None:
    final = json.dumps({"cause": "exited", "started": True}).encode()
    forged = encode(FrameType.RESULT, b"V666") + encode(FrameType.FINAL, final) + b"\x01\0\0\0\0\0\0\x05"
    limits = limits_for()
    ended = judged(lab.outcome(f"import os\nos.write(1, {forged!r})\nresult = 1", limits=limits), skill, limits)
    assert ended.stdout == forged
    assert ended.report.value == 1


def test_terminal_sequences_stay_raw_and_are_shown_escaped(lab: Lab) -> None:
    code = "print('\\x1b]0;title\\x07\\x1b[31mred\\x9b0m\\r\\u202e')"
    outcome = lab.outcome(code)
    text = bytes(outcome.stdout).decode()
    assert text == "\x1b]0;title\x07\x1b[31mred\x9b0m\r\u202e\n"
    assert escape_controls(text).replace("\n", "").isprintable()


def test_no_job_sees_the_traces_of_another(lab: Lab) -> None:
    with lab.sandbox() as sandbox:
        sandbox.run(job_of("open('/tmp/trace', 'w').close()"))
        with pytest.raises(Exception, match="used once"):
            sandbox.run(job_of("result = 1"))
    assert lab.value("import os\nresult = os.listdir('/tmp')") == []


@pytest.mark.parametrize("sleep", [0.28, 0.295, 0.3, 0.305, 0.32])
def test_at_the_edge_of_the_deadline_there_is_exactly_one_status(lab: Lab, skill: SkillManifest, sleep: float) -> None:
    limits = limits_for(wall_seconds=0.3, grace_seconds=0.1)
    ended = judged(lab.outcome(f"import time\ntime.sleep({sleep})\nresult = 1", limits=limits), skill, limits)
    assert ended.status in (Status.SUCCEEDED, Status.TIMED_OUT)
    if ended.status is Status.SUCCEEDED:
        assert ended.report.value == 1


# --- cancelling -------------------------------------------------------------------------------------------------------


def test_cancelled_from_another_thread_while_it_runs(lab: Lab, skill: SkillManifest) -> None:
    cancel, limits = threading.Event(), limits_for()
    code = "print('begun')\nwhile True:\n    try:\n        while True: pass\n    except BaseException: pass"
    with lab.sandbox() as sandbox:
        outcome = sandbox.run(
            job_of(code, limits=limits),
            on_output=lambda kind, chunk: threading.Thread(target=cancel.set).start(),
            cancelled=cancel.is_set,
        )
    ended = judged(outcome, skill, limits)
    assert ended.status is Status.CANCELLED
    assert ended.stdout == b"begun\n"


def test_cancelled_before_it_began(lab: Lab, skill: SkillManifest) -> None:
    """The CANCEL arrives together with the job: it must not be lost, or the run would go on to its deadline."""
    limits = limits_for()
    with lab.sandbox() as sandbox:
        outcome = sandbox.run(job_of("import time\ntime.sleep(60)", limits=limits), cancelled=lambda: True)
    assert judged(outcome, skill, limits).status is Status.CANCELLED


def test_cancelled_when_it_is_over_changes_nothing(lab: Lab, skill: SkillManifest) -> None:
    answers, limits = iter([False]), limits_for()
    with lab.sandbox() as sandbox:
        outcome = sandbox.run(job_of("result = 1", limits=limits), cancelled=lambda: next(answers, True))
    assert judged(outcome, skill, limits).status in (Status.SUCCEEDED, Status.CANCELLED)


def test_what_a_callback_raises_goes_through_and_the_sandbox_can_be_destroyed(lab: Lab) -> None:
    def on_output(kind: FrameType, chunk: bytes) -> None:
        raise LookupError("the caller's own")

    with pytest.raises(LookupError, match="own"), lab.sandbox() as sandbox:
        sandbox.run(job_of("print('x')\nwhile True: pass"), on_output=on_output)
    assert lab.engine.inspect(sandbox.id) is None


# --- through Orchestrator.run -----------------------------------------------------------------------------------------

PUBLIC: dict[str, tuple[str, dict[str, Any], Status]] = {
    # what the skill's main does: (its body, limits, the status)
    "succeeds": ("return [1]", {}, Status.SUCCEEDED),
    "raises": ("raise ValueError('no')", {}, Status.FAILED),
    "loops": ("print('begun')\n    while True: pass", {"wall_seconds": 0.5}, Status.TIMED_OUT),
    "spins": ("while True: pass", {"cpu_seconds": 0.3}, Status.CPU_EXCEEDED),
    "eats": ("eaten = []\n    while True: eaten.append(bytearray(1048576))", {}, Status.OUT_OF_MEMORY),
    "floods": ("while True: print('x' * 1000)", {"output_kb": 8}, Status.OUTPUT_EXCEEDED),
    "is denied": ("import socket", {}, Status.DENIED),
}


def test_the_same_through_the_public_door(make_settings: MakeSettings) -> None:
    with Orchestrator(make_settings()) as orchestrator:
        for name, (body, limits, status) in PUBLIC.items():
            manifest = {
                "manifest_version": 1, "name": "t", "version": "1.0.0", "description": name, "limits": limits,
                "code": f"def main():\n    {body}\n",
            }  # fmt: skip
            result = orchestrator.run(manifest)
            assert result.status is status, (name, result.reason)
            assert (result.output is None) is (status is not Status.SUCCEEDED)
            if name == "loops":
                assert result.stdout == "begun\n"
