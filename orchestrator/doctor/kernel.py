"""Checks of the kernel that sandboxes run on. Read-only; a file that is not there is unknown, never a pass.

Meaningful only where the engine runs on this very kernel: in a virtual machine beside it (Docker Desktop) everything
here is unknown, and the live probe has the last word.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.doctor.model import Check, Seen, Severity, either, failed, passed, unknown
from orchestrator.sandbox.kernel import landlock_abi

_OPENAT2: Final = 437  # the same number on every architecture
_CPU_HOLES: Final = Path("/sys/devices/system/cpu/vulnerabilities")
_SUSPECT_MODULES: Final = frozenset({"algif_aead", "esp4", "esp6", "rxrpc"})


@dataclass(frozen=True, slots=True)
class KernelFacts:
    """``same``: the engine runs on this kernel. ``sysctls`` and ``modules`` are None where they cannot be read."""

    same: bool
    release: str
    landlock: int
    openat2: bool
    seccomp_actions: str | None
    lsm: str | None
    sysctls: Mapping[str, str | None]
    modules: frozenset[str] | None
    cpu_holes: tuple[str, ...] | None


def gather(*, same: bool) -> KernelFacts:
    modules = _read(Path("/proc/modules"))
    return KernelFacts(
        same=same,
        release=os.uname().release,
        landlock=landlock_abi(),
        openat2=_has_openat2(),
        seccomp_actions=_read(Path("/proc/sys/kernel/seccomp/actions_avail")),
        lsm=_read(Path("/sys/kernel/security/lsm")),
        sysctls={each.name: _read(Path("/proc/sys", each.name.replace(".", "/"))) for each in SYSCTLS},
        modules=None
        if modules is None
        else frozenset(line.split()[0] for line in modules.splitlines() if line.strip()),
        cpu_holes=_open_cpu_holes(),
    )


def _read(path: Path) -> str | None:
    try:
        return path.read_text("ascii", "backslashreplace").strip()
    except OSError:
        return None


def _open_cpu_holes() -> tuple[str, ...] | None:
    try:
        files = sorted(_CPU_HOLES.iterdir())
    except OSError:
        return None
    return tuple(file.name for file in files if (_read(file) or "Vulnerable").startswith("Vulnerable"))


def _has_openat2() -> bool:
    """Asked with a size that no kernel takes: EINVAL where the call exists, ENOSYS where it does not."""
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall(ctypes.c_long(_OPENAT2), ctypes.c_int(-1), b".", None, ctypes.c_size_t(0))
    return ctypes.get_errno() != errno.ENOSYS


@dataclass(frozen=True, slots=True)
class Sysctl:
    """``good`` decides by the value; ``wanted`` says it in words."""

    name: str
    good: Callable[[str], bool]
    wanted: str
    why: str


def _at_least(least: int) -> Callable[[str], bool]:
    return lambda value: int(value.split()[0]) >= least


SYSCTLS: Final = (
    Sysctl("kernel.unprivileged_bpf_disabled", _at_least(1), "1 or 2", "BPF is a way into the kernel"),
    Sysctl("kernel.io_uring_disabled", _at_least(1), "1 or 2", "io_uring is a way into the kernel"),
    Sysctl("kernel.kptr_restrict", _at_least(1), "1 or 2", "kernel addresses help an exploit"),
    Sysctl("kernel.dmesg_restrict", _at_least(1), "1", "the kernel's log shows addresses and devices"),
    Sysctl("kernel.perf_event_paranoid", _at_least(2), "2 or more", "perf events are a way into the kernel"),
    Sysctl("kernel.yama.ptrace_scope", _at_least(1), "1 or more", "processes of one user can read each other"),
    Sysctl("kernel.kexec_load_disabled", _at_least(1), "1", "another kernel can be loaded"),
    Sysctl(
        "kernel.core_pattern",
        lambda value: not value.startswith("|"),
        "no pipe",
        "a core handler runs as root, whatever RLIMIT_CORE is",
    ),
    Sysctl(
        "user.max_user_namespaces", lambda value: value == "0", "0", "user namespaces open kernel code to everybody"
    ),
    Sysctl("fs.protected_symlinks", _at_least(1), "1", "links in /tmp can be traps"),
    Sysctl("fs.protected_hardlinks", _at_least(1), "1", "links to foreign files can be made"),
    Sysctl("fs.protected_fifos", _at_least(1), "1 or 2", "FIFOs in /tmp can be traps"),
    Sysctl("fs.protected_regular", _at_least(1), "1 or 2", "files in /tmp can be traps"),
)


def _here(look: Callable[[KernelFacts], Seen]) -> Callable[[KernelFacts], Seen]:
    return lambda facts: look(facts) if facts.same else unknown("the engine runs on another kernel")


def _sysctl_check(sysctl: Sysctl) -> Check[KernelFacts]:
    def look(facts: KernelFacts) -> Seen:
        value = facts.sysctls.get(sysctl.name)
        if value is None:
            return unknown(f"this kernel has no {sysctl.name}")
        return either(sysctl.good(value), f"{value}, wanted: {sysctl.wanted} ({sysctl.why})")

    value = sysctl.wanted.split()[0] if sysctl.wanted[0].isdigit() else "core"
    fix = f"sysctl -w {sysctl.name}={value}, and a file in /etc/sysctl.d to keep it"
    return Check(f"kernel.sysctl.{sysctl.name}", sysctl.name, Severity.WARNING, _here(look), fix)


def _landlock(facts: KernelFacts) -> Seen:
    evidence = f"ABI {facts.landlock}" if facts.landlock else "not offered"
    return either(facts.landlock > 0, evidence)


def _seccomp(facts: KernelFacts) -> Seen:
    if not facts.same:
        return unknown("the engine runs on another kernel: the live probe decides", Severity.WARNING)
    if facts.seccomp_actions is None:
        return unknown("/proc/sys/kernel/seccomp/actions_avail is missing")
    return either({"errno", "allow"} <= set(facts.seccomp_actions.split()), facts.seccomp_actions)


def _modules(facts: KernelFacts) -> Seen:
    if facts.modules is None:
        return unknown("/proc/modules cannot be read")
    loaded = sorted(facts.modules & _SUSPECT_MODULES)
    return failed(", ".join(loaded)) if loaded else passed("none of " + ", ".join(sorted(_SUSPECT_MODULES)))


def _cpu(facts: KernelFacts) -> Seen:
    if facts.cpu_holes is None:
        return unknown(f"{_CPU_HOLES} cannot be read")
    return either(not facts.cpu_holes, ", ".join(facts.cpu_holes) or "all mitigated, says the kernel")


_W, _I = Severity.WARNING, Severity.INFO

CHECKS: Final[tuple[Check[KernelFacts], ...]] = (
    Check("kernel.release", "release", _I, lambda facts: passed(facts.release)),
    Check(
        "kernel.seccomp",
        "seccomp filters",
        Severity.FATAL,
        _seccomp,
        "use a kernel with CONFIG_SECCOMP_FILTER",
    ),
    Check(
        "kernel.landlock",
        "Landlock",
        _W,
        _here(_landlock),
        "use a kernel of 5.13 or later with Landlock enabled; levels that require it deny every run without",
    ),
    Check(
        "kernel.openat2",
        "openat2",
        _I,
        lambda facts: either(facts.openat2, "available" if facts.openat2 else "missing"),
        "use a kernel of 5.6 or later",
    ),
    Check(
        "kernel.lsm",
        "security modules",
        _I,
        lambda facts: unknown("not readable") if facts.lsm is None else passed(facts.lsm),
    ),
    Check(
        "kernel.modules",
        "no module with a recent hole is loaded",
        _W,
        _here(_modules),
        "unload and blacklist what is not needed; sandboxes cannot reach them (live probe), other users can",
    ),
    Check(
        "kernel.cpu",
        "CPU holes are mitigated",
        _I,
        _here(_cpu),
        "update microcode and kernel; side channels are not promised to be closed",
    ),
    *(_sysctl_check(sysctl) for sysctl in SYSCTLS),
)
