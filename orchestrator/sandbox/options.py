"""From a ``SandboxSpec`` to the engine API's create document: one pure function, golden-tested.

Every restriction that the engine enforces is decided here and nowhere else. What the executor adds from the inside
(Landlock, the second seccomp stage, guards) is in ``sandbox-image/``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from orchestrator.sandbox.spec import SandboxSpec

LABEL: Final = "io.skill-orchestrator"  # marks every container of ours; the value is the label format's version
LABEL_INSTANCE: Final = f"{LABEL}.instance"  # which orchestrator process owns it
LABEL_STATE: Final = f"{LABEL}.state"  # which state directory that process used
LABEL_SPEC: Final = f"{LABEL}.spec"  # the spec's digest
LABEL_CREATED: Final = f"{LABEL}.created"  # Unix seconds

CPU_PERIOD_US: Final = 100_000
# A quota below one CPU throttles the interpreter's start (measured 234 ms against 25 ms at half a CPU), so such a
# sandbox boots with one CPU and is tightened before it is leased.
BOOT_CPUS: Final = 1.0


def cpu_quota_us(cpus: float) -> int:
    return int(cpus * CPU_PERIOD_US)


def container_options(
    spec: SandboxSpec, *, labels: Mapping[str, str], mounts: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The document for ``POST /containers/create``. ``mounts`` are the vault's, in HostConfig.Mounts form."""
    host_config: dict[str, Any] = {
        "NetworkMode": "none",
        "ReadonlyRootfs": True,
        "Privileged": False,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges", f"seccomp={spec.seccomp}"],
        "IpcMode": "none",
        "CgroupnsMode": "private",
        "Memory": spec.memory_bytes,
        "MemorySwap": spec.memory_bytes,  # equal to Memory: no swap
        "PidsLimit": spec.pids,
        "CpuPeriod": CPU_PERIOD_US,
        "CpuQuota": cpu_quota_us(max(spec.cpus, BOOT_CPUS)),
        "Ulimits": [
            # not nproc: the kernel counts it per user over all sandboxes
            {"Name": "core", "Soft": 0, "Hard": 0},
            {"Name": "fsize", "Soft": spec.file_bytes, "Hard": spec.file_bytes},
            {"Name": "nofile", "Soft": spec.nofile, "Hard": spec.nofile},
        ],
        "Tmpfs": {
            "/tmp": f"rw,nosuid,nodev,noexec,size={spec.tmp_bytes},nr_inodes={spec.tmp_inodes},mode=1777"  # noqa: S108
        },
        "Mounts": [dict(mount) for mount in mounts],
        "LogConfig": {"Type": "none", "Config": {}},
        "AutoRemove": True,
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
    }
    if spec.runtime:
        host_config["Runtime"] = spec.runtime
    return {
        "Image": spec.image_id,
        "User": f"{spec.uid}:{spec.gid}",
        "Cmd": list(spec.preload),
        "Hostname": "sandbox",
        "WorkingDir": "/",
        "Tty": False,
        "OpenStdin": True,
        "StdinOnce": True,  # the engine closes stdin when the attached host goes away: PID 1 then exits
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        # Beside NetworkMode=none: without it the 20.10 engine runs a prestart hook that costs 120 ms.
        "NetworkDisabled": True,
        "Healthcheck": {"Test": ["NONE"]},
        "Labels": dict(labels),
        "HostConfig": host_config,
    }
