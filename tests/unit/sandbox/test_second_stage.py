"""The second seccomp filter as a program, run by a small interpreter: so that aarch64 is examined on any machine."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from typing import Any

import pytest

ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOSYS = ERRNO | errno.EPERM, ERRNO | errno.ENOSYS
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
I386, X32 = 0x40000003, 0x40000000

# From the kernel's unistd.h of each architecture.
NUMBERS = {
    "x86_64": {
        "read": 0, "clone": 56, "fork": 57, "vfork": 58, "execve": 59, "ptrace": 101, "prctl": 157, "openat": 257,
        "process_vm_readv": 310, "process_vm_writev": 311, "seccomp": 317, "execveat": 322, "clone3": 435,
    },
    "aarch64": {
        "openat": 56, "read": 63, "ptrace": 117, "prctl": 167, "clone": 220, "execve": 221, "process_vm_readv": 270,
        "process_vm_writev": 271, "seccomp": 277, "execveat": 281, "clone3": 435,
    },
}  # fmt: skip
LANDLOCK = (444, 445, 446)
CLONE_THREAD, CLONE_VM, SIGCHLD = 0x10000, 0x100, 17
PR_SET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_SET_SECCOMP, PR_SET_VMA = 4, 15, 16, 22, 0x53564D41


@pytest.fixture
def confine(program: Callable[[str], Any]) -> Any:
    return program("confine")


def answer(program: Sequence[tuple[int, int, int, int]], arch: int, number: int, argument: int = 0) -> int:
    """What a kernel does with a classic BPF program of the instructions that a seccomp filter of ours uses."""
    fields = {0: number, 4: arch, 16: argument & 0xFFFFFFFF, 20: argument >> 32}
    at, accumulator = 0, 0
    while True:
        code, if_true, if_false, operand = program[at]
        assert 0 <= if_true <= 255
        assert 0 <= if_false <= 255
        at += 1
        if code == 0x06:
            return operand
        if code == 0x20:
            accumulator = fields[operand]
            continue
        met = {
            0x15: accumulator == operand,
            0x35: accumulator >= operand,
            0x45: bool(accumulator & operand),
        }[code]
        at += if_true if met else if_false


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_every_number(confine: Any, machine: str) -> None:
    program, arch, names = confine.second_stage(machine), ARCHITECTURES[machine], NUMBERS[machine]
    refused = {names[name]: EPERM for name in names if name not in ("clone3", "read", "openat")}
    refused |= dict.fromkeys(LANDLOCK, EPERM) | {names["clone3"]: ENOSYS}
    for number in range(600):
        assert answer(program, arch, number) == refused.get(number, ALLOW), number


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_threads_pass_and_processes_do_not(confine: Any, machine: str) -> None:
    program, arch, clone = confine.second_stage(machine), ARCHITECTURES[machine], NUMBERS[machine]["clone"]
    assert answer(program, arch, clone, CLONE_THREAD | CLONE_VM) == ALLOW
    for flags in (SIGCHLD, CLONE_VM, 0xFFFFFFFF ^ CLONE_THREAD, 1 << 48):
        assert answer(program, arch, clone, flags) == EPERM


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_prctl_only_names(confine: Any, machine: str) -> None:
    program, arch, prctl = confine.second_stage(machine), ARCHITECTURES[machine], NUMBERS[machine]["prctl"]
    allowed = {option for option in range(100) if answer(program, arch, prctl, option) == ALLOW}
    assert allowed == {PR_SET_NAME, PR_GET_NAME}
    assert answer(program, arch, prctl, PR_SET_VMA) == ALLOW
    assert answer(program, arch, prctl, PR_SET_DUMPABLE) == EPERM
    assert answer(program, arch, prctl, PR_SET_SECCOMP) == EPERM


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_another_architecture_is_killed(confine: Any, machine: str) -> None:
    program = confine.second_stage(machine)
    for arch in {I386, 0, *ARCHITECTURES.values()} - {ARCHITECTURES[machine]}:
        assert answer(program, arch, 0) == KILL


def test_x32_is_killed(confine: Any) -> None:
    program, arch = confine.second_stage("x86_64"), ARCHITECTURES["x86_64"]
    assert {answer(program, arch, X32 | number) for number in range(600)} == {KILL}
    assert answer(program, arch, X32 - 1) == ALLOW  # no call of any ABI: the kernel's own ENOSYS
