"""The two seccomp filters, by raw system calls: nothing that Python's library does or leaves out plays a part.

Numbers are x86-64's (asm/unistd_64.h). A call is made with arguments that the kernel itself would refuse with another
errno (EFAULT, EBADF, EINVAL ...), so a refusal tells the filter's answer from the kernel's.
"""

from __future__ import annotations

import json
import platform
from typing import Any

import pytest

from orchestrator.errors import EngineError
from tests.security import sweep
from tests.security.lab import PERMISSIVE, Lab, Probe, not_denied, not_open
from tests.support.sandboxes import PROFILE

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are x86-64's")


def _reach(name: str, number: int, *arguments: int | bytes, refusals: tuple[str, ...] = ("EPERM",)) -> Probe:
    return Probe(name, f"reach({', '.join(map(repr, (number, *arguments)))})", refusals)


CLONE_NEWUSER, SIGCHLD = 0x10000000, 17
TMP_FILE = b"/tmp/probe"

# What an ordinary user's process may ask of a kernel: the control has no filter, and nothing else taken off.
FOR_ANY_USER = (
    _reach("unshare(NEWUSER)", 272, CLONE_NEWUSER),
    _reach("setns", 308, -1, 0),
    Probe("clone(NEWUSER)", f"if call(56, {CLONE_NEWUSER | SIGCHLD}, 0, 0, 0, 0) == 0: os._exit(0)"),
    _reach("clone3", 435, -1, -1, refusals=("ENOSYS",)),
    _reach("ptrace(TRACEME)", 101, 0, 0, 0, 0),
    Probe("process_vm_readv", "reach(310, os.getpid(), 0, 0, 0, 0, 0)"),
    Probe("process_vm_writev", "reach(311, os.getpid(), 0, 0, 0, 0, 0)"),
    Probe("pidfd_open", "reach(434, os.getpid(), 0)"),
    _reach("pidfd_getfd", 438, -1, 0, 0),
    _reach("io_uring_setup", 425, 1, 0),
    _reach("io_uring_enter", 426, -1, 0, 0, 0, 0, 0),
    _reach("io_uring_register", 427, -1, 0, 0, 0),
    _reach("mount", 165, 0, 0, 0, 0, 0),
    _reach("open_tree", 428, -1, 0, 0),
    _reach("chroot", 161, 0),
    _reach("iopl", 172, 4),
    _reach("ioperm", 173, -1, -1, 1),
    _reach("settimeofday", 164, -1, 0),
    _reach("clock_settime", 227, 0, -1),
    _reach("perf_event_open", 298, 0, 0, -1, -1, 0),
    _reach("userfaultfd", 323, -1),
    _reach("name_to_handle_at", 303, -1, 0, 0, 0, 0),
    _reach("keyctl", 250, -1, 0, 0, 0, 0),
    _reach("add_key", 248, 0, 0, 0, 0, 0),
    _reach("request_key", 249, 0, 0, 0, 0),
    _reach("memfd_create", 319, b"x", 0),
    _reach("execveat", 322, -1, 0, 0, 0, 0),
    _reach("splice", 275, -1, 0, -1, 0, 1, 0),
    _reach("vmsplice", 278, -1, 0, 0, 0),
    _reach("tee", 276, -1, -1, 1, 0),
    _reach("sendfile", 40, -1, -1, 0, 1, refusals=("ENOTSOCK",)),
    _reach("copy_file_range", 326, -1, 0, -1, 0, 1, 0, refusals=("EXDEV",)),
    _reach("symlink", 88, 0, 0),
    _reach("symlinkat", 266, 0, -1, 0),
    _reach("link", 86, 0, 0),
    _reach("linkat", 265, -1, 0, -1, 0, 0),
    _reach("mknod", 133, 0, 0, 0),
    _reach("mknodat", 259, -1, 0, 0, 0),
    _reach("setxattr", 188, 0, 0, 0, 0, 0, refusals=("ENOTSUP", "EOPNOTSUPP")),
    _reach("fsetxattr", 190, -1, 0, 0, 0, 0, refusals=("ENOTSUP", "EOPNOTSUPP")),
    _reach("chown", 92, 0, 0, 0),
    _reach("fchownat", 260, -1, 0, 0, 0, 0),
    _reach("personality", 135, 0xFFFFFFFF),
    _reach("setuid", 105, -1),
    _reach("setresuid", 117, -1, -1, -1),
    _reach("capset", 126, 0, 0),
    _reach("sched_setscheduler", 144, 0, -1, 0),
    _reach("sched_setattr", 314, 0, 0, 0),
    _reach("setpriority", 141, -1, 0, 0),
    _reach("ioprio_set", 251, -1, 0, 0),
    _reach("mlockall", 151, -1),
    _reach("set_mempolicy", 238, -1, 0, 0),
    _reach("timer_create", 222, -1, -1, 0),
    _reach("inotify_init1", 294, -1),
    _reach("shmget", 29, 0, 0, 0),
    _reach("msgget", 68, 0, 0),
    _reach("semget", 64, 0, -1, 0),
    _reach("mq_open", 240, 0, 0, 0, 0),
    _reach("openat2", 437, -1, 0, 0, 0),
    _reach("flock", 73, -1, 0),
    _reach("setpgid", 109, -1, -1),
    _reach("rt_sigqueueinfo", 129, -1, 0, 0),
    _reach("prctl(PR_SET_SECCOMP)", 157, 22, -1, 0, 0, 0),
    _reach("socket(AF_UNIX)", 41, 1, 1, 0),
    _reach("socket(AF_INET)", 41, 2, 1, 0),
    _reach("socket(AF_INET6)", 41, 10, 2, 0),
    _reach("socket(AF_NETLINK)", 41, 16, 3, 0),
    _reach("socket(AF_ALG)", 41, 38, 5, 0),
    _reach("socket(AF_VSOCK)", 41, 40, 1, 0),
    _reach("socketpair(AF_INET)", 53, 2, 1, 0, -1),
    _reach("connect", 42, -1, 0, 0),
    _reach("sendmsg", 46, -1, 0, 0),
    Probe("chmod(setuid)", "open('/tmp/a', 'w').close(); os.chmod('/tmp/a', 0o4755)"),
    Probe("fchmod(setgid)", "os.fchmod(os.open('/tmp/b', os.O_CREAT | os.O_WRONLY), 0o2755)"),
    Probe("open(O_CREAT, setuid)", "os.open('/tmp/c', os.O_CREAT | os.O_WRONLY, 0o6755)"),
    _reach("ioctl(TIOCSTI)", 16, 0, 0x5412, 0),
    _reach("ioctl(TIOCSCTTY)", 16, 0, 0x540E, 0),
    _reach("ioctl(FS_IOC_SETFLAGS)", 16, 0, 0x40086602, 0),
    _reach("ioctl(FICLONE)", 16, 0, 0x40049409, -1),
    Probe("prlimit64 of a process by id", "reach(302, os.getpid(), 0, 0, 0)"),
)
# What a kernel asks a capability for before it looks at the arguments: the control is root with all of them.
FOR_ROOT = (
    _reach("pivot_root", 155, 0, 0),
    _reach("move_mount", 429, -1, 0, -1, 0, 0),
    _reach("fsopen", 430, 0, 0),
    _reach("mount_setattr", 442, -1, 0, 0, 0, 0),
    _reach("umount2", 166, 0, 0),
    _reach("swapon", 167, 0, 0),
    _reach("reboot", 169, -1, -1, -1, 0),
    _reach("delete_module", 176, 0, 0),
    _reach("syslog", 103, 10, 0, 0),
    _reach("sethostname", 170, b"probe", 5),
    _reach("bpf", 321, -1, 0, 0),
    _reach("fanotify_init", 300, -1, -1),
    _reach("open_by_handle_at", 304, -1, 0, 0),
    _reach("setgroups", 116, -1, 0),
    _reach("socket(AF_PACKET)", 41, 17, 3, 0),
    _reach("socket(raw ICMP)", 41, 2, 3, 1),
)


