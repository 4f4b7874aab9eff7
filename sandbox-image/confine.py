"""What the executor locks itself into before any foreign code runs: rlimits, Landlock, a second seccomp filter.

Runs inside the sandbox on the standard library alone. Everything here only ever takes rights away, and raises
``OSError`` when the kernel refuses: the caller then runs nothing. System calls go through ``_ctypes`` (lean.py says why
not ``ctypes``), which is loaded before the fork and taken out of ``sys.modules`` afterwards; that a skill might load it
again does not matter, since native code meets the same kernel filters.

Numbers are from the kernel's UAPI headers (linux/landlock.h, linux/seccomp.h, linux/prctl.h, asm/unistd.h).
"""

from __future__ import annotations

import _ctypes
import _stat as stat
import errno
import resource
import struct

from lean import os

TYPE_CHECKING = False  # typing costs time and memory in every sandbox; mypy knows the name
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    Instruction = tuple[int, int, int, int]


class _Long(_ctypes._SimpleCData):  # type: ignore[type-arg] # it takes none at run time
    _type_ = "l"


class _Address(_ctypes._SimpleCData):  # type: ignore[type-arg]
    """Of a bytes object's content."""

    _type_ = "z"


class _Function(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = _Long


_program = _ctypes.dlopen(None, 0)  # type: ignore[arg-type] # None: what is loaded already, libc among it
_syscall = _Function(_ctypes.dlsym(_program, "syscall"))

PR_SET_DUMPABLE = 4
PR_SET_NAME, PR_GET_NAME = 15, 16
PR_SET_VMA = 0x53564D41  # glibc names its arenas with it

_LANDLOCK_CREATE_RULESET, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT_SELF = 444, 445, 446
_RULE_PATH_BENEATH = 1

FS_EXECUTE, FS_WRITE_FILE, FS_READ_FILE, FS_READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
FS_REMOVE_DIR, FS_REMOVE_FILE = 1 << 4, 1 << 5
FS_MAKE_DIR, FS_MAKE_REG = 1 << 7, 1 << 8
FS_REFER, FS_TRUNCATE, FS_IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
READ = FS_READ_FILE | FS_READ_DIR
WRITE = READ | FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_REFER | FS_TRUNCATE
# every right of the first ABI, then what each later one added
_HANDLED_FS = {1: (1 << 13) - 1, 2: FS_REFER, 3: FS_TRUNCATE, 5: FS_IOCTL_DEV}
_NET_ABI, _NET_ALL = 4, 0b11  # TCP bind and connect
_SCOPE_ABI, _SCOPE_ALL = 6, 0b11  # abstract unix sockets, signals to processes outside

# What CPython itself opens: its library, shared objects, time zones, three devices. No /proc, no /sys, no /etc.
SYSTEM_READ = ("/usr/lib", "/usr/share/zoneinfo", "/opt/orchestrator/site", "/dev/zero", "/dev/urandom", "/dev/random")
SYSTEM_WRITE = ("/tmp", "/dev/null")


def _checked(number: int, *arguments: int | bytes | None) -> int:
    """A system call: integers as ``long``, bytes as the address of their content, None as NULL."""
    result = int(_syscall(*(_Long(value) if isinstance(value, int) else value for value in (number, *arguments))))
    if result < 0:
        code = _ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def set_dumpable(value: int) -> None:
    """Whether processes of the same user may ptrace this one or open its /proc files."""
    _checked(_numbers()["prctl"], PR_SET_DUMPABLE, value, 0, 0, 0)


def landlock_abi() -> int:
    """The kernel's Landlock ABI version, 0 where there is none (or a seccomp filter hides it)."""
    try:
        return _checked(_LANDLOCK_CREATE_RULESET, None, 0, 1)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
            return 0
        raise


def _open_without_links(path: str) -> int:
    """A descriptor of the absolute ``path``. A link on the way ends in NotADirectoryError: a grant names a place of the
    vault, and a link there must not turn it into a grant of another, perhaps forbidden, one."""
    fd = os.open("/", os.O_PATH | os.O_CLOEXEC)
    for part in path.strip("/").split("/"):
        try:
            following = os.open(part, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=fd)
        finally:
            os.close(fd)
        fd = following
    return fd


def _allow_beneath(ruleset: int, path: str, rights: int) -> None:
    """Grant ``rights`` beneath ``path``; a path that does not exist, or is reached by a link, grants nothing."""
    try:
        fd = _open_without_links(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        mode = os.fstat(fd).st_mode
        if stat.S_ISLNK(mode):
            return
        if not stat.S_ISDIR(mode):
            rights &= FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV
        rule = struct.pack("=Qi", rights, fd)
        _checked(_LANDLOCK_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(fd)


class Ruleset:
    """A Landlock domain in the making: what every run may open is in it before the job is known, its grants come last.

    ``restrict`` enters it: below ``read`` files can be read, below ``write`` also changed, nothing else opened. It also
    denies TCP, and signals and abstract sockets to the outside, where the kernel can.
    """

    def __init__(self, abi: int) -> None:
        self._handled, self._fd = _create_ruleset(abi)
        self._allow(SYSTEM_READ, READ)
        self._allow(SYSTEM_WRITE, WRITE)

    def _allow(self, paths: Iterable[str], rights: int) -> None:
        for path in paths:
            _allow_beneath(self._fd, path, rights & self._handled)

    def restrict(self, read: Iterable[str], write: Iterable[str]) -> None:
        self._allow(read, READ)
        self._allow(write, WRITE)
        _checked(_LANDLOCK_RESTRICT_SELF, self._fd, 0)

    def close(self) -> None:
        os.close(self._fd)


def _create_ruleset(abi: int) -> tuple[int, int]:
    """(the rights to files that are handled, descriptor) of an empty ruleset that denies all this ABI can deny."""
    handled = 0
    for version, rights in _HANDLED_FS.items():
        if abi >= version:
            handled |= rights
    net = _NET_ALL if abi >= _NET_ABI else 0
    scope = _SCOPE_ALL if abi >= _SCOPE_ABI else 0
    attributes = struct.pack("=QQQ", handled, net, scope)
    size = 24 if scope else 16 if net else 8
    return handled, _checked(_LANDLOCK_CREATE_RULESET, attributes, size, 0)


# --- the second seccomp stage ------------------------------------------------------------------------------------

_ARCHITECTURES = {
    # machine: (AUDIT_ARCH, {name: number})
    "x86_64": (
        0xC000003E,
        {"clone": 56, "fork": 57, "vfork": 58, "execve": 59, "ptrace": 101, "prctl": 157, "seccomp": 317,
         "execveat": 322, "clone3": 435, "process_vm_readv": 310, "process_vm_writev": 311},
    ),
    "aarch64": (
        0xC00000B7,
        {"clone": 220, "execve": 221, "ptrace": 117, "prctl": 167, "seccomp": 277, "execveat": 281, "clone3": 435,
         "process_vm_readv": 270, "process_vm_writev": 271},
    ),
}  # fmt: skip
_DENIED_OUTRIGHT = ("fork", "vfork", "execve", "execveat", "ptrace", "seccomp", "process_vm_readv", "process_vm_writev")
_LANDLOCK_CALLS = (_LANDLOCK_CREATE_RULESET, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT_SELF)
_CLONE_THREAD = 0x00010000
_ALLOWED_PRCTLS = (PR_SET_NAME, PR_GET_NAME, PR_SET_VMA)

_LOAD, _JUMP_EQUAL, _JUMP_SET, _JUMP_GE, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCH, _ARG0_LOW = 0, 4, 16  # offsets in struct seccomp_data
_X32_BIT = 0x40000000


def second_stage(machine: str) -> list[Instruction]:
    """The filter as a list of (code, jump if true, jump if false, operand): no new process, no exec, no ptrace.

    Threads still work: ``clone`` passes with CLONE_THREAD, ``clone3`` says ENOSYS so that glibc falls back to it.
    """
    arch, numbers = _ARCHITECTURES[machine]

    def when(number: int, *body: Instruction) -> list[Instruction]:
        return [(_JUMP_EQUAL, 0, len(body), number), *body]

    def refuse(code: int) -> Instruction:
        return (_RETURN, 0, 0, _ERRNO | code)

    program = [
        (_LOAD, 0, 0, _ARCH),
        (_JUMP_EQUAL, 1, 0, arch),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        program += [(_JUMP_GE, 0, 1, _X32_BIT), (_RETURN, 0, 0, _KILL_PROCESS)]
    for number in (*(numbers[name] for name in _DENIED_OUTRIGHT if name in numbers), *_LANDLOCK_CALLS):
        program += when(number, refuse(errno.EPERM))
    program += when(numbers["clone3"], refuse(errno.ENOSYS))
    program += when(
        numbers["clone"],
        (_LOAD, 0, 0, _ARG0_LOW),
        (_JUMP_SET, 1, 0, _CLONE_THREAD),
        refuse(errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
    )
    harmless = [(_JUMP_EQUAL, len(_ALLOWED_PRCTLS) - index, 0, option) for index, option in enumerate(_ALLOWED_PRCTLS)]
    program += when(numbers["prctl"], (_LOAD, 0, 0, _ARG0_LOW), *harmless, refuse(errno.EPERM), (_RETURN, 0, 0, _ALLOW))
    program.append((_RETURN, 0, 0, _ALLOW))
    return program


def _numbers() -> dict[str, int]:
    """This machine's system call numbers."""
    return _ARCHITECTURES[os.uname().machine][1]


def deny_new_processes() -> None:
    """Install the second stage on every thread of this process. It cannot be taken off again."""
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in second_stage(os.uname().machine))
    program = struct.pack("@H6x", len(code) // 8) + bytes(_Address(code))  # struct sock_fprog: length, padding, address
    set_mode_filter, tsync = 1, 1
    _checked(_numbers()["seccomp"], set_mode_filter, tsync, program)


def limit_resources(limits: Mapping[str, Any]) -> None:
    """rlimits for this run; hard = soft, so they cannot be raised. CPU has the supervisor before it: a backstop."""
    cpu = max(1, int(limits["cpu_seconds"]) + 2)
    for kind, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (ceiling, ceiling))
