"""From a skill and an allowing decision to the ``Job`` that crosses the wire. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from orchestrator.manifest import SkillManifest
from orchestrator.manifest.model import VaultGrants
from orchestrator.policy import Decision
from orchestrator.sandbox.outcome import Job, JobLimits
from orchestrator.sandbox.sandbox import GRACE_SECONDS
from orchestrator.sandbox.spec import Limits

VAULT: Final = "/vault"
_REPORT_BYTES: Final = 160 * 1024  # room for an error's message and traceback, whatever the output cap is


def inside(directory: str) -> str:
    """Where a granted directory ("." is the whole vault) lies in the sandbox."""
    return VAULT if directory == "." else f"{VAULT}/{directory}"


def job_limits(limits: Limits) -> JobLimits:
    output = limits.output_kb * 1024
    return JobLimits(
        wall_seconds=limits.wall_seconds,
        grace_seconds=GRACE_SECONDS,
        cpu_seconds=limits.cpu_seconds,
        stdout_bytes=output,
        stderr_bytes=output,
        result_bytes=max(output, _REPORT_BYTES),
        write_bytes=limits.write_mb * 2**20,
        file_bytes=limits.file_mb * 2**20,
    )


def _landlock(grants: VaultGrants, *, required: bool) -> dict[str, Any]:
    return {
        "required": required,
        "read": [inside(path) for path in grants.read],
        "write": [inside(path) for path in grants.write],
    }


def job_for(run_id: str, skill: SkillManifest, inputs: Mapping[str, Any], decision: Decision) -> Job:
    """``decision`` must be an allowing one."""
    limits, grants, spec, guards = decision.limits, decision.grants, decision.spec, decision.guards
    if limits is None or grants is None or spec is None or guards is None:
        raise ValueError("a job needs an allowing decision")
    return Job(
        run_id=run_id,
        code=skill.code,
        filename=skill.filename,
        entrypoint=skill.entrypoint,
        inputs=inputs,
        limits=job_limits(limits),
        landlock=_landlock(grants, required=spec.landlock == "required"),
        guards={
            **{field.name: getattr(guards, field.name) for field in fields(guards)},  # asdict would copy each name
            "quota": {"below": VAULT, "entries": limits.files},
        },
        make=tuple(inside(path) for path in grants.write if path != "."),
        second_stage=decision.second_stage,
    )
