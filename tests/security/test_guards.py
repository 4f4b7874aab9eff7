"""The executor's guards: denied builtins, the import list, audit events, the number of opens. The scanner is off.

Depth behind the scanner and before the container: they hold what is written in Python, not native code. The guards
are those that the shipped policies hand out; the control of each table is the same job without guards.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.manifest import load_manifest
from orchestrator.policy import Guards, Host, PolicyStore, default_policy_dir
from orchestrator.validation.scanner import inspect
from tests.security.lab import PERMISSIVE, Lab

LEVELS = ("strict", "standard", "relaxed")
# the shipped policies' ``container.preload``
PRELOADED = ("json", "re", "datetime", "pathlib", "collections", "functools", "itertools", "math", "io")


def guards_of(level: str, lab: Lab, state_dir: Path) -> Guards:
    """What a harmless skill of this level is run with."""
    manifest = {
        "manifest_version": 1, "name": "probe", "version": "1.0.0", "description": "probe", "security_level": level,
        "code": "def main():\n    return 1\n",
    }  # fmt: skip
    skill = load_manifest(manifest)
    host = Host(lab.image_id, {}, 1000, 1000, ("none",), landlock=True)
    decision = PolicyStore(default_policy_dir(), state_dir).current(level).evaluate(skill, inspect(skill), host)
    assert decision.guards is not None, decision.violations
    return decision.guards


@pytest.fixture(params=LEVELS)
def guards(request: pytest.FixtureRequest, lab: Lab, tmp_path: Path) -> Guards:
    return guards_of(request.param, lab, tmp_path)


# A guard says "policy" in what it raises, or leaves a builtin undefined. The rest of a probe may fail as it likes.
JUDGE = """
def judge(probe):
    try:
        probe()
    except NameError as error:
        return f"denied {error}"
    except Exception as error:
        return f"denied {error}" if "policy" in str(error) else "open"
    return "open"


def main():
    return {name[6:]: judge(probe) for name, probe in PROBES.items() if name.startswith("probe_")}
"""


def judged(lab: Lab, probes: str, guards: Guards | None, **options: Any) -> dict[str, str]:
    """Verdict by name of every ``probe_*`` in ``probes``; without guards all other walls are off too."""
    code = f"class Probes:\n{probes}\nPROBES = Probes.__dict__\n{JUDGE}"
    fields = None if guards is None else asdict(guards)
    found: dict[str, str] = lab.value(code, entrypoint="main", guards=fields, **options)
    return found


OFF: dict[str, Any] = {"spec": {"seccomp": PERMISSIVE}, "landlock": False, "second_stage": False}

BUILTINS = """
    def probe_eval(): eval("1")
    def probe_exec(): exec("1")
    def probe_compile(): compile("1", "x", "eval")
    def probe_globals(): globals()
    def probe_breakpoint(): breakpoint
    def probe_input(): input
"""


def test_denied_builtins_are_gone(lab: Lab, guards: Guards) -> None:
    verdicts = judged(lab, BUILTINS, guards)
    denied = {name for name, verdict in verdicts.items() if verdict.startswith("denied")}
    assert denied == verdicts.keys() & set(guards.denied_builtins)
    assert {"eval", "exec", "compile"} <= denied


def test_control_without_guards_they_are_there(lab: Lab) -> None:
    assert set(judged(lab, BUILTINS, None).values()) == {"open"}


IMPORTS = """
    def probe_socket(): import socket
    def probe_ctypes(): import ctypes
    def probe_subprocess(): import subprocess
    def probe_importlib(): import importlib
    def probe_gc(): import gc
    def probe_posix(): import posix
    def probe_builtins(): import builtins
    def probe_dynamic(): __import__("socket")
    def probe_from(): from socket import socket