def _as_root(options: dict[str, Any]) -> None:
    options["User"] = "0:0"
    options["HostConfig"]["CapDrop"] = []
    options["HostConfig"]["CapAdd"] = [
        "SYS_ADMIN", "SYS_BOOT", "SYS_MODULE", "SYSLOG", "DAC_READ_SEARCH", "NET_RAW", "SETGID",
    ]  # fmt: skip


def test_with_everything_on_each_call_is_refused(lab: Lab) -> None:
    assert not_denied(lab.verdicts(FOR_ANY_USER + FOR_ROOT)) == {}


def test_the_profile_alone_refuses_each_call(lab: Lab) -> None:
    verdicts = lab.verdicts(FOR_ANY_USER + FOR_ROOT, landlock=False, second_stage=False)
    assert not_denied(verdicts) == {}


def test_control_without_a_profile_each_call_gets_through(lab: Lab) -> None:
    verdicts = lab.verdicts(FOR_ANY_USER, spec={"seccomp": PERMISSIVE}, landlock=False, second_stage=False)
    assert not_open(verdicts) == {}


def test_control_as_root_without_a_profile_each_call_gets_through(lab: Lab) -> None:
    off = {"landlock": False, "second_stage": False, "verify": False}
    try:
        verdicts = lab.verdicts(FOR_ROOT, spec={"seccomp": PERMISSIVE}, alter=_as_root, **off)
    except EngineError as error:
        if "unable to apply caps" in str(error):
            pytest.skip("the engine itself lacks a capability that the control needs")
        raise
    assert not_open(verdicts) == {}


