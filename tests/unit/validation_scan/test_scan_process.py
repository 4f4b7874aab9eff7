"""The scanning process: whatever a text does to it, the host gets a denial and goes on."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.validation import scan_child, scan_process
from orchestrator.validation.inspection import Inspection, digest_of
from orchestrator.validation.rules import RULES
from orchestrator.validation.scan_process import ScanLimits, ScanProcess
from orchestrator.validation.scanner import Scanner
from tests.support.policies import HOST, LEVELS, REPOSITORY, decide, shipped, skill

FAULTY = REPOSITORY / "tests" / "support" / "faulty_scan_child.py"
SLOW = ScanLimits(wall_seconds=120)  # nothing here is to fail because the machine is busy
PLAIN = "import json\n"

# name -> text; each is within what a manifest may hold, or beyond it: the scanner has limits of its own
BOMBS = {
    "deep nesting": "(" * 100_000 + ")" * 100_000,
    "deep blocks": "".join(" " * depth + "if x:\n" for depth in range(600)) + " " * 600 + "x\n",
    "deep unary": "x = " + "-" * 200_000 + "1\n",
    "10k-term expression": "x = " + " + ".join("a" * 10_000) + "\n",
    "200k elif": "if a:\n b\n" + "elif a:\n b\n" * 200_000,
    "15k elif": "if a:\n b\n" + "elif a:\n b\n" * 15_000,
    "million-digit literal": "x = " + "9" * 1_000_000,
    "200k-digit literal": "x = " + "9" * 200_000,
    "million lines": "\n" * 1_000_000 + "x\n",
    "130k statements": "a\n" * 130_000,
    "giant f-string": "x = f'" + "{a}" * 40_000 + "'\n",
    "nested f-string": "x = " + "f'{" * 200 + "a" + "}'" * 200,
    "constants": "x = (" + "1," * 130_000 + ")\n",
    "decorators": "@a\n" * 80_000 + "def f(): pass\n",
    "lambdas": "x = " + "lambda: " * 30_000 + "1\n",
}  # fmt: skip

# Runs in a host of its own: all bombs given by name, through a scanner ("child") or in the very process ("here").
BOTH_WAYS = """
import json, sys
from orchestrator.validation.examine import examine
from orchestrator.validation.scanner import Scanner
from tests.support.policies import skill
from tests.unit.validation_scan.test_scan_process import BOMBS, SLOW
scanner = Scanner(limits=SLOW)
scan = (lambda code: scanner.inspect(skill(code))) if sys.argv[1] == "child" else examine
scan("x = 1")
def peak():  # KiB; not ru_maxrss, which an exec takes over from the parent
    (line,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    return int(line.split()[1])
before = peak()
for code in BOMBS.values():
    scan(code)
print(json.dumps((peak() - before) / 1024))
"""


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def soon(condition: Callable[[], bool]) -> None:
    """Wait for it, and fail when it does not come."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        threading.Event().wait(0.01)


def denied(inspection: Inspection) -> str:
    """The message of the one finding of a scan that broke off; and it is a denial on every level."""
    (finding,) = inspection.findings
    assert finding.rule == "ORC008"
    assert not inspection.finished
    return finding.message


@pytest.fixture
def scanner() -> Iterator[Scanner]:
    with Scanner(limits=SLOW) as found:
        yield found


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[ScanLimits], Scanner]]:
    """Scanners whose process does to itself what the text says."""
    monkeypatch.setattr(scan_child, "__file__", str(FAULTY))
    made: list[Scanner] = []

    def make(limits: ScanLimits = SLOW) -> Scanner:
        made.append(Scanner(limits=limits))
        return made[-1]

    yield make
    for each in made:
        each.close()


def only(scanner: Scanner) -> ScanProcess:
    (process,) = scanner._all
    return process


# --- bombs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_denied_and_the_next_scan_works(scanner: Scanner, name: str) -> None:
    findings = scanner.inspect(skill(BOMBS[name])).findings
    assert any(RULES[finding.rule].mandatory for finding in findings)
    assert [finding.rule for finding in scanner.inspect(skill(PLAIN)).findings] == ["ORC101"]


def test_bombs_do_not_make_the_host_grow() -> None:
    """The control is the same bombs in the process itself."""
    grown = {where: json.loads(run(BOTH_WAYS, where).stdout) for where in ("child", "here")}
    assert grown["child"] < 32  # MiB
    assert grown["here"] > 100


