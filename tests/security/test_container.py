"""What the engine's container gives and hides, seen by a skill with the inner layers taken off.

Each control is the same probe in a container with that one option weakened. The host's process namespace is never
shared, not even in a control: the supervisor ends its run by killing everything it can see.
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import EngineError
from tests.security.lab import PERMISSIVE, Alter, Lab, Probe, not_denied, not_open
from tests.support.sandboxes import job_of

# Seccomp permissive, no Landlock, no second stage: what is left is the container itself.
BARE: dict[str, Any] = {"landlock": False, "second_stage": False}
OPEN_PROFILE: dict[str, Any] = {"seccomp": PERMISSIVE}


def host_option(**changes: Any) -> Alter:
    return lambda options: options["HostConfig"].update(changes)


def user(name: str) -> Alter:
    return lambda options: options.update(User=name)


def both(*alters: Alter) -> Alter:
    def alter(options: dict[str, Any]) -> None:
        for each in alters:
            each(options)

    return alter


# --- who the skill is -------------------------------------------------------------------------------------------------

IDENTITY = """
import os
with open("/proc/self/status") as file:
    fields = dict(line.split(":", 1) for line in file.read().splitlines())
result = {
    "uid": fields["Uid"].split(), "gid": fields["Gid"].split(), "groups": fields["Groups"].split(),
    "caps": sorted({fields[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}),
    "pid": os.getpid() > 1, "parent": os.getppid(), "cwd": os.getcwd(), "host": os.uname().nodename,
}
"""


def test_identity(lab: Lab) -> None:
    assert lab.value(IDENTITY, **BARE) == {
        "uid": ["1000"] * 4, "gid": ["1000"] * 4, "groups": ["1000"], "caps": ["0" * 16], "pid": True, "parent": 1,
        "cwd": "/", "host": "sandbox",
    }  # fmt: skip


def test_control_identity_of_root(lab: Lab) -> None:
    weak = both(user("0:0"), host_option(CapDrop=[]))
    found = lab.value(IDENTITY, alter=weak, verify=False, **BARE)
    assert found["uid"] == ["0"] * 4
    assert found["caps"] != ["0" * 16]


ENVIRONMENT = "import os\nresult = dict(os.environ)"


def test_environment_is_exactly_this(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBE_SECRET", "canary")
    assert lab.value(ENVIRONMENT) == {"PATH": "/usr/bin", "HOSTNAME": "sandbox", "LANG": "C.UTF-8", "HOME": "/"}


def test_control_an_added_variable_shows(lab: Lab) -> None:
    found = lab.value(ENVIRONMENT, alter=lambda options: options.update(Env=["CANARY=1"]), verify=False)
    assert found["CANARY"] == "1"


DESCRIPTORS = """
import fcntl, os
result = {}
for fd in range(256):
    try:
        flags = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE
        result[fd] = [os.readlink(f"/proc/self/fd/{fd}").partition("[")[0], flags]
    except OSError:
        pass
"""


def test_descriptors_at_the_start_of_a_job(lab: Lab) -> None:
    """0: /dev/null; 1 and 2: output; 3: where the job came from; 4: where the result goes."""
    read, write = os.O_RDONLY, os.O_WRONLY
    assert lab.value(DESCRIPTORS, landlock=False) == {
        "0": ["/dev/null", read], "1": ["pipe:", write], "2": ["pipe:", write], "3": ["pipe:", read],
        "4": ["pipe:", write]
    }  # fmt: skip


def test_control_a_descriptor_more_shows(lab: Lab) -> None:
    assert "5" in lab.value("import os\nos.open('/dev/zero', os.O_RDONLY)\n" + DESCRIPTORS, landlock=False)


# --- files ------------------------------------------------------------------------------------------------------------

READ_ONLY = ("EROFS",)
ROOT_FILES = tuple(
    Probe(f"write {path}", f"open({path!r}, 'w').close()", READ_ONLY)
    for path in (
        "/x", "/etc/x", "/usr/x", "/usr/lib/python3.13/json/__init__.py", "/opt/orchestrator/supervisor.py",
        "/opt/orchestrator/site/x", "/vault/x",
    )
)  # fmt: skip


def test_the_root_is_read_only_even_for_root(lab: Lab) -> None:
    assert not_denied(lab.verdicts(ROOT_FILES, alter=user("0:0"), verify=False, **BARE)) == {}


def test_control_a_writable_root_is_written(lab: Lab) -> None:
    weak = both(user("0:0"), host_option(ReadonlyRootfs=False, CapAdd=["DAC_OVERRIDE"]))
    assert not_open(lab.verdicts(ROOT_FILES, alter=weak, verify=False, **BARE)) == {}


def test_the_user_could_not_write_a_writable_root_either(lab: Lab) -> None:
    probes = [Probe(probe.name, probe.attempt, ("EACCES",)) for probe in ROOT_FILES]
    assert not_denied(lab.verdicts(probes, alter=host_option(ReadonlyRootfs=False), verify=False, **BARE)) == {}


_MAP_EXECUTABLE = """
import mmap
fd = os.open({path!r}, os.O_RDWR | os.O_CREAT, 0o755)
os.write(fd, b"x" * 4096)
mmap.mmap(fd, 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)
"""
_EXECUTE = """
import shutil
shutil.copyfile("/usr/bin/python3.13", "/tmp/copy")
os.chmod("/tmp/copy", 0o755)
if (pid := os.fork()) == 0:
    try: os.execve("/tmp/copy", ["copy", "-V"], {})
    except OSError as error: os._exit(error.errno)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
if code: raise OSError(code, "execve")
"""
EXECUTABLE = (
    Probe("map /tmp executable", _MAP_EXECUTABLE.format(path="/tmp/code"), ("EPERM",)),
    Probe("execute from /tmp", _EXECUTE, ("EACCES",)),
)
WEAK_TMP = host_option(Tmpfs={"/tmp": "rw,exec,size=16777216,mode=1777"})


def test_nothing_in_tmp_is_executed(lab: Lab) -> None:
    assert not_denied(lab.verdicts(EXECUTABLE, **BARE)) == {}


def test_control_an_executable_tmp(lab: Lab) -> None:
    assert not_open(lab.verdicts(EXECUTABLE, alter=WEAK_TMP, verify=False, **BARE)) == {}


def _open_for_writing(path: str) -> Probe:
    """Only opened, never written, in the controls too."""
    return Probe(f"open {path}", f"os.close(os.open({path!r}, os.O_WRONLY))", ("EROFS", "EACCES"))


PROC_FILES = tuple(map(_open_for_writing, ("/proc/sys/kernel/core_pattern", "/proc/sys/vm/overcommit_memory")))
SYS_FILES = (_open_for_writing("/sys/kernel/mm/transparent_hugepage/enabled"),)


def test_kernel_files_are_read_only_even_for_root(lab: Lab) -> None:
    for options in ({}, {"alter": user("0:0"), "verify": False}):
        assert not_denied(lab.verdicts(PROC_FILES + SYS_FILES, **options, **BARE)) == {}


def test_control_without_read_only_paths_root_opens_sysctls(lab: Lab) -> None:
    weak = both(user("0:0"), host_option(ReadonlyPaths=[], MaskedPaths=[]))
    assert not_open(lab.verdicts(PROC_FILES, alter=weak, verify=False, **BARE)) == {}


def test_control_a_privileged_container_opens_sysfs(lab: Lab) -> None:
    weak = both(user("0:0"), host_option(Privileged=True, CapDrop=[], SecurityOpt=["seccomp=unconfined"]))
    assert _or_skip(lambda: not_open(lab.verdicts(SYS_FILES, alter=weak, verify=False, **BARE))) == {}


def _or_skip(attempt: Callable[[], dict[str, str]]) -> dict[str, str]:
    """Where the engine itself has not all capabilities it cannot give them away, and the control cannot be had."""
    try:
        return attempt()
    except EngineError as error:
        if "unable to apply caps" in str(error):
            pytest.skip("the engine itself lacks a capability that the control needs")
        raise


CGROUP_WRITABLE = """
import os
result = []
for base, _, names in os.walk("/sys/fs/cgroup"):
    for name in names:
        try:
            os.close(os.open(os.path.join(base, name), os.O_WRONLY))
            result.append(os.path.join(base, name))
        except OSError:
            pass
"""


def test_no_cgroup_file_can_be_opened_for_writing(lab: Lab) -> None:
    assert lab.value(CGROUP_WRITABLE, **BARE) == []
    assert lab.value(CGROUP_WRITABLE, alter=user("0:0"), verify=False, **BARE) == []


DEVICES = """
import os, stat
names = [os.path.join(base, name) for base, _, files in os.walk("/dev") for name in files]
result = {}
for name in names:
    status = os.stat(name, follow_symlinks=False)
    if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        result[name] = [stat.S_ISBLK(status.st_mode), os.major(status.st_rdev), os.minor(status.st_rdev)]
"""


def test_only_harmless_devices(lab: Lab) -> None:
    assert lab.value(DEVICES, **BARE) == {
        "/dev/null": [False, 1, 3], "/dev/zero": [False, 1, 5], "/dev/full": [False, 1, 7],
        "/dev/random": [False, 1, 8], "/dev/urandom": [False, 1, 9], "/dev/tty": [False, 5, 0],
        "/dev/pts/ptmx": [False, 5, 2],
    }  # fmt: skip


def test_control_an_added_device_shows(lab: Lab) -> None:
    device = {"PathOnHost": "/dev/null", "PathInContainer": "/dev/kvm", "CgroupPermissions": "r"}
    assert "/dev/kvm" in lab.value(DEVICES, alter=host_option(Devices=[device]), verify=False, **BARE)


SETUID_FILES = """
import os, stat
result = []
for base, directories, files in os.walk("/"):
    directories[:] = [name for name in directories if os.path.join(base, name) not in ("/proc", "/sys", "/dev")]
    for name in files:
        status = os.lstat(os.path.join(base, name))
        if status.st_mode & 0o6000: result.append(os.path.join(base, name))
"""


def test_the_image_holds_no_setuid_file(lab: Lab) -> None:
    assert lab.value(SETUID_FILES, **BARE) == []


def test_control_a_setuid_file_shows(lab: Lab) -> None:
    plant = "import os\nos.close(os.open('/tmp/s', os.O_CREAT | os.O_WRONLY, 0o6755))\n"
    assert lab.value(plant + SETUID_FILES, spec=OPEN_PROFILE, **BARE) == ["/tmp/s"]


MOUNTS = "result = open('/proc/self/mountinfo').read()"
MOUNT_POINTS = re.compile(r"^(/|/proc(/.*)?|/dev(/pts|/mqueue)?|/sys(/.*)?|/tmp|/etc/hostname)$")


def test_mounts_tell_nothing_of_the_user(lab: Lab, state_dir: Path) -> None:
    """Residue, behind Landlock: the engine's data directory, the container's id, and the type of the host's disk."""
    text = lab.value(MOUNTS, **BARE)
    assert [line for line in text.splitlines() if not MOUNT_POINTS.match(line.split()[4])] == []
    for private in (str(Path.home()), str(state_dir), str(Path.cwd())):
        assert f"{private}/" not in text


def test_control_a_bind_mount_shows(lab: Lab) -> None:
    weak = host_option(Binds=["/usr/share:/mnt:ro"])
    text = lab.value(MOUNTS, alter=weak, verify=False, **BARE)
    assert any(not MOUNT_POINTS.match(line.split()[4]) for line in text.splitlines())


CLIMB = "import os\nos.chdir('/proc/self/cwd')\nos.chdir('../' * 20)\nresult = [os.getcwd(), sorted(os.listdir('.'))]"


def test_the_way_up_ends_at_the_root(lab: Lab) -> None:
    cwd, names = lab.value(CLIMB, **BARE)
    assert cwd == "/"
    assert names == sorted(lab.value("import os\nresult = os.listdir('/')", **BARE))


SHADOWS = """
import os, sys
for name in ("json", "random", "sitecustomize", "usercustomize", "colorsys"):
    with open(f"/tmp/{name}.py", "w") as file: file.write("SHADOWED = True")
os.chdir("/tmp")
import colorsys, random
result = [[hasattr(module, "SHADOWED") for module in (colorsys, random)], "" in sys.path, "/tmp" in sys.path]
"""


def test_files_of_the_skill_shadow_no_module(lab: Lab) -> None:
    assert lab.value(SHADOWS) == [[False, False], False, False]


def test_control_a_path_in_front_shadows(lab: Lab) -> None:
    code = SHADOWS.replace("import colorsys, random", "sys.path.insert(0, '/tmp')\nimport colorsys, random")
    assert lab.value(code)[0] == [True, True]


# --- capabilities -----------------------------------------------------------------------------------------------------

PRIVILEGES = (
    Probe("mount", "call(165, b'none', b'/tmp', b'tmpfs', 0, 0)", ("EPERM",)),
    Probe("sethostname", "import socket; socket.sethostname('probe')", ("EPERM",)),
    Probe("unshare(NEWNS)", "os.unshare(os.CLONE_NEWNS)", ("EPERM",)),
    Probe("raw socket", "import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)", ("EPERM",)),
    Probe("device node", "os.mknod('/tmp/memory', 0o020666, os.makedev(1, 3))", ("EPERM",)),
    Probe("setuid", "os.setuid(12345)", ("EPERM",)),
    Probe("chown", "open('/tmp/f', 'w').close(); os.chown('/tmp/f', 1, 1)", ("EPERM",)),
    Probe("negative nice", "os.setpriority(os.PRIO_PROCESS, 0, -5)", ("EPERM", "EACCES")),
    Probe("real-time", "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))", ("EPERM",)),
)
ALL_NEEDED = ["SYS_ADMIN", "NET_RAW", "MKNOD", "SETUID", "CHOWN", "SYS_NICE"]


def test_without_capabilities_nothing_privileged_works(lab: Lab) -> None:
    """Root without a capability: were the user id all that stops these, this would be open."""
    for options in ({}, {"alter": user("0:0"), "verify": False}):
        assert not_denied(lab.verdicts(PRIVILEGES, spec=OPEN_PROFILE, **options, **BARE)) == {}


def test_control_with_capabilities_it_works(lab: Lab) -> None:
    weak = both(user("0:0"), host_option(CapDrop=[], CapAdd=ALL_NEEDED))
    verdicts = _or_skip(lambda: lab.verdicts(PRIVILEGES, spec=OPEN_PROFILE, alter=weak, verify=False, **BARE))
    assert not_open({name: verdict for name, verdict in verdicts.items() if name != "real-time"}) == {}


# --- network and neighbours -------------------------------------------------------------------------------------------


@pytest.fixture
def listeners() -> Iterator[dict[str, Any]]:
    """What the host has that a sandbox must not reach: a TCP port of loopback and an abstract socket."""
    tcp, unix = socket.socket(), socket.socket(socket.AF_UNIX)
    name = f"\0probe-{os.urandom(6).hex()}"
    try:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        unix.bind(name)
        unix.listen()
        yield {"port": tcp.getsockname()[1], "name": name}
    finally:
        tcp.close()
        unix.close()


def _connections(listeners: dict[str, Any]) -> tuple[Probe, ...]:
    unreachable = ("ENETUNREACH", "ECONNREFUSED", "EADDRNOTAVAIL", "EPERM", "EACCES")
    connect = "import socket; s = socket.socket(socket.{}, socket.{}); s.settimeout(3); s.connect({!r})"
    return (
        Probe("loopback", connect.format("AF_INET", "SOCK_STREAM", ("127.0.0.1", listeners["port"])), unreachable),
        Probe("abstract", connect.format("AF_UNIX", "SOCK_STREAM", listeners["name"]), unreachable),
    )


ELSEWHERE = tuple(
    Probe(
        f"{family} {kind} {address}",
        f"import socket; s = socket.socket(socket.{family}, socket.{kind}); s.settimeout(3); s.connect({address!r})",
        ("ENETUNREACH", "ECONNREFUSED", "EADDRNOTAVAIL", "EPERM", "EACCES"),
    )
    for family, kind, address in (
        ("AF_INET", "SOCK_STREAM", ("169.254.169.254", 80)),
        ("AF_INET", "SOCK_STREAM", ("10.0.0.1", 80)),
        ("AF_INET", "SOCK_DGRAM", ("8.8.8.8", 53)),
        ("AF_INET", "SOCK_STREAM", ("172.17.0.1", 2375)),
        ("AF_INET6", "SOCK_STREAM", ("::1", 80)),
        ("AF_INET6", "SOCK_DGRAM", ("2001:4860:4860::8888", 53)),
    )
)


def test_there_is_no_network(lab: Lab, listeners: dict[str, Any]) -> None:
    probes = _connections(listeners) + ELSEWHERE
    assert not_denied(lab.verdicts(probes, spec=OPEN_PROFILE, **BARE)) == {}
    assert not_denied(lab.verdicts(probes)) == {}


def test_control_on_the_hosts_network_its_sockets_are_reached(lab: Lab, listeners: dict[str, Any]) -> None:
    def weak(options: dict[str, Any]) -> None:
        options["HostConfig"]["NetworkMode"] = "host"
        options.update(NetworkDisabled=False, Hostname="")

    verdicts = lab.verdicts(_connections(listeners), spec=OPEN_PROFILE, alter=weak, verify=False, **BARE)
    assert not_open(verdicts) == {}


def test_no_interface_but_loopback_and_no_engine_socket(lab: Lab) -> None:
    code = """
import os, stat
lines = open("/proc/net/dev").read().splitlines()[2:]
sockets = [os.path.join(base, name) for base, _, names in os.walk("/") for name in names
           if not base.startswith("/proc") and stat.S_ISSOCK(os.lstat(os.path.join(base, name)).st_mode)]
result = [[line.partition(":")[0].strip() for line in lines], open("/proc/net/unix").read().count("\\n"), sockets]
"""
    interfaces, unix_lines, sockets = lab.value(code, **BARE)
    assert set(interfaces) <= {"lo"}
    assert unix_lines == 1  # its heading
    assert sockets == []


NAMESPACES = """
import os
result = {name: os.readlink(f"/proc/self/ns/{name}") for name in ("pid", "net", "mnt", "uts", "ipc", "cgroup")}
"""


def test_no_namespace_is_shared_with_the_host_or_a_sibling(lab: Lab) -> None:
    with lab.sandbox() as one, lab.sandbox() as other:
        found = []
        for sandbox in (one, other):
            result = sandbox.run(job_of(NAMESPACES, landlock=False)).result
            assert result is not None
            found.append(result)
    first, second = (json.loads(result[1:]) for result in found)
    host = {name: str(Path(f"/proc/self/ns/{name}").readlink()) for name in first}
    for name in first:
        assert len({first[name], second[name], host[name]}) == 3, name


def test_control_shared_namespaces_show(lab: Lab) -> None:
    def weak(options: dict[str, Any]) -> None:
        options["HostConfig"].update(NetworkMode="host", IpcMode="host", UTSMode="host", CgroupnsMode="host")
        options.update(NetworkDisabled=False, Hostname="")

    found = lab.value(NAMESPACES, alter=weak, verify=False, **BARE)
    assert {name: found[name] for name in ("net", "ipc", "uts")} == {
        name: str(Path(f"/proc/self/ns/{name}").readlink()) for name in ("net", "ipc", "uts")
    }


def test_shared_memory_of_a_sibling_is_not_there(lab: Lab) -> None:
    """SysV shared memory and /dev/shm: not even a place to put them, and none of the neighbour's."""
    code = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
key = 0x5EED
result = [libc.shmget(key, 4096, 0o666), os.path.exists("/dev/shm"), libc.shmget(key, 4096, 0o1666) >= 0]
"""
    with lab.sandbox(**OPEN_PROFILE) as one, lab.sandbox(**OPEN_PROFILE) as other:
        for sandbox in (one, other):
            result = sandbox.run(job_of(code, **BARE)).result
            assert result == b"V[-1, false, true]"  # found nothing, has no place, made its own: the control


# --- PID 1 ------------------------------------------------------------------------------------------------------------

SUPERVISOR_FILES = tuple(
    Probe(f"/proc/1/{name}", attempt, ("EACCES", "EPERM"))
    for name, attempt in (
        ("environ", "open('/proc/1/environ').close()"),
        ("mem", "os.open('/proc/1/mem', os.O_RDWR)"),
        ("maps", "open('/proc/1/maps').close()"),
        ("fd", "os.listdir('/proc/1/fd')"),
        ("cwd", "os.readlink('/proc/1/cwd')"),
        ("root", "os.listdir('/proc/1/root/')"),
        ("io", "open('/proc/1/io').close()"),
        ("ns", "os.readlink('/proc/1/ns/net')"),
        ("oom_score_adj", "os.open('/proc/1/oom_score_adj', os.O_WRONLY)"),
        ("ptrace", "call(101, 16, 1, 0, 0, 0)"),  # PTRACE_ATTACH
        ("process_vm_readv", "reach(310, 1, 0, 0, 0, 0, 0)"),
        ("prlimit64", "call(302, 1, 0, 0, 0)"),
    )
)


def test_the_supervisor_is_closed_to_the_executor(lab: Lab) -> None:
    probes = [
        probe for probe in SUPERVISOR_FILES if probe.name not in ("/proc/1/process_vm_readv", "/proc/1/prlimit64")
    ]
    assert not_denied(lab.verdicts(probes, spec=OPEN_PROFILE, **BARE)) == {}
    assert not_denied(lab.verdicts(SUPERVISOR_FILES)) == {}


def test_control_a_process_that_did_not_hide_is_open(lab: Lab) -> None:
    """The same files of the executor's own child, which is dumpable."""
    code = """
import os
ready, hold = os.pipe(), os.pipe()
victim = os.fork()
if victim == 0:
    os.read(hold[0], 1)
    os._exit(0)
result = []
for name in ("environ", "maps", "io"):
    with open(f"/proc/{victim}/{name}") as file: result.append(bool(file.read()))
os.close(os.open(f"/proc/{victim}/mem", os.O_RDWR))
result.append(bool(os.listdir(f"/proc/{victim}/fd")))
os.kill(victim, 9)
"""
    assert lab.value(code, spec=OPEN_PROFILE, **BARE) == [True] * 4


ATTACKS_ON_PID_1 = """
import ctypes, fcntl, os, signal
for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGSEGV, signal.SIGCHLD, 40):
    try: os.kill(1, number)
    except OSError: pass
try: os.kill(-1, signal.SIGKILL)
except OSError: pass
for number in (signal.SIGKILL, signal.SIGSTOP):  # a signal that the kernel sends for us: F_SETSIG, F_SETOWN, O_ASYNC
    read, write = os.pipe()
    fcntl.fcntl(read, 10, int(number))
    fcntl.fcntl(read, fcntl.F_SETOWN, TARGET)
    fcntl.fcntl(read, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    os.write(write, b"x")
result = "done"
"""


@pytest.mark.parametrize("layers", [{}, BARE], ids=["everything on", "container alone"])
def test_no_signal_reaches_pid_1(lab: Lab, layers: dict[str, Any]) -> None:
    outcome = lab.outcome("TARGET = 1\n" + ATTACKS_ON_PID_1, **layers)
    assert outcome.result == b'V"done"'
    assert outcome.final is not None
    assert outcome.final.cause == "exited"


def test_control_the_same_signals_reach_the_skill_itself(lab: Lab) -> None:
    outcome = lab.outcome("import os\nTARGET = os.getpid()\n" + ATTACKS_ON_PID_1)
    assert outcome.result is None
    assert outcome.final is not None
    assert outcome.final.signal == 9


def test_kill_everything_takes_the_skills_own_children_only(lab: Lab) -> None:
    code = """
import os, time
child = os.fork()
if child == 0: time.sleep(60)
os.kill(-1, 9)
result = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""
    assert lab.value(code, **BARE) == -9


LIMITS = """
import resource
names = ("CORE", "CPU", "FSIZE", "NOFILE", "MEMLOCK", "MSGQUEUE", "NICE", "RTPRIO")
result = {name: resource.getrlimit(getattr(resource, "RLIMIT_" + name)) for name in names}
raised = []
for name in ("CORE", "CPU", "FSIZE", "NOFILE", "MEMLOCK"):
    soft, hard = result[name]
    try:
        resource.setrlimit(getattr(resource, "RLIMIT_" + name), (hard + 1, hard + 1))
        raised.append(name)
    except (ValueError, OSError):
        pass
result["raised"] = raised
"""


def test_rlimits_are_tight_and_cannot_be_raised(lab: Lab) -> None:
    megabyte = 2**20
    assert lab.value(LIMITS) == {
        "CORE": [0, 0], "CPU": [10, 10], "FSIZE": [16 * megabyte] * 2, "NOFILE": [256, 256], "MEMLOCK": [0, 0],
        "MSGQUEUE": [0, 0], "NICE": [0, 0], "RTPRIO": [0, 0], "raised": [],
    }  # fmt: skip


TERMINAL = """
import os
result = [os.isatty(fd) for fd in (0, 1, 2)]
try: os.open("/dev/tty", os.O_RDWR)
except OSError as error: result.append(error.errno)
"""


def test_there_is_no_terminal(lab: Lab) -> None:
    assert lab.value(TERMINAL, **BARE) == [False, False, False, 6]  # ENXIO
