"""The bench that probes run on: what a probe is, how a batch of them runs in one sandbox, and weaker containers.

A probe is a few statements run as a skill with the scanner and the guards off. Its verdict is ``denied <errno>`` when
it raised an ``OSError`` with one of the errnos it names, ``open`` when it got through, and ``broken ...`` for
everything else, so that a probe with a mistake in it is never taken for a wall. Each table of probes is run twice:
with the layer that must stop it, and, as the control, without: there every probe must say ``open``.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from orchestrator.sandbox.engine import Engine
from orchestrator.sandbox.options import LABEL, LABEL_INSTANCE, LABEL_STATE
from orchestrator.sandbox.outcome import Outcome
from orchestrator.sandbox.sandbox import Sandbox
from orchestrator.sandbox.slot import NoSlot
from orchestrator.sandbox.spec import SandboxSpec
from tests.support.sandboxes import job_of, spec_for

PERMISSIVE = json.dumps({"defaultAction": "SCMP_ACT_ALLOW"})  # a seccomp profile that stops nothing

Alter = Callable[[dict[str, Any]], None]

_BATCH = '''
import ctypes, errno, os

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def call(number, *arguments):
    """A raw system call; -1 stands for a bad pointer, descriptor or flag."""
    ctypes.set_errno(0)
    plain = [value if isinstance(value, bytes) else ctypes.c_long(value) for value in arguments]
    answer = libc.syscall(ctypes.c_long(number), *plain)
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return answer


def verdict(source, refusals):
    def reach(number, *arguments):
        """Does the call get to the kernel? Bad arguments are answered there, a filter's answer is a refusal."""
        try:
            return call(number, *arguments)
        except OSError as error:
            if errno.errorcode[error.errno] in refusals:
                raise
    try:
        exec(source, {"call": call, "reach": reach, "os": os, "ctypes": ctypes})
    except OSError as error:
        name = errno.errorcode.get(error.errno, str(error.errno))
        return f"denied {name}" if name in refusals else f"broken {name} {error}"
    except BaseException as error:
        return f"broken {type(error).__name__}: {error}"
    return "open"


def in_child(source, refusals):
    """The same in a process of its own, so that what one probe changes does not touch the next."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, verdict(source, refusals).encode())
        os._exit(0)
    os.close(write)
    with open(read, "rb") as file:
        answer = file.read().decode()
    os.waitpid(pid, 0)
    return answer or "broken: no answer"


def main(probes, fork):
    judge = in_child if fork else verdict
    return {name: judge(source, refusals) for name, (source, refusals) in probes.items()}
'''


@dataclass(frozen=True)
class Probe:
    """``attempt`` are Python statements; ``refusals`` the errnos that mean "stopped by the layer under test"."""

    name: str
    attempt: str
    refusals: tuple[str, ...] = ("EPERM",)


class Altered:
    """An engine that changes the create document on its way: how a container becomes weaker than asked for."""

    def __init__(self, engine: Engine, alter: Alter) -> None:
        self._engine, self._alter = engine, alter

    def create(self, name: str, options: Mapping[str, Any]) -> str:
        document = deepcopy(dict(options))
        self._alter(document)
        return self._engine.create(name, document)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


class Unverified(Sandbox):
    """A sandbox that takes what it got: production code refuses to run in what these tests weaken."""

    def _verify(self, options: Mapping[str, Any] | None = None) -> None:
        return None


@dataclass(frozen=True)
class Lab:
    """``state`` labels what it starts, so that the session's leak check sees it."""

    engine: Engine
    image_id: str
    state: str

    def spec(self, **changes: Any) -> SandboxSpec:
        return spec_for(self.image_id, **changes)

    @contextmanager
    def sandbox(self, *, alter: Alter | None = None, verify: bool = True, **changes: Any) -> Iterator[Sandbox]:
        """A warm sandbox; with ``alter`` its container differs from what is verified, unless ``verify`` is False."""
        labels = {LABEL: "1", LABEL_INSTANCE: "0" * 16, LABEL_STATE: self.state}
        engine: Any = self.engine if alter is None else Altered(self.engine, alter)
        kind = Sandbox if verify else Unverified
        name = f"skill-test-{secrets.token_hex(6)}"
        sandbox = kind.start(engine, self.spec(**changes), name=name, labels=labels, slot=NoSlot())
        try:
            yield sandbox
        finally:
            sandbox.destroy()

    def outcome(
        self,
        code: str,
        *,
        alter: Alter | None = None,
        verify: bool = True,
        spec: Mapping[str, Any] | None = None,
        **layers: Any,
    ) -> Outcome:
        with self.sandbox(alter=alter, verify=verify, **(spec or {})) as sandbox:
            return sandbox.run(job_of(code, **layers))

    def value(self, code: str, **options: Any) -> Any:
        """What ``code`` puts out; the run must succeed."""
        outcome = self.outcome(code, **options)
        assert outcome.result is not None, outcome
        assert outcome.result[:1] == b"V", outcome.result
        return json.loads(outcome.result[1:])

    def verdicts(self, probes: Iterable[Probe], **options: Any) -> dict[str, str]:
        """Verdict by probe name. Each probe has a process of its own where the second stage lets it."""
        table = {probe.name: [probe.attempt, list(probe.refusals)] for probe in probes}
        fork = not options.get("second_stage", True)
        answer: dict[str, str] = self.value(
            _BATCH, entrypoint="main", inputs={"probes": table, "fork": fork}, **options
        )
        return answer


def not_denied(verdicts: Mapping[str, str]) -> dict[str, str]:
    """The probes that no wall stopped: must be empty with the layer on."""
    return {name: verdict for name, verdict in verdicts.items() if not verdict.startswith("denied ")}


def not_open(verdicts: Mapping[str, str]) -> dict[str, str]:
    """The probes that do not get through: must be empty in the control."""
    return {name: verdict for name, verdict in verdicts.items() if verdict != "open"}