@pytest.mark.parametrize(
    ("code", "tight", "said"),
    [
        (f"eat {2**29}", ScanLimits(memory_bytes=2**28, wall_seconds=120), "ended with status 1"),
        ("spin 2.5", ScanLimits(cpu_seconds=1, wall_seconds=120), "more than 1 s of processor time"),
    ],
)
def test_limits_hold(faulty: Callable[[ScanLimits], Scanner], code: str, tight: ScanLimits, said: str) -> None:
    scanner = faulty(tight)
    assert said in denied(scanner.inspect(skill(code)))
    assert scanner.inspect(skill("nothing")).finished
    wide = faulty(ScanLimits(cpu_seconds=60, wall_seconds=120, memory_bytes=2**32))
    assert wide.inspect(skill(code)).finished  # the control: with room enough it gets through


def test_each_scan_has_its_own_processor_time(faulty: Callable[[ScanLimits], Scanner]) -> None:
    scanner = faulty(ScanLimits(cpu_seconds=2, wall_seconds=120))
    for number in range(4):
        assert scanner.inspect(skill(f"spin 0.{number + 6}")).finished


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("signal 9", "ended by signal 9"),
        ("signal 11", "ended by signal 11"),
        ("exit 3", "ended with status 3"),
        ("raise", "ended with status 1"),
        ("other", "answered nonsense: about other code"),
        ("answer 00000002" + "7b7d", "answered nonsense"),
        ("answer 00000003" + "ffffff", "answered nonsense"),
        ("answer ffffffff", "beyond measure"),
    ],
)
def test_any_end_of_the_process_is_a_denial(faulty: Callable[[], Scanner], code: str, said: str) -> None:
    scanner = faulty()
    assert said in denied(scanner.inspect(skill(code)))
    assert scanner.inspect(skill("nothing")).finished
    assert said in denied(scanner.inspect(skill(code)))  # not kept: it was asked again
    assert scanner.scans == 3


def test_a_process_that_says_half_an_answer_is_not_waited_for(faulty: Callable[[ScanLimits], Scanner]) -> None:
    scanner = faulty(ScanLimits(wall_seconds=3))
    assert "longer than 3 s" in denied(scanner.inspect(skill("answer 00000003ff")))


def test_it_writes_no_file(faulty: Callable[[], Scanner], tmp_path: Path) -> None:
    target = tmp_path / "file"
    assert "ended with status 1" in denied(faulty().inspect(skill(f"write {target}")))
    assert target.read_bytes() == b""


def test_an_ordinary_user_starts_no_process_in_it() -> None:
    with Scanner(limits=SLOW) as scanner:
        scanner.warm()
        scanner.inspect(skill(PLAIN))
        assert resource.prlimit(only(scanner).pid, resource.RLIMIT_NPROC) == (0, 0)


@pytest.mark.parametrize("level", LEVELS)
def test_no_level_lets_an_unfinished_scan_pass(level: str, faulty: Callable[[], Scanner]) -> None:
    wanted = skill("exit 3", level)
    decision = shipped(level).evaluate(wanted, faulty().inspect(wanted), HOST)
    assert not decision.allowed
    assert "ORC008" in {violation.rule for violation in decision.violations}
    assert decide(shipped(level), skill("def main():\n    return 1\n", level)).allowed


# --- killed, stopped -------------------------------------------------------------------------------------------------


def test_a_process_killed_in_the_middle_of_a_scan(scanner: Scanner) -> None:
    scanner.warm()
    process = only(scanner)
    os.kill(process.pid, signal.SIGSTOP)  # so that it certainly is in the middle
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(scanner.inspect, skill(PLAIN))
        soon(lambda: process._scans == 1)
        os.kill(process.pid, signal.SIGKILL)
        assert "ended by signal 9" in denied(asked.result())
    assert scanner.inspect(skill(PLAIN)).finished


@pytest.mark.parametrize("code", [PLAIN, "#" * 2**20], ids=["small", "larger than any buffer"])
def test_a_process_that_hangs(code: str) -> None:
    with Scanner(limits=ScanLimits(wall_seconds=3)) as scanner:
        scanner.warm()
        os.kill(only(scanner).pid, signal.SIGSTOP)
        assert "longer than 3 s" in denied(scanner.inspect(skill(code)))
        assert scanner.inspect(skill(PLAIN)).finished


def test_a_process_that_was_killed_while_idle_is_no_denial(scanner: Scanner) -> None:
    scanner.warm()
    process = only(scanner)
    os.kill(process.pid, signal.SIGKILL)
    soon(lambda: not process.usable())
    assert scanner.inspect(skill(PLAIN)).finished


