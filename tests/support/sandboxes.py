"""Raw sandboxes and jobs for probes: the real thing, with single layers taken off on purpose.

Production code cannot say any of this: a job is made from an allowing decision only (``orchestrator.jobs``).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.sandbox.engine import Engine
from orchestrator.sandbox.options import LABEL, LABEL_INSTANCE, LABEL_STATE
from orchestrator.sandbox.outcome import Job, JobLimits, Outcome
from orchestrator.sandbox.sandbox import Sandbox
from orchestrator.sandbox.slot import NoSlot
from orchestrator.sandbox.spec import SandboxSpec

PROFILE = (Path(__file__).parents[2] / "policies" / "seccomp" / "sandbox.json").read_text()
PRELOAD = ("json", "re", "datetime", "pathlib", "collections", "dataclasses")
MB = 2**20


def spec_for(image_id: str, **changes: Any) -> SandboxSpec:
    """The standard level's spec without a vault, field by field replaceable."""
    base = SandboxSpec(
        level="standard", image_id=image_id, uid=1000, gid=1000, memory_bytes=100 * MB, cpus=1.0, pids=32,
        tmp_bytes=16 * MB, tmp_inodes=1024, nofile=256, file_bytes=64 * MB, seccomp=PROFILE, landlock="preferred",
        vault_view="none", preload=PRELOAD,
    )  # fmt: skip
    return replace(base, **changes)


def limits_for(**changes: Any) -> JobLimits:
    base = JobLimits(
        wall_seconds=10, grace_seconds=0.3, cpu_seconds=8, stdout_bytes=MB, stderr_bytes=MB, result_bytes=MB,
        write_bytes=64 * MB, file_bytes=16 * MB,
    )  # fmt: skip
    return replace(base, **changes)


def job_of(
    code: str,
    *,
    landlock: bool = True,
    second_stage: bool = True,
    guards: Mapping[str, Any] | None = None,
    entrypoint: str | None = None,
    inputs: Mapping[str, Any] | None = None,
    limits: JobLimits | None = None,
) -> Job:
    """A job whose layers are chosen one by one; guards are off unless given (the scanner plays no part here)."""
    return Job(
        run_id=secrets.token_hex(4), code=code, filename="skill.py", entrypoint=entrypoint, inputs=inputs or {},
        limits=limits or limits_for(), landlock={"required": True, "read": [], "write": []} if landlock else None,
        guards=guards, second_stage=second_stage,
    )  # fmt: skip


@contextmanager
def sandbox_of(engine: Engine, spec: SandboxSpec, state: str) -> Iterator[Sandbox]:
    labels = {LABEL: "1", LABEL_INSTANCE: "0" * 16, LABEL_STATE: state}
    name = f"skill-test-{secrets.token_hex(6)}"
    sandbox = Sandbox.start(engine, spec, name=name, labels=labels, slot=NoSlot())
    try:
        yield sandbox
    finally:
        sandbox.destroy()


def run_code(engine: Engine, spec: SandboxSpec, state: str, code: str, **layers: Any) -> Outcome:
    """One sandbox, one job, its outcome."""
    with sandbox_of(engine, spec, state) as sandbox:
        return sandbox.run(job_of(code, **layers))
