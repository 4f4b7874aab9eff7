"""Is what was asked for in force? Compares the engine's inspect document and the supervisor's probe with the spec.

Pure functions that return what differs, in words; an empty tuple is the only good answer. A fact that is missing
differs: unknown is never a pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.sandbox.options import CPU_PERIOD_US, cpu_quota_us
from orchestrator.sandbox.spec import SandboxSpec

_PAGE = 4096  # cgroups round memory limits down to pages
_NO_MOUNT_ESCAPE = frozenset({"nosuid", "nodev"})


def _differs(name: str, wanted: object, found: object) -> Iterator[str]:
    if found != wanted or isinstance(found, bool) is not isinstance(wanted, bool):
        yield f"{name}: asked for {wanted!r}, found {found!r}"


def inspect_differences(wanted: Mapping[str, Any], document: Mapping[str, Any]) -> tuple[str, ...]:
    """``wanted`` is the create document, ``document`` what the engine says it made of it."""
    config, host = document.get("Config") or {}, document.get("HostConfig") or {}
    wanted_host = wanted["HostConfig"]
    found: list[str] = list(_differs("Image", wanted["Image"], document.get("Image")))
    for key in ("User", "Tty", "OpenStdin", "StdinOnce", "WorkingDir"):
        found += _differs(key, wanted[key], config.get(key))
    for key in sorted(wanted_host.keys() - {"Mounts", "SecurityOpt", "Tmpfs", "Ulimits", "LogConfig", "RestartPolicy"}):
        found += _differs(f"HostConfig.{key}", wanted_host[key], host.get(key))
    for key in ("SecurityOpt", "Tmpfs"):
        found += _differs(f"HostConfig.{key}", wanted_host[key], host.get(key))
    for key in ("Binds", "Devices", "DeviceRequests", "CapAdd", "GroupAdd", "VolumesFrom", "PortBindings", "Links"):
        if host.get(key):
            found.append(f"HostConfig.{key}: asked for none, found {host[key]!r}")
    targets = sorted(mount.get("Destination", "") for mount in document.get("Mounts") or ())
    found += _differs("Mounts", sorted(mount["Target"] for mount in wanted_host["Mounts"]), targets)
    return tuple(found)


def _mount_differences(mounts: Mapping[str, Any], spec: SandboxSpec) -> Iterator[str]:
    if "ro" not in mounts.get("/", ()):
        yield f"the root file system is not read-only: {mounts.get('/')!r}"
    if not {"nosuid", "nodev", "noexec"} <= set(mounts.get("/tmp", ())):  # noqa: S108
        yield f"/tmp is not nosuid,nodev,noexec: {mounts.get('/tmp')!r}"  # noqa: S108
    if spec.vault_view != "none" and "/vault" not in mounts:
        yield "/vault is not mounted"
    if spec.vault_view == "overlay" and not {"nosuid", "nodev", "noexec"} <= set(mounts.get("/vault", ())):
        yield f"/vault is not nosuid,nodev,noexec: {mounts.get('/vault')!r}"


def _only(found: object, allowed: tuple[object, ...]) -> bool:
    """``found`` is a list, perhaps an empty one, of nothing but ``allowed``."""
    return isinstance(found, list) and all(item in allowed for item in found)


def probe_differences(spec: SandboxSpec, probe: Mapping[str, Any], *, memory_bytes: int, pids: int) -> tuple[str, ...]:
    """``probe`` is the supervisor's POSTURE; ``memory_bytes`` and ``pids`` are what this lease was tightened to."""
    found: list[str] = []
    for name, wanted in (
        ("uid", [spec.uid] * 4),
        ("gid", [spec.gid] * 4),
        ("no_new_privs", 1),
        ("seccomp", 2),
        ("pids_max", pids),
        ("cpu_quota_us", cpu_quota_us(spec.cpus)),
        ("cpu_period_us", CPU_PERIOD_US),
        ("nofile", spec.nofile),
        ("fsize", spec.file_bytes),
        ("core", 0),
    ):
        found += _differs(name, wanted, probe.get(name))
    if not _only(probe.get("groups"), (spec.gid,)):
        found.append(f"groups: asked for none but {spec.gid}, found {probe.get('groups')!r}")
    capabilities = probe.get("capabilities")
    if not isinstance(capabilities, Mapping) or len(capabilities) < 5 or any(capabilities.values()):
        found.append(f"capabilities: asked for none, found {capabilities!r}")
    rounded = memory_bytes // _PAGE * _PAGE
    for name in ("memory_bytes", "memory_swap_bytes"):
        found += _differs(name, rounded, probe.get(name))
    if not _only(probe.get("interfaces"), ("lo",)):
        found.append(f"network interfaces: asked for none, found {probe.get('interfaces')!r}")
    if spec.landlock == "required" and not probe.get("landlock"):
        found.append("Landlock: the policy requires it, the kernel does not offer it here")
    mounts = probe.get("mounts")
    found += _mount_differences(mounts if isinstance(mounts, Mapping) else {}, spec)
    return tuple(found)