"""


def test_modules_off_the_list_are_not_imported(lab: Lab, guards: Guards) -> None:
    assert all(verdict.startswith("denied") for verdict in judged(lab, IMPORTS, guards).values())


def test_control_without_guards_they_are_imported(lab: Lab) -> None:
    assert set(judged(lab, IMPORTS, None, **OFF).values()) == {"open"}


def test_modules_on_the_list_are_imported(lab: Lab, guards: Guards) -> None:
    code = "import json, math, re, random, decimal, csv\nresult = [json.loads('1'), math.floor(1.5)]"
    assert lab.value(code, guards=asdict(guards)) == [1, 1]


def test_what_is_preloaded_when_idle_can_be_imported_when_not(lab: Lab, guards: Guards) -> None:
    """A run that comes at once finds nothing preloaded: the denied events must let those imports through."""
    modules = [name for name in PRELOADED if name in guards.imports]
    assert len(modules) > 5
    assert lab.value(f"import {', '.join(modules)}\nresult = 'done'", guards=asdict(guards)) == "done"


# Each raises one audit event. The import list is widened, so that the events alone can stop them.
EVENTS = """
    def probe_system(): import os; os.system("true")
    def probe_fork(): import os; os.fork() or os._exit(0)
    def probe_spawn(): import os; os.posix_spawn("/nowhere", ["x"], {})
    def probe_exec(): import os; os.execv("/nowhere", ["x"])
    def probe_popen(): import subprocess; subprocess.Popen(["/nowhere"])
    def probe_kill(): import os; os.kill(os.getpid(), 0)
    def probe_native(): import ctypes; ctypes.CDLL(None)
    def probe_objects(): import gc; gc.get_objects()
    def probe_frames(): import sys; sys._current_frames()
    def probe_trace(): import sys; sys.settrace(None)
    def probe_pickle(): import pickle; pickle.loads(b"cos\\nsystem\\n.")
    def probe_socket(): import socket; socket.socket(socket.AF_UNIX)
    def probe_connect(): import socket; socket.create_connection(("127.0.0.1", 9), 1)
    def probe_resolve(): import socket; socket.getaddrinfo("localhost", 80)
    def probe_symlink(): import os; os.symlink("/", "/tmp/link")
    def probe_link(): import os; os.link("/tmp/a", "/tmp/b")
    def probe_chown(): import os; os.chown("/tmp", 1, 1)
"""
_MODULES = ("os", "subprocess", "ctypes", "gc", "sys", "pickle", "socket")


def test_audit_events_stop_what_the_import_list_lets_in(lab: Lab, tmp_path: Path) -> None:
    for level in ("strict", "standard"):
        shipped = guards_of(level, lab, tmp_path)
        guards = replace(shipped, imports=(*shipped.imports, *_MODULES))
        verdicts = judged(lab, EVENTS, guards)
        assert {name: verdict for name, verdict in verdicts.items() if verdict == "open"} == {}, level


def test_every_level_stops_new_processes_and_the_network_by_events(lab: Lab, guards: Guards) -> None:
    verdicts = judged(lab, EVENTS, replace(guards, imports=(*guards.imports, *_MODULES)))
    for name in ("system", "fork", "spawn", "exec", "popen", "connect", "resolve"):
        assert verdicts[name].startswith("denied"), name


def test_control_without_guards_no_event_is_stopped(lab: Lab) -> None:
    assert set(judged(lab, EVENTS, None, **OFF).values()) == {"open"}


OPENS = "for _ in range(10):\n    open('/dev/null').close()\nresult = 'done'"


def test_opens_are_counted_and_capped(lab: Lab, tmp_path: Path) -> None:
    guards = replace(guards_of("standard", lab, tmp_path), max_opens=9)
    outcome = lab.outcome(OPENS, guards=asdict(guards))
    assert outcome.final is not None
    assert outcome.final.file_opens >= 10
    assert outcome.result is not None
    assert outcome.result[:1] == b"X"
    assert b"more than 9 file opens" in outcome.result  # the reason survives, although describing it opens files
    enough = replace(guards, max_opens=10)
    assert lab.value(OPENS, guards=asdict(enough)) == "done"


LIBRARY = "/usr/lib/python3.13"


def test_files_of_the_library_do_not_count(lab: Lab, tmp_path: Path) -> None:
    """They would count or not by how long the sandbox was idle and preloaded modules before."""
    guards = asdict(replace(guards_of("standard", lab, tmp_path), max_opens=1))
    imports = "import csv, decimal, statistics, textwrap\nopen('/dev/null').close()\nresult = 'done'"
    assert lab.value(imports, guards=guards) == "done"
    for path in ("/dev/null", f"{LIBRARY}/../../../dev/null", f"{LIBRARY}/json/../../../../dev/null"):
        outcome = lab.outcome(f"for _ in range(2):\n    open({path!r}).close()", guards=guards)
        assert outcome.result is not None
        assert b"more than 1 file opens" in outcome.result, path


def test_control_without_guards_opens_are_not_capped(lab: Lab) -> None:
    assert lab.value(OPENS) == "done"


def test_an_audit_hook_cannot_be_taken_off(lab: Lab, tmp_path: Path) -> None:
    """A hook that raises in ``sys.addaudithook`` would keep others out; ours is there first and stays."""
    guards = guards_of("relaxed", lab, tmp_path)
    code = """
    def probe_hook():
        import sys
        sys.addaudithook(lambda event, arguments: None)
        import os
        os.system("true")
"""
    verdicts = judged(lab, code, replace(guards, imports=(*guards.imports, "sys", "os")))
    assert verdicts["hook"].startswith("denied")
