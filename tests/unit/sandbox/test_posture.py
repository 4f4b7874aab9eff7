"""What counts as "in force": every fact that is weaker, missing or of another type is reported. Pure functions."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from orchestrator.sandbox.options import container_options
from orchestrator.sandbox.posture import inspect_differences, probe_differences
from orchestrator.sandbox.spec import SandboxSpec

MEMORY = 100 * 2**20 + 123  # not whole pages: cgroups round down
SPEC = SandboxSpec(
    level="strict", image_id="sha256:" + "0" * 64, uid=1000, gid=1001, memory_bytes=MEMORY, cpus=0.5, pids=32,
    tmp_bytes=2**20, tmp_inodes=100, nofile=64, file_bytes=2**20, seccomp="{}", landlock="required",
    vault_view="overlay",
)  # fmt: skip
FLAGS = ["nodev", "noexec", "nosuid", "relatime", "rw"]
PROBE: dict[str, Any] = {
    "uid": [1000] * 4, "gid": [1001] * 4, "groups": [1001], "no_new_privs": 1, "seccomp": 2, "pids_max": 32,
    "capabilities": dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), 0),
    "memory_bytes": 100 * 2**20, "memory_swap_bytes": 100 * 2**20, "cpu_quota_us": 50_000, "cpu_period_us": 100_000,
    "mounts": {"/": ["relatime", "ro"], "/tmp": FLAGS, "/vault": FLAGS}, "interfaces": ["lo"], "landlock": 7,
    "nofile": 64, "fsize": 2**20, "core": 0, "cgroup_version": 1,
}  # fmt: skip
INFORMATION = {"cgroup_version"}  # told, not required


def differences(probe: Any, spec: SandboxSpec = SPEC) -> tuple[str, ...]:
    return probe_differences(spec, probe, memory_bytes=MEMORY, pids=32)


def test_what_was_asked_for_is_no_difference() -> None:
    assert differences(PROBE) == ()
    assert differences({**PROBE, "groups": [], "interfaces": []}) == ()


@pytest.mark.parametrize("name", sorted(PROBE.keys() - INFORMATION - {"interfaces", "groups"}))
@pytest.mark.parametrize("value", [None, "missing"])
def test_a_fact_that_is_missing_differs(name: str, value: object) -> None:
    probe = {**PROBE, name: None}
    if value == "missing":
        del probe[name]
    assert len(differences(probe)) >= 1


@pytest.mark.parametrize("name", ["interfaces", "groups"])
def test_a_missing_list_differs(name: str) -> None:
    probe = dict(PROBE)
    del probe[name]
    assert len(differences(probe)) == 1


def _capability(name: str) -> dict[str, Any]:
    return {"capabilities": {**PROBE["capabilities"], name: 1}}


def _mounts(point: str, *without: str) -> dict[str, Any]:
    return {"mounts": {**PROBE["mounts"], point: [flag for flag in PROBE["mounts"][point] if flag not in without]}}


WEAKER: list[dict[str, Any]] = [
    {"uid": [0, 1000, 1000, 1000]}, {"uid": [1000, 1000, 1000, 0]}, {"uid": [1000]}, {"gid": [0] * 4},
    {"groups": [1001, 0]}, {"groups": [999]}, {"no_new_privs": 0}, {"no_new_privs": True}, {"seccomp": 0},
    {"seccomp": 1}, {"pids_max": 33}, {"memory_bytes": MEMORY + 4096}, {"memory_swap_bytes": 2**40},
    {"cpu_quota_us": -1}, {"cpu_period_us": 1}, {"interfaces": ["lo", "eth0"]}, {"interfaces": "lo"}, {"landlock": 0},
    {"nofile": 65}, {"fsize": -1}, {"core": -1}, {"core": False}, {"capabilities": {}}, {"capabilities": {"CapEff": 0}},
    *map(_capability, PROBE["capabilities"]),
    {"groups": [[]]}, {"groups": 1001}, {"interfaces": [{}]}, {"mounts": {**PROBE["mounts"], "/": ["rw"]}},
    *(_mounts(point, flag) for point in ("/tmp", "/vault") for flag in ("nosuid", "nodev", "noexec")),
]  # fmt: skip


@pytest.mark.parametrize("weaker", WEAKER, ids=repr)
def test_one_weaker_fact_is_reported_alone(weaker: dict[str, Any]) -> None:
    assert len(differences({**PROBE, **weaker})) == 1


@pytest.mark.parametrize(
    "mounts", [[], {}, "/", {"/": ["ro"], "/tmp": FLAGS}, {"/": ["ro"], "/vault": FLAGS}], ids=repr
)
def test_a_mount_that_is_missing_is_reported(mounts: object) -> None:
    assert differences({**PROBE, "mounts": mounts})


WANTED = container_options(SPEC, labels={}, mounts=[{"Type": "volume", "Target": "/vault"}])
COPIED = ("User", "Tty", "OpenStdin", "StdinOnce", "WorkingDir")
DOCUMENT: dict[str, Any] = {
    "Image": SPEC.image_id,
    "Config": {key: WANTED[key] for key in COPIED},
    "HostConfig": {key: value for key, value in WANTED["HostConfig"].items() if key != "Mounts"},
    "Mounts": [{"Type": "volume", "Destination": "/vault"}],
}


def test_inspect_of_what_was_asked_for_is_no_difference() -> None:
    assert inspect_differences(WANTED, DOCUMENT) == ()


# Not in what inspect is held against, and why that is no gap.
PROBED_INSIDE = {"Ulimits"}
HARMLESS = {"LogConfig", "RestartPolicy"}


@pytest.mark.parametrize("key", sorted(WANTED["HostConfig"].keys() - PROBED_INSIDE - HARMLESS - {"Mounts"}))
def test_a_host_option_that_is_dropped_is_reported(key: str) -> None:
    document = deepcopy(DOCUMENT)
    del document["HostConfig"][key]
    assert [found for found in inspect_differences(WANTED, document) if key in found]


@pytest.mark.parametrize("key", COPIED)
def test_a_config_option_that_is_dropped_is_reported(key: str) -> None:
    document = deepcopy(DOCUMENT)
    del document["Config"][key]
    assert len(inspect_differences(WANTED, document)) == 1


@pytest.mark.parametrize(
    "extra",
    [
        {"Binds": ["/:/host"]}, {"Devices": [{}]}, {"DeviceRequests": [{}]}, {"CapAdd": ["SYS_ADMIN"]},
        {"GroupAdd": ["0"]}, {"VolumesFrom": ["x"]}, {"PortBindings": {"1/tcp": []}}, {"Links": ["x"]},
        {"Privileged": True}, {"SecurityOpt": None}, {"ReadonlyRootfs": 1}, {"NetworkMode": "bridge"},
    ],
    ids=repr,
)  # fmt: skip
def test_what_nobody_asked_for_is_reported(extra: dict[str, Any]) -> None:
    document = deepcopy(DOCUMENT)
    document["HostConfig"].update(extra)
    assert len(inspect_differences(WANTED, document)) == 1


@pytest.mark.parametrize("document", [{}, {"Config": None, "HostConfig": None}, {**DOCUMENT, "Mounts": None}])
def test_an_empty_document_is_never_a_pass(document: dict[str, Any]) -> None:
    assert inspect_differences(WANTED, document)


def test_another_image_or_another_mount_is_reported() -> None:
    assert len(inspect_differences(WANTED, {**DOCUMENT, "Image": "sha256:" + "1" * 64})) == 1
    more = [*DOCUMENT["Mounts"], {"Type": "volume", "Destination": "/data"}]
    assert len(inspect_differences(WANTED, {**DOCUMENT, "Mounts": more})) == 1
