"""Each wrapper that the executor puts around a skill holds alone: the scanner, the other wrappers and the container's
filters are off. The control of each is the same job with that one wrapper off as well, where every probe gets through.
"""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.sandbox.outcome import FinalReport, Outcome
from tests.security.lab import PERMISSIVE, Lab
from tests.security.test_guards import JUDGE

BARE: dict[str, Any] = {"spec": {"seccomp": PERMISSIVE}, "landlock": False, "second_stage": False}
EVERYTHING = [
    "os",
    "sys",
    "socket",
    "ctypes",
    "subprocess",
    "gc",
    "posix",
    "importlib",
    "json",
    "threading",
    "builtins",
]


def guards(**on: Any) -> dict[str, Any]:
    """Every wrapper off but those given."""
    return {"imports": EVERYTHING, "denied_builtins": [], "denied_events": [], "max_opens": 10**6, **on}


def judged(lab: Lab, probes: str, wrappers: dict[str, Any]) -> dict[str, str]:
    code = f"class Probes:\n{probes}\nPROBES = Probes.__dict__\n{JUDGE}"
    found: dict[str, str] = lab.value(code, entrypoint="main", guards=wrappers, **BARE)
    return {name: verdict.partition(" ")[0] for name, verdict in found.items()}


def final_of(outcome: Outcome) -> FinalReport:
    assert outcome.final is not None, outcome.failure
    return outcome.final


# --- guarded builtins ----------------------------------------------------------------------------------------------

NAMES = ["eval", "exec", "compile", "globals", "locals", "vars", "open", "input", "setattr", "delattr", "breakpoint"]
BUILTINS = "\n".join(f"    def probe_{name}(): {name}" for name in NAMES)
BUILTINS += """
    def probe_by_key():
        if "eval" not in __builtins__: raise NameError("eval")
"""


def test_guarded_builtins_hold_alone(lab: Lab) -> None:
    assert set(judged(lab, BUILTINS, guards(denied_builtins=NAMES)).values()) == {"denied"}


def test_control_without_them_builtins_are_there(lab: Lab) -> None:
    assert set(judged(lab, BUILTINS, guards()).values()) == {"open"}


# --- the import allow list -----------------------------------------------------------------------------------------

IMPORTS = """
    def probe_import(): import socket
    def probe_dotted(): import importlib.machinery
    def probe_from(): from ctypes import CDLL
    def probe_call(): __import__("gc")
    def probe_nested(): exec("import subprocess", {"__builtins__": __builtins__})
    def probe_by_key(): __builtins__["__import__"]("posix")
"""


def test_the_import_list_holds_alone(lab: Lab) -> None:
    assert set(judged(lab, IMPORTS, guards(imports=["json"])).values()) == {"denied"}


def test_control_without_it_modules_are_imported(lab: Lab) -> None:
    assert set(judged(lab, IMPORTS, guards()).values()) == {"open"}


# --- the audit hook: events ----------------------------------------------------------------------------------------

EVENTS = """
    def probe_connect(): import socket; socket.socket(socket.AF_INET).connect(("127.0.0.1", 9))
    def probe_resolve(): import socket; socket.getaddrinfo("localhost", 80)
    def probe_spawn(): import subprocess; subprocess.Popen(["/nowhere"])
    def probe_fork(): import os; os.fork() or os._exit(0)
    def probe_native(): import ctypes; ctypes.CDLL(None)
    def probe_link(): import os; os.symlink("/", "/tmp/link")
    def probe_in_a_thread():
        import threading, os
        caught = []
        def body():
            try: os.system("true")
            except PermissionError as error: caught.append(error)
        thread = threading.Thread(target=body); thread.start(); thread.join()
        if caught: raise caught[0]
"""
DENIED = ["socket.connect", "socket.getaddrinfo", "subprocess.", "os.fork", "os.system", "ctypes.", "os.symlink"]


def test_the_audit_hook_holds_alone(lab: Lab) -> None:
    assert set(judged(lab, EVENTS, guards(denied_events=DENIED)).values()) == {"denied"}


def test_control_without_denied_events_nothing_is_stopped(lab: Lab) -> None:
    assert set(judged(lab, EVENTS, guards()).values()) == {"open"}


# --- the audit hook: counts ----------------------------------------------------------------------------------------

COUNTED = """
import os, socket
open("/dev/null").close()
for number in range(3):
    open(f"/tmp/{number}", "w").close()
os.close(os.open("/tmp/raw", os.O_CREAT | os.O_RDWR))
for _ in range(2):
    try: socket.socket(socket.AF_INET).connect(("127.0.0.1", 9))
    except OSError: pass
result = 1
"""


def test_opens_writes_and_connection_attempts_are_counted(lab: Lab) -> None:
    final = final_of(lab.outcome(COUNTED, guards=guards(), **BARE))
    assert (final.file_opens, final.write_opens, final.connection_attempts) == (5, 4, 2)


def test_attempts_that_are_denied_are_counted_as_well(lab: Lab) -> None:
    final = final_of(lab.outcome(COUNTED, guards=guards(denied_events=["socket."], imports=EVERYTHING), **BARE))
    assert final.connection_attempts == 0  # the socket itself was denied, there was nothing to connect
    final = final_of(lab.outcome(COUNTED, guards=guards(denied_events=["socket.connect"]), **BARE))
    assert final.connection_attempts == 2


