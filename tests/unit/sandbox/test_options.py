"""The create document, byte for byte: whoever weakens the container changes ``options.golden.json`` and is seen."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.sandbox.options import container_options, cpu_quota_us
from orchestrator.sandbox.spec import SandboxSpec

GOLDEN = Path(__file__).with_name("options.golden.json")
SPEC = SandboxSpec(
    level="standard", image_id="sha256:" + "0" * 64, uid=1000, gid=1001, memory_bytes=100 * 2**20, cpus=0.5, pids=32,
    tmp_bytes=16 * 2**20, tmp_inodes=1024, nofile=64, file_bytes=2**20, seccomp='{"defaultAction":"SCMP_ACT_ERRNO"}',
    landlock="required", vault_view="overlay", runtime="runsc", preload=("json", "re"),
)  # fmt: skip
LABELS = {"io.skill-orchestrator": "1"}
MOUNT = {"Type": "volume", "Target": "/vault", "VolumeOptions": {"NoCopy": True}}


def test_the_document_is_the_golden_one() -> None:
    document = container_options(SPEC, labels=LABELS, mounts=[MOUNT])
    assert document == json.loads(GOLDEN.read_text())


def test_it_is_json_and_shares_nothing_with_its_arguments() -> None:
    mount = dict(MOUNT)
    document = container_options(SPEC, labels=LABELS, mounts=[mount])
    assert json.loads(json.dumps(document)) == document
    document["HostConfig"]["Mounts"][0]["Target"] = "/elsewhere"
    document["Labels"]["more"] = "1"
    assert mount["Target"] == "/vault"
    assert "more" not in LABELS


CHANGES: dict[str, Any] = {
    "level": "strict", "image_id": "sha256:" + "1" * 64, "uid": 7, "gid": 7, "memory_bytes": 2**20, "cpus": 2.0,
    "pids": 7, "tmp_bytes": 7, "tmp_inodes": 7, "nofile": 7, "file_bytes": 7, "seccomp": "{}",
    "landlock": "preferred", "vault_view": "none", "runtime": "", "preload": (),
}  # fmt: skip
INSIDE = {"level", "landlock", "vault_view"}  # decided elsewhere: by the pool, the executor, the slot's mounts


@pytest.mark.parametrize("name", [field.name for field in fields(SandboxSpec)])
def test_every_field_of_a_spec_reaches_the_engine_or_is_known_to_act_elsewhere(name: str) -> None:
    changed = replace(SPEC, **{name: CHANGES[name]})
    before = container_options(SPEC, labels=LABELS, mounts=[])
    assert (container_options(changed, labels=LABELS, mounts=[]) == before) is (name in INSIDE)
    assert changed.digest() != SPEC.digest()


@pytest.mark.parametrize(("cpus", "quota"), [(0.1, 10_000), (0.5, 50_000), (1.0, 100_000), (2.5, 250_000)])
def test_quota(cpus: float, quota: int) -> None:
    assert cpu_quota_us(cpus) == quota
    booting = container_options(replace(SPEC, cpus=cpus), labels={}, mounts=[])["HostConfig"]["CpuQuota"]
    assert booting == max(quota, 100_000)  # a sandbox of less than one CPU boots with one


@pytest.mark.parametrize("forbidden", ["Binds", "Devices", "CapAdd", "PidMode", "Env", "Entrypoint", "PortBindings"])
def test_what_the_document_never_has(forbidden: str) -> None:
    document = container_options(SPEC, labels=LABELS, mounts=[MOUNT])
    assert forbidden not in document
    assert forbidden not in document["HostConfig"]
