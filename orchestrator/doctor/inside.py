# ruff: noqa: PTH108, PTH123, BLE001 - runs inside the sandbox: small, and nothing may stop it from answering
"""Runs inside a sandbox, as the live probe's job: tries what no skill may do, and says what the kernel answered.

Each attempt is harmless where it succeeds, and made so that success can be told from refusal by the error number: a
path that does not exist, a process that is none, an empty program. What the numbers mean is judged on the host
(probe.py). The standard library alone; system calls by number through ctypes.
"""

import ctypes
import os
import socket
from collections.abc import Callable
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long

# x86_64, aarch64
NUMBERS = {
    "mount": (165, 40), "ptrace": (101, 117), "unshare": (272, 97), "keyctl": (250, 219), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "memfd_create": (319, 279),
    "splice": (275, 76), "process_vm_readv": (310, 270), "open_by_handle_at": (304, 265), "pidfd_open": (434, 434),
    "symlinkat": (266, 36), "mknodat": (259, 33), "setns": (308, 268), "execve": (59, 221),
}  # fmt: skip
NOBODY = 0x3FFFFFFF  # no process has this number
BAD_FD = -1
CLONE_NEWUSER = 0x10000000


def call(name: str, *arguments: Any) -> None:
    number = NUMBERS[name][os.uname().machine == "aarch64"]
    ctypes.set_errno(0)
    if _syscall(ctypes.c_long(number), *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def read(path: str) -> None:
    with open(path, "rb") as file:
        file.read(1)


def write(path: str) -> None:
    with open(path, "wb"):
        pass
    os.unlink(path)


def fork() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def connect(family: int, kind: int = socket.SOCK_STREAM) -> None:
    socket.socket(family, kind).close()


def attempts() -> dict[str, Callable[[], None]]:
    return {
        "write-root": lambda: write("/probe"),
        "write-system": lambda: write("/usr/lib/probe"),
        "write-supervisor": lambda: write("/opt/orchestrator/probe"),
        "read-passwd": lambda: read("/etc/passwd"),
        "read-supervisor": lambda: read("/opt/orchestrator/supervisor.py"),
        "read-environment": lambda: read("/proc/1/environ"),
        "read-memory": lambda: read("/proc/1/mem"),
        "socket-inet": lambda: connect(socket.AF_INET),
        "socket-inet6": lambda: connect(socket.AF_INET6),
        "socket-unix": lambda: connect(socket.AF_UNIX),
        "socket-netlink": lambda: connect(16, socket.SOCK_RAW),
        "socket-alg": lambda: connect(38, 5),
        "socket-vsock": lambda: connect(40),
        "fork": fork,
        "execve": lambda: call("execve", b"/no/such/program", None, None),
        "mount": lambda: call("mount", None, None, None, 0, None),
        "ptrace": lambda: call("ptrace", 3, NOBODY, None, None),
        "process-memory": lambda: call("process_vm_readv", NOBODY, None, 0, None, 0, 0),
        "user-namespace": lambda: call("unshare", CLONE_NEWUSER),
        "enter-namespace": lambda: call("setns", BAD_FD, 0),
        "keyring": lambda: call("keyctl", 0, -3, 0),
        "bpf": lambda: call("bpf", 0, None, 0),
        "perf": lambda: call("perf_event_open", None, 0, -1, -1, 0),
        "userfaultfd": lambda: call("userfaultfd", -1),
        "io-uring": lambda: call("io_uring_setup", 0, None),
        "memfd": lambda: call("memfd_create", b"probe", 0),
        "splice": lambda: call("splice", BAD_FD, None, BAD_FD, None, 0, 0),
        "open-by-handle": lambda: call("open_by_handle_at", BAD_FD, None, 0),
        "pidfd": lambda: call("pidfd_open", NOBODY, 0),
        "symlink": lambda: call("symlinkat", b"x", BAD_FD, b"probe"),
        "mknod": lambda: call("mknodat", BAD_FD, b"probe", 0o010600, 0),
    }


def outcome(attempt: Callable[[], None]) -> int:
    """0 for success, else the error number; -1 for something that is no answer of the kernel's."""
    try:
        attempt()
    except OSError as error:
        return error.errno or -1
    except Exception:
        return -1
    return 0


def main() -> dict[str, int]:
    return {name: outcome(attempt) for name, attempt in attempts().items()}