# --- the second stage -----------------------------------------------------------------------------------------------

NEW_PROCESSES = (
    Probe("os.fork", "if os.fork() == 0: os._exit(0)"),
    Probe(
        "vfork by subprocess", "import subprocess; subprocess.run(['/usr/bin/python3.13', '-V'], capture_output=True)"
    ),
    Probe("posix_spawn", "os.posix_spawn('/usr/bin/python3.13', ['python3.13', '-V'], {})"),
    Probe("execve", "os.execve('/nowhere', ['x'], {})", ("EPERM",)),
    _reach("clone without CLONE_THREAD", 56, 0x00010000 ^ 0x00010800, 0, 0, 0, 0),
    _reach("execveat", 322, -1, 0, 0, 0, 0),
    _reach("ptrace", 101, 0, 0, 0, 0),
    _reach("process_vm_readv", 310, -1, 0, 0, 0, 0, 0),
    _reach("seccomp", 317, 1, -1, 0),
    _reach("prctl(PR_SET_DUMPABLE)", 157, 4, 0, 0, 0, 0),
    _reach("prctl(PR_CAPBSET_READ)", 157, 23, 0, 0, 0, 0),
    _reach("landlock_create_ruleset", 444, 0, 0, 1),
)
OF_THE_FIRST_STAGE = ("execveat", "ptrace", "process_vm_readv")


def _without_exec(probes: tuple[Probe, ...]) -> tuple[Probe, ...]:
    """execve of what does not exist ends in ENOENT, which the control takes for getting through."""
    return tuple(
        Probe(probe.name, f"try: {probe.attempt}\nexcept FileNotFoundError: pass") if probe.name == "execve" else probe
        for probe in probes
    )


def test_the_second_stage_alone_refuses_new_processes(lab: Lab) -> None:
    assert not_denied(lab.verdicts(NEW_PROCESSES, spec={"seccomp": PERMISSIVE}, landlock=False)) == {}
    assert not_denied(lab.verdicts(NEW_PROCESSES)) == {}


def test_control_without_the_second_stage_they_get_through(lab: Lab) -> None:
    probes = _without_exec(NEW_PROCESSES)
    assert not_open(lab.verdicts(probes, spec={"seccomp": PERMISSIVE}, landlock=False, second_stage=False)) == {}
    first_stage_only = lab.verdicts(probes, landlock=False, second_stage=False)
    assert set(not_open(first_stage_only)) == set(OF_THE_FIRST_STAGE)


THREAD_STATES = """
import os, threading
gate = threading.Event()
threads = [threading.Thread(target=gate.wait) for _ in range(3)]
for thread in threads: thread.start()
result = []
for task in os.listdir("/proc/self/task"):
    with open(f"/proc/self/task/{task}/status") as file:
        fields = dict(line.split(":", 1) for line in file.read().splitlines())
    result.append([int(fields[name]) for name in ("NoNewPrivs", "Seccomp", "Seccomp_filters")])
gate.set()
"""


def test_both_filters_and_no_new_privs_are_on_every_thread(lab: Lab) -> None:
    assert lab.value(THREAD_STATES, landlock=False) == [[1, 2, 2]] * 4
    assert lab.value(THREAD_STATES, landlock=False, second_stage=False) == [[1, 2, 1]] * 4  # control


def test_control_a_container_without_no_new_privileges_shows(lab: Lab) -> None:
    def alter(options: dict[str, Any]) -> None:
        options["HostConfig"]["SecurityOpt"].remove("no-new-privileges")

    options: dict[str, Any] = {"spec": {"seccomp": PERMISSIVE}, "verify": False}  # runc needs more without it
    states = lab.value(THREAD_STATES, alter=alter, landlock=False, second_stage=False, **options)
    assert {state[0] for state in states} == {0}


# --- other ways into the kernel ---------------------------------------------------------------------------------------

X32 = "import ctypes; ctypes.CDLL(None).syscall(ctypes.c_long(0x40000000 | 39))"  # getpid of the x32 ABI
INT80 = """
import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=7)
page.write(b"\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3")  # mov eax, 20 (getpid); int 0x80; ret
result = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
"""
SIGSYS = 31


