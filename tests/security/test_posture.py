"""A real engine that did not do as asked: each option taken away or weakened, one at a time, ends in ``PostureError``.

Nothing is run then, and nothing is left: the session's fixture counts containers. That ``Sandbox.start`` passes
without a change is the control, shown by every other test here.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.errors import PostureError
from orchestrator.sandbox.options import LABEL_STATE
from tests.security.lab import PERMISSIVE, Alter, Lab
from tests.support.sandboxes import PROFILE


def without(*keys: str) -> Alter:
    def alter(options: dict[str, Any]) -> None:
        for key in keys:
            del options["HostConfig"][key]

    return alter


def host(key: str, value: Any) -> Alter:
    return lambda options: options["HostConfig"].update({key: value})


def top(key: str, value: Any) -> Alter:
    return lambda options: options.update({key: value})


def security(*keep: str) -> Alter:
    """Only the security options that begin with one of ``keep``."""

    def alter(options: dict[str, Any]) -> None:
        found = options["HostConfig"]["SecurityOpt"]
        options["HostConfig"]["SecurityOpt"] = [option for option in found if option.startswith(keep)]

    return alter


def without_ulimit(name: str) -> Alter:
    def alter(options: dict[str, Any]) -> None:
        options["HostConfig"]["Ulimits"] = [
            limit for limit in options["HostConfig"]["Ulimits"] if limit["Name"] != name
        ]

    return alter


DEVICE = {"PathOnHost": "/dev/zero", "PathInContainer": "/dev/kvm", "CgroupPermissions": "r"}
WEAKENED: dict[str, tuple[Alter, str]] = {
    # what is changed: (how, a word of the difference that must be named)
    "root writable": (without("ReadonlyRootfs"), "root file system"),
    "capabilities kept": (without("CapDrop"), "CapDrop"),
    "a capability added": (host("CapAdd", ["NET_RAW"]), "CapAdd"),
    "no seccomp profile": (security("no-new"), "SecurityOpt"),
    "a permissive profile": (host("SecurityOpt", ["no-new-privileges", f"seccomp={PERMISSIVE}"]), "SecurityOpt"),
    "no memory limit": (without("Memory", "MemorySwap"), "memory"),
    "swap": (without("MemorySwap"), "memory_swap_bytes"),
    "no pids limit": (without("PidsLimit"), "pids_max"),
    "no CPU quota": (without("CpuQuota"), "cpu_quota_us"),
    "no tmpfs": (without("Tmpfs"), "/tmp"),
    "an executable tmpfs": (host("Tmpfs", {"/tmp": "rw,nosuid,nodev,exec,size=16777216"}), "/tmp"),
    "no IPC namespace asked": (without("IpcMode"), "IpcMode"),
    "host IPC": (host("IpcMode", "host"), "IpcMode"),
    "host cgroup namespace": (host("CgroupnsMode", "host"), "CgroupnsMode"),
    "no core limit": (without_ulimit("core"), "core"),
    "no file size limit": (without_ulimit("fsize"), "fsize"),
    "no descriptor limit": (without_ulimit("nofile"), "nofile"),
    "no automatic removal": (without("AutoRemove"), "AutoRemove"),
    "root": (top("User", "0:0"), "uid"),
    "another user": (top("User", "1001:1000"), "uid"),
    "another group": (top("User", "1000:1001"), "gid"),
    "a group more": (host("GroupAdd", ["4242"]), "GroupAdd"),
    "a bind mount": (host("Binds", ["/usr/share:/mnt:ro"]), "Binds"),
    "a mount more": (host("Mounts", [{"Type": "tmpfs", "Target": "/mnt"}]), "Mounts"),
    "a device": (host("Devices", [DEVICE]), "Devices"),
    "another directory": (top("WorkingDir", "/tmp"), "WorkingDir"),
}  # fmt: skip


@pytest.mark.parametrize("name", WEAKENED)
def test_a_container_that_is_weaker_than_asked_for_is_refused(lab: Lab, name: str) -> None:
    alter, word = WEAKENED[name]
    with pytest.raises(PostureError, match=word), lab.sandbox(alter=alter):
        pytest.fail("it was handed out")
    assert [row for row in lab.engine.list({LABEL_STATE: lab.state}) if row.state == "running"] == []


def test_no_new_privileges_is_read_back(lab: Lab) -> None:
    """With a permissive profile: runc loads ours too early without no-new-privileges, and does not even start."""
    with pytest.raises(PostureError, match="no_new_privs"), lab.sandbox(alter=security("seccomp"), seccomp=PERMISSIVE):
        pytest.fail("it was handed out")


def test_a_host_network_is_refused(lab: Lab) -> None:
    def alter(options: dict[str, Any]) -> None:
        options["HostConfig"]["NetworkMode"] = "host"
        options.update(NetworkDisabled=False, Hostname="")

    with pytest.raises(PostureError, match=r"network interfaces|NetworkMode"), lab.sandbox(alter=alter):
        pytest.fail("it was handed out")


def test_landlock_that_is_required_and_missing_is_refused(lab: Lab) -> None:
    """A profile that hides Landlock stands for a kernel without it."""
    profile = json.loads(PROFILE)
    profile["syscalls"] = [rule for rule in profile["syscalls"] if "landlock_create_ruleset" not in rule["names"]]
    required: dict[str, Any] = {"seccomp": json.dumps(profile), "landlock": "required"}
    with pytest.raises(PostureError, match="Landlock"), lab.sandbox(**required):
        pytest.fail("it was handed out")
    preferred = lab.outcome("result = 1", spec={"seccomp": json.dumps(profile)})
    assert preferred.final is not None
    assert not preferred.final.started  # a job that requires it still does not start
    assert "Landlock" in preferred.final.setup_error
