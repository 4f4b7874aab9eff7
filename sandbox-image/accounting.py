"""What the kernel says this sandbox used, and what it is confined to: cgroup files and /proc, v1 and v2 alike.

Runs inside the sandbox on the standard library alone. A number the kernel does not give is None, never a guess.
"""

from __future__ import annotations

import fcntl
import resource
import sys
import time

from lean import os, suppress

FIONREAD = 0x541B  # asm-generic/ioctls.h; the termios module would be one more library to load at each boot


def _read(path: str) -> str | None:
    """The text of a small kernel file, or None. Without file objects: those cost five times as much per run."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        pieces = []
        while piece := os.read(fd, 65536):
            pieces.append(piece)
        return b"".join(pieces).decode("utf-8", "replace")
    except OSError:
        return None
    finally:
        os.close(fd)


V2 = _read("/sys/fs/cgroup/cgroup.controllers") is not None


def _cgroup(v1: str, v2: str) -> str | None:
    return _read(f"/sys/fs/cgroup/{v2 if V2 else v1}")


def _number(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None  # "max"


def _field(text: str | None, key: str) -> int | None:
    for line in (text or "").splitlines():
        name, _, value = line.replace(":", " ").partition(" ")
        if name == key:
            return _number(value)
    return None


def memory_peak() -> int | None:
    return _number(_cgroup("memory/memory.max_usage_in_bytes", "memory.peak"))


def oom_kills() -> int | None:
    return _field(_cgroup("memory/memory.oom_control", "memory.events"), "oom_kill")


def pids_peak() -> int | None:
    return _number(_cgroup("pids/pids.peak", "pids.peak"))


class Pids:
    """How many processes and threads there are. The file stays open, and what is read is small: when memory ends, a
    look must not be what takes the next page, or it is the supervisor that is killed."""

    def __init__(self) -> None:
        self._fd: int | None = None
        with suppress(OSError):
            path = "pids.current" if V2 else "pids/pids.current"
            self._fd = os.open(f"/sys/fs/cgroup/{path}", os.O_RDONLY | os.O_CLOEXEC)

    def current(self) -> int | None:
        if self._fd is None:
            return None
        with suppress(OSError):
            return _number(os.pread(self._fd, 32, 0).decode("ascii", "replace"))
        return None


class Writes:
    """What one process writes from now on. The file stays open: a zombie's could not be opened, but can be read."""

    def __init__(self, pid: int) -> None:
        self._fd = os.open(f"/proc/{pid}/io", os.O_RDONLY | os.O_CLOEXEC)
        self._last = (0, 0)
        self._before = self._read()

    def _read(self) -> tuple[int, int]:
        try:
            text = os.pread(self._fd, 400, 0).decode()  # about 200
        except OSError:  # it hid itself, which the second seccomp stage forbids: what was seen before stays true
            return self._last
        self._last = _field(text, "wchar") or 0, _field(text, "write_bytes") or 0
        return self._last

    def so_far(self) -> tuple[int, int]:
        """(bytes given to write(2) and its kin, bytes sent to a block device)."""
        wchar, blocks = self._read()
        return wchar - self._before[0], blocks - self._before[1]


def unread(fd: int) -> int:
    """Bytes that wait in a pipe."""
    return int.from_bytes(fcntl.ioctl(fd, FIONREAD, b"\0" * 4), sys.byteorder)


def cpu_seconds(pid: int) -> float | None:
    """User and system time of another process: its CPU clock, as clock_getcpuclockid(3) numbers it."""
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return None


def _cpu_quota() -> tuple[int | None, int | None]:
    if V2:
        quota, _, period = (_read("/sys/fs/cgroup/cpu.max") or "").partition(" ")
        return _number(quota), _number(period)
    return _number(_read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")), _number(_read("/sys/fs/cgroup/cpu/cpu.cfs_period_us"))


def _swap() -> int | None:
    """Memory and swap together, in bytes (v2 counts swap alone: added up here)."""
    if not V2:
        return _number(_read("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"))
    memory, swap = _number(_read("/sys/fs/cgroup/memory.max")), _number(_read("/sys/fs/cgroup/memory.swap.max"))
    return None if memory is None or swap is None else memory + swap


def _mounts() -> dict[str, list[str]]:
    """Mount point -> sorted options, of every mount the executor could reach by a writable path, and the root."""
    table = {}
    for line in (_read("/proc/self/mountinfo") or "").splitlines():
        fields = line.split()
        if fields[4] in ("/", "/tmp", "/vault", "/dev/shm", "/dev/mqueue"):
            table[fields[4]] = sorted(fields[5].split(","))
    return table


def _interfaces() -> list[str]:
    lines = (_read("/proc/net/dev") or "").splitlines()[2:]
    return sorted(line.partition(":")[0].strip() for line in lines)


def posture(landlock: int) -> dict[str, object]:
    """The facts that the host compares with what it asked the engine for."""
    status = dict(line.split(":", 1) for line in (_read("/proc/self/status") or "").splitlines())
    quota, period = _cpu_quota()
    return {
        "uid": [int(part) for part in status["Uid"].split()],
        "gid": [int(part) for part in status["Gid"].split()],
        "groups": [int(part) for part in status["Groups"].split()],
        "no_new_privs": int(status["NoNewPrivs"]),
        "seccomp": int(status["Seccomp"]),
        "capabilities": {name: int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")},
        "memory_bytes": _number(_cgroup("memory/memory.limit_in_bytes", "memory.max")),
        "memory_swap_bytes": _swap(),
        "pids_max": _number(_cgroup("pids/pids.max", "pids.max")),
        "cpu_quota_us": quota,
        "cpu_period_us": period,
        "mounts": _mounts(),
        "interfaces": _interfaces(),
        "landlock": landlock,
        "nofile": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "fsize": resource.getrlimit(resource.RLIMIT_FSIZE)[1],
        "core": resource.getrlimit(resource.RLIMIT_CORE)[1],
        "cgroup_version": 2 if V2 else 1,
    }