def test_control_without_the_hook_nothing_is_counted(lab: Lab) -> None:
    final = final_of(lab.outcome(COUNTED, **BARE))
    assert (final.file_opens, final.write_opens, final.connection_attempts) == (0, 0, 0)


# --- the audit hook: quotas ----------------------------------------------------------------------------------------

MAKES = """
import os
made = 0
try:
    for number in range(30):
        {make}
        made += 1
except PermissionError as error:
    result = [made, str(error)]
else:
    result = [made, ""]
"""
MAKE = {
    "open": 'open(f"/tmp/{number}", "w").close()',
    "os.open": 'os.close(os.open(f"/tmp/{number}", os.O_CREAT | os.O_WRONLY))',
    "append": 'open(f"/tmp/{number}", "a").close()',
    "mkdir": 'os.mkdir(f"/tmp/{number}")',
    "rename": 'os.mkdir(f"/tmp/{number}"); os.rename(f"/tmp/{number}", f"/tmp/r{number}")',
    "relative": 'os.chdir("/tmp"); open(f"{number}", "w").close()',
    "bytes": 'open(b"/tmp/%d" % number, "w").close()',
}
QUOTA = {"below": "/tmp", "entries": 4}
MOST = 2 * 4 + 16  # with room for temporary files: guards.py


@pytest.mark.parametrize("make", sorted(MAKE))
def test_the_quota_of_entries_is_enforced(lab: Lab, make: str) -> None:
    made, reason = lab.value(MAKES.format(make=MAKE[make]), guards=guards(quota=QUOTA), **BARE)
    assert made == MOST
    assert "limits.files" in reason


@pytest.mark.parametrize("make", sorted(MAKE))
def test_control_without_the_quota_all_are_made(lab: Lab, make: str) -> None:
    assert lab.value(MAKES.format(make=MAKE[make]), guards=guards(), **BARE) == [30, ""]


LETS_LAND = {
    "written again": "open('/tmp/same', 'w').close()",
    "made and gone": "open(f'/tmp/{number}', 'w').close(); os.remove(f'/tmp/{number}')",
    "saved by rename": "open(f'/tmp/{number}.new', 'w').close(); os.rename(f'/tmp/{number}.new', '/tmp/note')",
    "only read": "open('/dev/null').close()",
    "elsewhere": "open('/dev/null', 'w').close()",
}


@pytest.mark.parametrize("make", sorted(LETS_LAND))
def test_the_quota_denies_nothing_that_would_land(lab: Lab, make: str) -> None:
    code = MAKES.format(make=LETS_LAND[make])
    assert lab.value(code, guards=guards(quota={"below": "/tmp", "entries": 1}), **BARE) == [30, ""]


# --- audit mode: noted instead of denied ---------------------------------------------------------------------------

TRIES = """
import json, socket, os
def inner():
    secret = 7
    return sorted(locals()), eval("secret + 1"), "TRIES" in globals()
TRIES = 1
for _ in range(3): open("/dev/null").close()
os.fork() or os._exit(0)
result = inner()
"""
POLICY = {"imports": ["json"], "denied_builtins": ["eval", "globals", "locals"], "denied_events": ["os.fork"]}


def test_audit_mode_notes_what_it_would_deny_and_runs_on(lab: Lab) -> None:
    wrappers = guards(**{**POLICY, "max_opens": 2, "audit": True})
    outcome = lab.outcome(TRIES, guards=wrappers, **BARE)
    assert outcome.result == b'V[["secret"], 8, true]', (
        outcome.result
    )  # eval, locals, globals work on the skill's frame
    assert set(final_of(outcome).guard_notes) == {
        "import socket", "import os", "builtin eval", "builtin globals", "builtin locals", "event os.fork", "opens 2",
    }  # fmt: skip


def test_control_enforced_the_same_is_denied_and_nothing_is_noted(lab: Lab) -> None:
    outcome = lab.outcome(TRIES, guards=guards(**POLICY), **BARE)
    assert outcome.result is not None
    assert outcome.result[:1] == b"X"
    assert b"socket" in outcome.result
    assert final_of(outcome).guard_notes == ()


def test_limits_hold_in_audit_mode_too(lab: Lab) -> None:
    wrappers = guards(audit=True, quota=QUOTA)
    assert lab.value(MAKES.format(make=MAKE["open"]), guards=wrappers, **BARE)[0] == MOST


def test_notes_are_bounded_whatever_is_tried_and_however_it_ends(lab: Lab) -> None:
    code = """
import os
for number in range(500):
    try: __import__("m" * 300 + str(number))
    except ImportError: pass
for number in range(500):
    try: __import__(f"a{number}\\nbuiltin eval")
    except ImportError: pass
os.kill(os.getpid(), 9)
"""
    outcome = lab.outcome(code, guards=guards(imports=["os"], audit=True), **BARE)
    final = final_of(outcome)
    assert final.signal == 9
    assert 1 < len(final.guard_notes) <= 64
    assert all(note.startswith("import ") and len(note) <= 200 for note in final.guard_notes)


def test_notes_that_a_skill_forges_do_not_harm_the_report(lab: Lab) -> None:
    code = """
import gc
found = [each for each in gc.get_objects() if type(each) is memoryview and each.format == "B" and len(each) == 4096]
for each in found: each[:] = bytes([255, 10, 27, 34]) * 1024
result = len(found) > 0
"""
    outcome = lab.outcome(code, guards=guards(), **BARE)
    assert outcome.result == b"Vtrue"
    final = final_of(outcome)
    assert final.started
    assert len(final.guard_notes) <= 64
