"""Skills and results of runs, for tests that run nothing."""

from __future__ import annotations

from typing import Any

from orchestrator.manifest import SkillManifest, load_manifest
from orchestrator.results.model import RunResult, Status, Timings, Usage


def result(
    status: Status = Status.SUCCEEDED,
    *,
    wall: float = 1.0,
    run: float = 1.0,
    memory: int = 2**20,
    requests: int = 0,
    run_id: str = "r",
    attempts: int = 1,
) -> RunResult:
    """As of a run that took ``wall`` seconds, half of it CPU time. ``run`` 0: it never began."""
    usage = Usage(
        wall_seconds=wall,
        user_cpu_seconds=wall / 4,
        system_cpu_seconds=wall / 4,
        memory_peak_bytes=memory,
        connection_attempts=requests,
    )
    return RunResult(
        run_id, "tidy@1.0.0", "standard", status, "", usage=usage, timings=Timings(run=run), attempts=attempts
    )


def not_begun(status: Status = Status.DENIED, run_id: str = "r") -> RunResult:
    return result(status, wall=0.0, run=0.0, run_id=run_id)


def skill(name: str = "tidy", version: str = "1.0.0", code: str = "result = 1\n", **more: Any) -> SkillManifest:
    document = {"manifest_version": 1, "name": name, "version": version, "code": code, "entrypoint": None}
    return load_manifest({**document, **more})
