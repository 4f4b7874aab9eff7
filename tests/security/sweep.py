"""The raw sweep: every x86-64 system call number, made with harmless bad arguments, and what answers it.

There is no command that regenerates the golden file: where it differs the test prints the new lines, and whoever
accepts them reads each one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

LAST: Final = 511  # numbers that the kernel does not have yet are swept too
NEWEST_NAMED: Final = 446  # landlock_restrict_self
GOLDEN: Final = Path(__file__).with_name("syscalls.golden")

# Not made, because they do not come back. The first three are allowed and must be. The kernel passes the last two by
# every filter on purpose (they are for its own probes' trampolines) and answers anybody else with SIGILL.
SKIPPED: Final = {15: "rt_sigreturn", 60: "exit", 231: "exit_group", 335: "uretprobe", 336: "uprobe"}

# Where -1 everywhere would be refused by an argument rule, or do something: arguments that pass the rules and stop at
# the kernel. clone: CLONE_THREAD without CLONE_SIGHAND is EINVAL.
ARGUMENTS: Final = {
    16: (-1, 0x5401, 0),  # ioctl TCGETS
    53: (1, -1, -1, -1),  # socketpair AF_UNIX
    56: (0x00010000, 0, 0, 0, 0),  # clone
    90: (-1, 0o644),  # chmod
    91: (-1, 0o644),  # fchmod
    95: (0o022,),  # umask
    157: (3, 0, 0, 0, 0),  # prctl PR_GET_DUMPABLE
    202: (0, 129, 1, 0, 0, 0),  # futex FUTEX_WAKE, private
    257: (-1, -1, 0, 0o644),  # openat
    268: (-1, -1, 0o644),  # fchmodat
    302: (0, -1, 0, 0),  # prlimit64 of oneself
    317: (1, -1, -1),  # seccomp SET_MODE_FILTER
}

CODE: Final = """
import ctypes, errno

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def verdict(number, arguments):
    ctypes.set_errno(0)
    if libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments)) >= 0:
        return "allowed"
    code = ctypes.get_errno()
    if code in (errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EXDEV, errno.ENOTSOCK):
        return errno.errorcode[code].replace("EOPNOTSUPP", "ENOTSUP")
    return "allowed"


def main(last, skipped, arguments):
    return {
        str(number): verdict(number, arguments.get(str(number), [-1] * 6))
        for number in range(last + 1)
        if number not in skipped
    }
"""


def golden() -> dict[int, tuple[str, str, str]]:
    """Number -> (name, verdict of the profile alone, verdict with the second stage)."""
    lines = [line.split() for line in GOLDEN.read_text().splitlines() if line and not line.startswith("#")]
    return {int(number): (name, first, both) for number, name, first, both in lines}
