"""Checks of the container engine, by what it says of itself. Its words are untrusted: only compared, and escaped."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orchestrator.doctor import versions
from orchestrator.doctor.model import Check, Seen, Severity, either, failed, passed, unknown
from orchestrator.sandbox.engine import EngineInfo

OLDEST_API: Final = (1, 41)
_KNOWN_RUNTIMES: Final = frozenset({"runc", "crun", "runsc", "io.containerd.runc.v2"})
_KNOWN_DRIVERS: Final = frozenset({"overlay2", "overlayfs", "fuse-overlayfs", "btrfs", "zfs"})


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """``info`` None: no engine answered, and ``error`` says why."""

    url: str
    info: EngineInfo | None
    error: str = ""


Look = Callable[[EngineInfo], Seen]


def _check(name: str, title: str, severity: Severity, look: Look, fix: str = "") -> Check[EngineFacts]:
    def looked(facts: EngineFacts) -> Seen:
        return unknown("no engine answered") if facts.info is None else look(facts.info)

    return Check(f"engine.{name}", title, severity, looked, fix)


def _reachable(facts: EngineFacts) -> Seen:
    if facts.info is None:
        return failed(facts.error or "nothing answers")
    return passed(f"{facts.info.name} {facts.info.version} at {facts.url}")


def _transport(facts: EngineFacts) -> Seen:
    if facts.url.startswith(("unix://", "http+unix://")):
        return passed("a local socket")
    if facts.url.startswith("https://"):
        return failed("over the network: skills get no vault", Severity.WARNING)
    return failed(f"{facts.url}: whoever reaches that port is root there") if facts.url else unknown("no engine")


def _socket(facts: EngineFacts) -> Seen:
    path = facts.url.removeprefix("http+").removeprefix("unix://")
    if path == facts.url or not path:
        return unknown("not a local socket", Severity.INFO)
    found = Path(path).stat()
    mode = stat.S_IMODE(found.st_mode)
    evidence = f"{path}: owner {found.st_uid}:{found.st_gid}, mode {mode:04o}; its users are as powerful as root"
    return failed(evidence) if mode & stat.S_IWOTH else passed(evidence)


def _api(info: EngineInfo) -> Seen:
    major, _, minor = info.api_version.partition(".")
    return either((int(major), int(minor)) >= OLDEST_API, f"API {info.api_version}, needed is 1.41 or later")


def _component(info: EngineInfo, name: str) -> str:
    for component in info.raw["ServerVersionDetails"].get("Components") or ():
        if component.get("Name") == name:
            commit = str((component.get("Details") or {}).get("GitCommit") or "")
            version = str(component.get("Version") or "")
            return commit if "+" in commit or "~" in commit else version  # Debian's whole version is in the commit
    return ""


def _security_option(*names: str) -> Look:
    def look(info: EngineInfo) -> Seen:
        found = [option for option in info.security_options if option.split(",")[0].removeprefix("name=") in names]
        return either(bool(found), ", ".join(found) or "not among the engine's security options")

    return look


def _flag(*keys: str) -> Look:
    """Each of the engine's statements must be there and true."""

    def look(info: EngineInfo) -> Seen:
        said = {key: info.raw.get(key) for key in keys}
        if not all(isinstance(value, bool) for value in said.values()):
            return unknown("the engine does not say")
        return either(all(said.values()), ", ".join(f"{key}={value}" for key, value in said.items()))

    return look


def _storage(info: EngineInfo) -> Seen:
    status = info.raw.get("DriverStatus") or ()
    d_type = {str(row[0]): str(row[1]) for row in status}.get("Supports d_type", "")
    evidence = info.storage_driver + (f", d_type {d_type}" if d_type else "")
    return either(info.storage_driver in _KNOWN_DRIVERS and d_type in ("true", ""), evidence)