@pytest.mark.parametrize("second_stage", [True, False])
@pytest.mark.parametrize("code", [X32, INT80], ids=["x32", "int80"])
def test_a_foreign_abi_kills(lab: Lab, code: str, second_stage: bool) -> None:
    final = lab.outcome(code, second_stage=second_stage).final
    assert final is not None
    assert final.signal == SIGSYS


@pytest.mark.parametrize("code", [X32, INT80], ids=["x32", "int80"])
def test_control_without_filters_a_foreign_abi_does_not_kill(lab: Lab, code: str) -> None:
    def alter(options: dict[str, Any]) -> None:
        options["HostConfig"]["SecurityOpt"] = ["no-new-privileges", "seccomp=unconfined"]

    outcome = lab.outcome(code, alter=alter, verify=False, landlock=False, second_stage=False)
    assert outcome.final is not None
    assert outcome.final.signal is None


STILL_WORKS = """
import asyncio, os, pathlib, shutil, threading
async def main():
    await asyncio.sleep(0)
    return await asyncio.to_thread(lambda: 40 + 2)
with open("/tmp/from", "w") as file: file.write("text")
shutil.copy2("/tmp/from", "/tmp/copy2")
shutil.copyfile("/tmp/from", "/tmp/copyfile")
os.replace("/tmp/copyfile", "/tmp/moved")
done = []
thread = threading.Thread(target=done.append, args=(1,)); thread.start(); thread.join()
result = [asyncio.run(main()), pathlib.Path("/tmp/copy2").read_text(), os.path.exists("/tmp/moved"), done]
"""


def test_what_ordinary_code_needs_still_works(lab: Lab) -> None:
    assert lab.value(STILL_WORKS) == [42, "text", True, [1]]


# --- the sweep --------------------------------------------------------------------------------------------------------


def _swept(lab: Lab, *, second_stage: bool) -> dict[int, str]:
    inputs = {
        "last": sweep.LAST,
        "skipped": list(sweep.SKIPPED),
        "arguments": {str(number): list(arguments) for number, arguments in sweep.ARGUMENTS.items()},
    }
    value = lab.value(sweep.CODE, entrypoint="main", inputs=inputs, landlock=False, second_stage=second_stage)
    # Past the newest call that the profile names, runc answers ENOSYS where other runtimes answer EPERM.
    return {
        int(number): "EPERM" if int(number) > sweep.NEWEST_NAMED and verdict == "ENOSYS" else verdict
        for number, verdict in value.items()
    }


def test_every_system_call_is_answered_as_the_golden_file_says(lab: Lab) -> None:
    known = sweep.golden()
    first, both = _swept(lab, second_stage=False), _swept(lab, second_stage=True)
    found = {number: (known.get(number, (f"nr_{number}",))[0], first[number], both[number]) for number in sorted(first)}
    differs = [f"{number} {' '.join(line)}" for number, line in found.items() if known.get(number) != line]
    assert differs == [], "accept a line only after you know why"
    assert known.keys() == found.keys()


def test_the_sweep_never_finds_more_allowed_with_the_second_stage_on(lab: Lab) -> None:
    lines = sweep.golden().values()
    assert not [name for name, first, both in lines if both == "allowed" and first != "allowed"]
    assert {name for name, first, both in lines if first == "allowed" != both} == {
        "execve", "prctl", "seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self",
    }  # fmt: skip


def test_control_the_sweep_sees_an_allowed_call(lab: Lab) -> None:
    """With one call added to the profile the sweep differs in exactly that call."""
    profile = json.loads(PROFILE)
    profile["syscalls"].append({"names": ["memfd_create"], "action": "SCMP_ACT_ALLOW"})
    inputs = {"last": 330, "skipped": list(sweep.SKIPPED), "arguments": {
        str(number): list(arguments) for number, arguments in sweep.ARGUMENTS.items()
    }}  # fmt: skip
    value = lab.value(sweep.CODE, entrypoint="main", inputs=inputs, landlock=False, second_stage=False,
                      spec={"seccomp": json.dumps(profile)})  # fmt: skip
    known = sweep.golden()
    assert [number for number, verdict in value.items() if known[int(number)][1] != verdict] == ["319"]


def test_the_profile_is_small_and_names_native_architectures_only() -> None:
    profile = json.loads(PROFILE)
    allowed = {name for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
    assert len(allowed) <= 120
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert all(not entry["subArchitectures"] for entry in profile["archMap"])
