"""The live probe on the real engine; and its paired control: of a weakened sandbox it must report every weakness."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.doctor import Outcome, Result, examine_installation
from orchestrator.doctor.probe import ATTEMPTS, probe_job, probe_level, question
from orchestrator.image.model import BuiltImage
from orchestrator.sandbox.docker_engine import DockerEngine
from orchestrator.sandbox.engine import Engine
from orchestrator.sandbox.options import LABEL, LABEL_INSTANCE, LABEL_STATE
from orchestrator.sandbox.ownership import state_id
from orchestrator.sandbox.sandbox import Sandbox
from orchestrator.sandbox.slot import NoSlot
from tests.conftest import MakeSettings, MakeVault
from tests.support.sandboxes import spec_for

# What this kernel may refuse on its own, whatever the sandbox: no such address family, or switched off for everybody.
KERNELS_OWN = {"socket-alg", "socket-vsock"}


class Weakening:
    """An engine that makes containers with other options than it was asked for."""

    def __init__(self, engine: Engine, host: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        self._engine, self._host, self._config = engine, host, config

    def create(self, name: str, options: Mapping[str, Any]) -> str:
        host = {**options["HostConfig"], **self._host}
        return self._engine.create(name, {**options, **self._config, "HostConfig": host})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


class Unverified(Sandbox):
    """A sandbox that does not mind what it is made of."""

    def _verify(self, options: Mapping[str, Any] | None = None) -> None:
        return None


@contextmanager
def sandbox_of(kind: type[Sandbox], engine: Any, image: BuiltImage, state_dir: Path) -> Iterator[Sandbox]:
    labels = {LABEL: "1", LABEL_INSTANCE: "0" * 16, LABEL_STATE: state_id(state_dir)}
    name = f"skill-doctor-{secrets.token_hex(6)}"
    sandbox = kind.start(engine, spec_for(image.image_id), name=name, labels=labels, slot=NoSlot())
    try:
        yield sandbox
    finally:
        sandbox.destroy()


def open_attempts(results: tuple[Result, ...]) -> set[str]:
    names = {attempt.name for attempt in ATTEMPTS}
    by_name = {result.id.split(".")[-1]: result.outcome for result in results}
    assert names <= set(by_name)
    return {name for name in names if by_name[name] is Outcome.FAIL}


def test_a_fit_installation_passes_with_and_without_a_vault(make_settings: MakeSettings, make_vault: MakeVault) -> None:
    report = examine_installation(make_settings(vault=make_vault()))
    assert report.fit, [result for result in report.results if result.blocks]
    ids = [result.id for result in report.results]
    assert len(ids) == len(set(ids))
    for level in ("strict", "standard", "relaxed"):
        assert {f"probe.{level}.{name}" for name in ("start", "limits", "socket-inet", "gone")} <= set(ids)
    json.dumps(report.document())


def test_without_any_layer_everything_is_reported_open(
    real_engine: DockerEngine, image: BuiltImage, state_dir: Path
) -> None:
    weak = Weakening(
        real_engine,
        {
            "ReadonlyRootfs": False, "CapDrop": [], "CapAdd": ["SYS_ADMIN", "SYS_PTRACE"], "PidsLimit": 100,
            "SecurityOpt": ["seccomp=unconfined"], "Memory": 2**28, "MemorySwap": 2**28, "Ulimits": [], "Tmpfs": {},
        },
        {"User": "0:0"},
    )  # fmt: skip
    with sandbox_of(Unverified, weak, image, state_dir) as sandbox:
        job = replace(probe_job(sandbox.spec, sandbox), landlock=None, second_stage=False)
        results = tuple(question("weak", sandbox, sandbox.spec, job))
    assert {attempt.name for attempt in ATTEMPTS} - open_attempts(results) <= KERNELS_OWN
    limits = results[0]
    assert limits.outcome is Outcome.FAIL
    for weakness in (
        "uid",
        "no_new_privs",
        "seccomp",
        "pids_max",
        "nofile",
        "capabilities",
        "memory_bytes",
        "root file",
    ):
        assert weakness in limits.evidence, f"{weakness} is not in: {limits.evidence}"


@pytest.mark.parametrize(
    ("changes", "opened"),
    [
        ({"landlock": None}, {"read-passwd", "read-supervisor"}),
        ({"second_stage": False}, {"fork", "execve"}),
        ({}, set()),
    ],
    ids=["no-landlock", "no-second-stage", "nothing-off"],
)
def test_a_single_missing_layer_is_seen(
    real_engine: DockerEngine, image: BuiltImage, state_dir: Path, changes: dict[str, Any], opened: set[str]
) -> None:
    with sandbox_of(Sandbox, real_engine, image, state_dir) as sandbox:
        job = replace(probe_job(sandbox.spec, sandbox), **changes)
        assert open_attempts(tuple(question("weak", sandbox, sandbox.spec, job))) == opened


def test_no_seccomp_profile_is_seen(real_engine: DockerEngine, image: BuiltImage, state_dir: Path) -> None:
    weak = Weakening(real_engine, {"SecurityOpt": ["no-new-privileges", "seccomp=unconfined"]}, {})
    with sandbox_of(Unverified, weak, image, state_dir) as sandbox:
        found = open_attempts(tuple(question("weak", sandbox, sandbox.spec)))
    assert {"socket-inet", "socket-unix", "memfd", "splice", "user-namespace"} <= found
    assert not {"write-root", "read-environment", "fork"} & found


def test_an_engine_that_ignores_an_option_is_refused(
    real_engine: DockerEngine, image: BuiltImage, state_dir: Path
) -> None:
    weak = Weakening(real_engine, {"ReadonlyRootfs": False}, {})

    def make(spec: Any) -> Sandbox:
        labels = {LABEL: "1", LABEL_INSTANCE: "0" * 16, LABEL_STATE: state_id(state_dir)}
        return Sandbox.start(weak, spec, name=f"skill-doctor-{secrets.token_hex(6)}", labels=labels, slot=NoSlot())

    (result,) = probe_level("standard", make, spec_for(image.image_id))
    assert (result.id, result.outcome, result.blocks) == ("probe.standard.start", Outcome.FAIL, True)
    assert "ReadonlyRootfs" in result.evidence


def test_attempts_and_their_names_agree() -> None:
    from orchestrator.doctor.inside import attempts

    assert {attempt.name for attempt in ATTEMPTS} == set(attempts())