def _registries(info: EngineInfo) -> Seen:
    config = info.raw["RegistryConfig"]
    open_ones = [
        name for name in config.get("InsecureRegistryCIDRs") or () if not str(name).startswith(("127.", "::1"))
    ]
    open_ones += [name for name, entry in (config.get("IndexConfigs") or {}).items() if not entry.get("Secure", True)]
    return either(not open_ones, ", ".join(map(str, open_ones)) or "none but this machine's own")


def _runtime(info: EngineInfo) -> Seen:
    offered = ", ".join(info.runtimes)
    return either(info.default_runtime in _KNOWN_RUNTIMES, f"{info.default_runtime}, of: {offered}")


def _warnings(info: EngineInfo) -> Seen:
    said = [str(warning) for warning in info.raw.get("Warnings") or ()]
    return either(not said, "; ".join(said) or "none")


def _experimental(info: EngineInfo) -> Seen:
    value: Any = info.raw.get("ExperimentalBuild")
    return (
        unknown("the engine does not say")
        if not isinstance(value, bool)
        else either(not value, f"experimental={value}")
    )


_F, _W, _I = Severity.FATAL, Severity.WARNING, Severity.INFO
_CGROUP_FIX: Final = "enable the controller (kernel command line, or delegation for a rootless engine)"
_UPDATE: Final = "update it; for a distribution's build, see its security tracker"

CHECKS: Final[tuple[Check[EngineFacts], ...]] = (
    Check("engine.reachable", "an engine answers", _F, _reachable, "start one, or `make engine` starts a private one"),
    Check(
        "engine.transport",
        "it is reached locally",
        _F,
        _transport,
        "use a local socket, or https with client certificates",
    ),
    Check(
        "engine.socket", "not everybody may use its socket", _F, _socket, "take write permission from others: chmod o-w"
    ),
    _check("api", "it speaks a known API", _F, _api, "use Docker Engine 20.10 or later"),
    _check(
        "seccomp", "it applies seccomp profiles", _F, _security_option("seccomp"), "use an engine built with seccomp"
    ),
    _check(
        "isolation",
        "root in a container is nobody outside",
        _W,
        _security_option("rootless", "userns"),
        "run the engine rootless, or with userns-remap; sandboxes never run as root, so this is a second line",
    ),
    _check(
        "lsm",
        "a security module confines containers",
        _W,
        _security_option("apparmor", "selinux"),
        "enable AppArmor or SELinux on the engine's host",
    ),
    _check("memory", "it limits memory", _F, _flag("MemoryLimit"), _CGROUP_FIX),
    _check("swap", "it limits swap", _F, _flag("SwapLimit"), "boot with swapaccount=1, or use cgroup v2"),
    _check("pids", "it limits processes", _F, _flag("PidsLimit"), _CGROUP_FIX),
    _check("cpu", "it limits CPU time", _F, _flag("CpuCfsPeriod", "CpuCfsQuota"), _CGROUP_FIX),
    _check(
        "cgroup",
        "cgroup version",
        _I,
        lambda info: passed(f"v{info.cgroup_version}, driver {info.raw.get('CgroupDriver', 'unknown')}"),
    ),
    _check(
        "storage", "a storage driver that is known to work", _W, _storage, "use overlay2 on a file system with d_type"
    ),
    _check("runtime", "a default runtime that is known", _W, _runtime, "use runc, crun or runsc"),
    _check("experimental", "no experimental features", _W, _experimental, "switch them off in the engine's settings"),
    _check("registries", "no insecure registries", _W, _registries, "remove insecure-registries from its settings"),
    _check("warnings", "it warns of nothing", _I, _warnings, "see the engine's documentation"),
    _check("version", "a maintained engine", _W, lambda info: versions.judge(info.version, versions.ENGINE), _UPDATE),
    _check(
        "runc",
        "runc without known holes",
        _F,
        lambda info: versions.judge(_component(info, "runc"), versions.RUNC),
        _UPDATE,
    ),
    _check(
        "containerd",
        "containerd without known holes",
        _W,
        lambda info: versions.judge(_component(info, "containerd"), versions.CONTAINERD),
        _UPDATE,
    ),
)