def test_where_no_process_can_be_started_all_is_denied(scanner: Scanner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    scanner.warm()
    assert "no process can be started" in denied(scanner.inspect(skill(PLAIN)))
    monkeypatch.undo()
    assert scanner.inspect(skill(PLAIN)).finished


# --- what it has -----------------------------------------------------------------------------------------------------


def test_it_has_nothing_but_its_socket_and_low_limits(scanner: Scanner) -> None:
    scanner.inspect(skill(PLAIN))
    pid = only(scanner).pid
    place = Path(f"/proc/{pid}")
    assert sorted(entry.name for entry in (place / "fd").iterdir()) == ["0", "1", "2"]
    assert (place / "fd" / "2").readlink() == Path("/dev/null")
    assert str((place / "fd" / "0").readlink()).startswith("socket:")
    assert (place / "environ").read_bytes() in (b"", b"LC_CTYPE=C.UTF-8\0")  # which Python sets itself
    assert (place / "cwd").readlink() == Path("/")
    assert os.getsid(pid) == pid
    for which, most in (
        (resource.RLIMIT_AS, SLOW.memory_bytes),
        (resource.RLIMIT_DATA, SLOW.memory_bytes),
        (resource.RLIMIT_NOFILE, scan_child.OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        assert resource.prlimit(pid, which) == (most, most)
    assert 0 < resource.prlimit(pid, resource.RLIMIT_CPU)[0] <= SLOW.cpu_seconds + 60


def test_it_is_replaced_after_some_scans(scanner: Scanner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_process, "_SCANS", 2)
    pids = []
    for number in range(4):
        scanner.warm()
        pids.append(only(scanner).pid)
        scanner.inspect(skill(f"x = {number}"))
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_it_is_replaced_when_it_has_grown(scanner: Scanner, monkeypatch: pytest.MonkeyPatch) -> None:
    scanner.inspect(skill(PLAIN))
    pid = only(scanner).pid
    assert 10 * 2**20 < only(scanner)._address_space() < scan_process._GROWN_BYTES
    monkeypatch.setattr(scan_process, "_GROWN_BYTES", 10 * 2**20)
    scanner.inspect(skill("x = 1"))
    assert only(scanner).pid != pid


def test_few_processes_serve_many_threads(scanner: Scanner) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda number: scanner.inspect(skill(f"x = {number % 40}")), range(200)))
    assert [each.code_digest for each in found] == [digest_of(f"x = {number % 40}") for number in range(200)]
    assert 40 <= scanner.scans <= 80  # two at once may ask the same
    assert len(scanner._all) <= 2


def test_closing_ends_them_and_a_closed_scanner_still_answers(scanner: Scanner) -> None:
    scanner.warm()
    pid = only(scanner).pid
    scanner.close()
    scanner.close()
    assert not Path(f"/proc/{pid}").exists()
    assert scanner.inspect(skill(PLAIN)).finished
    assert not scanner._all


# --- the host's life -------------------------------------------------------------------------------------------------


def test_it_does_not_outlive_a_killed_host() -> None:
    program = (
        "import os, signal\nfrom orchestrator.validation.scanner import Scanner\n"
        "scanner = Scanner()\nscanner.warm()\nprint(next(iter(scanner._all)).pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = run(program)
    assert ended.returncode == -signal.SIGKILL
    soon(lambda: not Path(f"/proc/{ended.stdout.strip()}/cmdline").exists() or _is_zombie(ended.stdout.strip()))


def _is_zombie(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_host_ends_in_peace_without_closing() -> None:
    program = (
        "from orchestrator.validation.scanner import inspect\nfrom tests.support.policies import skill\n"
        "print(len(inspect(skill('import json')).findings))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("1\n", "", 0)


def test_an_import_starts_nothing() -> None:
    program = (
        "import os\nimport orchestrator.core, orchestrator.cli.validate\n"
        "from orchestrator.validation.scanner import inspect\nfrom tests.support.policies import skill\n"
        "children = lambda: open(f'/proc/self/task/{os.getpid()}/children').read().split()\n"
        "before = children()\ninspect(skill('x = 1'))\nprint(len(before), len(children()))\n"
    )
    assert run(program).stdout == "0 1\n"


def test_after_a_fork_each_has_its_own() -> None:
    """The parent's lock may be held at that moment, and its process must not be shared."""
    program = (
        "import os\nfrom orchestrator.validation.scanner import Scanner\nfrom tests.support.policies import skill\n"
        "scanner = Scanner()\nscanner.inspect(skill('x = 1'))\n"
        "parents = list(scanner._all)\nfirst = {p.pid for p in parents}\n"
        "with scanner._lock, scanner._places, scanner._memory._lock:\n"
        "    child = os.fork()\n"
        "if child == 0:\n"
        "    closed = all(p._socket.fileno() == -1 for p in parents)\n"
        "    done = scanner.inspect(skill('x = 2')).finished and scanner.inspect(skill('x = 1')).finished\n"
        "    alone = not first & {p.pid for p in scanner._all}\n"
        "    scanner.close()\n"
        "    os._exit(0 if closed and done and alone else 1)\n"
        "same = scanner.inspect(skill('x = 3')).finished and first == {p.pid for p in scanner._all}\n"
        "print(os.waitpid(child, 0)[1], same)\n"
    )
    assert run(program).stdout == "0 True\n"
