"""``Job`` in, ``Outcome`` out: what crosses the wire for one run, as values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from orchestrator.errors import ProtocolError

CAUSES: Final[frozenset[str]] = frozenset({"exited", "wall", "cpu", "memory", "output", "write", "cancelled"})


@dataclass(frozen=True, slots=True)
class JobLimits:
    """What the supervisor enforces; units in the names. Output caps are bytes per stream."""

    wall_seconds: float
    grace_seconds: float  # between SIGINT and SIGKILL at the wall deadline
    cpu_seconds: float
    stdout_bytes: int
    stderr_bytes: int
    result_bytes: int
    write_bytes: int
    file_bytes: int


@dataclass(frozen=True, slots=True)
class Job:
    """One run, as the sandbox gets it. ``landlock`` and ``guards`` are None only where a test takes a layer off."""

    run_id: str
    code: str
    filename: str
    entrypoint: str | None
    inputs: Mapping[str, Any]
    limits: JobLimits
    landlock: Mapping[str, Any] | None  # {"required": bool, "read": [paths], "write": [paths]}
    guards: Mapping[str, Any] | None
    make: tuple[str, ...] = ()  # write grants that the executor makes if they do not exist
    second_stage: bool = True

    def encode(self) -> bytes:
        return json.dumps(
            {
                "run_id": self.run_id,
                "code": self.code,
                "filename": self.filename,
                "entrypoint": self.entrypoint,
                "inputs": dict(self.inputs),
                "limits": asdict(self.limits),
                "landlock": None if self.landlock is None else dict(self.landlock),
                "guards": None if self.guards is None else dict(self.guards),
                "make": list(self.make),
                "second_stage": self.second_stage,
            },
            ensure_ascii=False,
            allow_nan=False,
        ).encode()


@dataclass(frozen=True, slots=True)
class FinalReport:
    """The supervisor's last frame, strictly parsed: what the executor cannot forge."""

    cause: str
    started: bool
    setup_error: str
    exit_code: int | None
    signal: int | None
    wall_seconds: float
    user_cpu_seconds: float
    system_cpu_seconds: float
    memory_peak_bytes: int
    oom_kills: int
    pids_peak: int
    bytes_written: int
    file_opens: int
    write_opens: int = 0  # these three and file_opens are the executor's word
    connection_attempts: int = 0
    guard_notes: tuple[str, ...] = ()  # "kind name": what the guards let through in audit mode


MAX_NOTES: Final = 64
MAX_NOTE_CHARACTERS: Final = 200
_COUNTED: Final = ("write_opens", "connection_attempts")
_OPTIONAL: Final = frozenset({*_COUNTED, "guard_notes"})  # an image of before does not send them
_INTEGERS: Final = ("memory_peak_bytes", "oom_kills", "pids_peak", "bytes_written", "file_opens")
_SECONDS: Final = ("wall_seconds", "user_cpu_seconds", "system_cpu_seconds")


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ProtocolError(f"the supervisor's final frame is malformed: {what}")


def parse_final(payload: bytes) -> FinalReport:
    """The FINAL payload, or ``ProtocolError``. Every field must be of its type and in its range; all but those that
    have a default must be there."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        raise ProtocolError("the supervisor's final frame is not JSON") from None
    known = FinalReport.__dataclass_fields__.keys()
    _require(isinstance(document, dict) and known - _OPTIONAL <= document.keys() <= known, "keys")
    _require(type(document["cause"]) is str and document["cause"] in CAUSES, "cause")
    _require(type(document["started"]) is bool and type(document["setup_error"]) is str, "started")
    for name in ("exit_code", "signal"):
        value = document[name]
        _require(value is None or (type(value) is int and 0 <= value <= 255), name)
    for name in (*_INTEGERS, *_COUNTED):
        value = document.get(name, 0)
        _require(type(value) is int and 0 <= value < 2**63, name)
    for name in _SECONDS:
        _require(type(document[name]) in (int, float) and 0 <= document[name] < 1e9, name)
    return FinalReport(**{**document, "guard_notes": _notes(document.get("guard_notes", []))})


def _notes(notes: object) -> tuple[str, ...]:
    found = notes if isinstance(notes, list) else []
    _require(found is notes and len(found) <= MAX_NOTES, "guard_notes")
    for note in found:
        _require(type(note) is str and 0 < len(note) <= MAX_NOTE_CHARACTERS, "guard_notes")
    return tuple(found)


@dataclass(slots=True)
class Outcome:
    """All that came back from one sandbox. Bytes are untrusted; ``final`` is the supervisor's word.

    Without a ``final``, ``failure`` says what went wrong with the sandbox itself, and ``cancelled`` or ``overdue``
    whether the host ended it.
    """

    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    result: bytes | None = None
    final: FinalReport | None = None
    failure: str = ""
    cancelled: bool = False
    overdue: bool = False
    answered: bool = True  # False: it said nothing after it was given the job, and is gone: another may have the job
