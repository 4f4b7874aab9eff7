"""The peers of `make bench-peers`: each runs ``import json`` once in the same Python, under what it can enforce.

A rival that cannot be had here raises ``Absent`` with the reason; nothing stands in for it in silence.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from orchestrator.sandbox.options import container_options
from orchestrator.sandbox.spec import SandboxSpec
from tests.bench.docker_run import PYTHON

PAYLOAD: Final = "import json"
LLM_SANDBOX: Final = "llm-sandbox[docker]==0.3.46"
_POOL: Final = 3


class Absent(Exception):  # noqa: N818 - a finding, not a fault
    """Why a rival is not measured."""


class Rival(Protocol):
    name: str
    remark: str

    def once(self) -> float:
        """Seconds of one run."""
        ...


@dataclass
class Command:
    """A rival that is one command."""

    name: str
    remark: str
    arguments: Sequence[str]

    def once(self) -> float:
        began = time.perf_counter()
        subprocess.run(self.arguments, check=True, stdin=subprocess.DEVNULL)
        return time.perf_counter() - began


def tool(name: str, package: str) -> str:
    """The path of a command, after installing its Debian package if we may."""
    if shutil.which(name) is None and os.geteuid() == 0 and shutil.which("apt-get"):
        sys.stderr.write(f"bench: installing the Debian package {package}\n")
        subprocess.run(["apt-get", "install", "-qq", "-y", package], check=False, stdout=subprocess.DEVNULL)
    found = shutil.which(name)
    if found is None:
        raise Absent(f"{name} is not installed (Debian: apt-get install {package})")
    return found


def export(host: str, image_id: str, target: Path) -> Path:
    """The image's files, unpacked below ``target``."""
    docker = [shutil.which("docker") or "docker", "--host", host]
    target.mkdir()
    created = subprocess.run([*docker, "create", "--network", "none", image_id, "x"], check=True, capture_output=True)
    container_id = created.stdout.decode().strip()
    try:
        with subprocess.Popen([*docker, "export", container_id], stdout=subprocess.PIPE) as exporting:
            subprocess.run(["tar", "-x", "-C", str(target)], check=True, stdin=exporting.stdout)
    finally:
        subprocess.run([*docker, "rm", container_id], check=True, stdout=subprocess.DEVNULL)
    return target


def bubblewrap(rootfs: Path, spec: SandboxSpec) -> Command:
    bwrap = tool("bwrap", "bubblewrap")
    arguments = [bwrap, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    arguments += ["--uid", str(spec.uid), "--gid", str(spec.gid), "--ro-bind", str(rootfs), "/"]
    arguments += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--", PYTHON, "-c", PAYLOAD]
    return Command(
        "bubblewrap", "namespaces only: no memory, CPU or process limit, no seccomp filter, no pool", arguments
    )


def runc(rootfs: Path, spec: SandboxSpec, directory: Path) -> Command:
    program = tool("runc", "runc")
    if os.geteuid() != 0:
        raise Absent("bare runc sets its cgroup limits only as root")
    bundle = directory / "bundle"
    bundle.mkdir()
    subprocess.run([program, "spec", "--bundle", str(bundle)], check=True)
    config = bundle / "config.json"
    config.write_text(json.dumps(runc_config(json.loads(config.read_text()), rootfs, spec)))
    arguments = [program, "--root", str(directory / "runc"), "run", "--bundle", str(bundle), f"bench-{os.getpid()}"]
    return Command("bare runc", "the same restrictions as docker run, without an engine; no pool", arguments)


def runc_config(config: dict[str, Any], rootfs: Path, spec: SandboxSpec) -> dict[str, Any]:
    """``runc spec``'s document with our restrictions."""
    host = container_options(spec, labels={}, mounts=())["HostConfig"]
    rlimits = [{"type": f"RLIMIT_{u['Name'].upper()}", "soft": u["Soft"], "hard": u["Hard"]} for u in host["Ulimits"]]
    config["process"] |= {
        "terminal": False,
        "user": {"uid": spec.uid, "gid": spec.gid},
        "args": [PYTHON, "-c", PAYLOAD],
        "env": ["PATH=/usr/bin", "LANG=C.UTF-8"],
        "capabilities": {name: [] for name in ("bounding", "effective", "permitted", "ambient")},
        "rlimits": rlimits,
        "noNewPrivileges": True,
    }
    config["root"] = {"path": str(rootfs), "readonly": True}
    tmp = ["nosuid", "nodev", "noexec", f"size={spec.tmp_bytes}", f"nr_inodes={spec.tmp_inodes}", "mode=1777"]
    config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": tmp})
    config["linux"]["resources"] |= {
        "memory": {"limit": host["Memory"], "swap": host["MemorySwap"]},
        "cpu": {"period": host["CpuPeriod"], "quota": host["CpuQuota"]},
        "pids": {"limit": host["PidsLimit"]},
    }
    config["linux"]["seccomp"] = _oci_seccomp(json.loads(spec.seccomp))
    return config


def _oci_seccomp(profile: dict[str, Any]) -> dict[str, Any]:
    """Docker's form of a profile as the OCI's: comments gone, architectures as a list."""
    machine = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}[platform.machine()]
    kept = ("names", "action", "errnoRet", "args")
    return {
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": profile["defaultErrnoRet"],
        "architectures": [machine],
        "syscalls": [{key: rule[key] for key in kept if key in rule} for rule in profile["syscalls"]],
    }


class LlmSandbox:
    """A child process in llm-sandbox's own environment; see ``llm_sandbox_child``."""

    name = "llm-sandbox's pool"
    # Our image's files plus a static busybox, since it needs mkdir and chown inside. It copies the code in for each
    # run, so the root is writable; the seccomp profile is the engine's own.
    remark = "one container serves many runs, each finds what others left; writable root"

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child

    def once(self) -> float:
        return float(self._exchange("\n"))

    def _exchange(self, line: str) -> str:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(line)
        self._child.stdin.flush()
        answer = self._child.stdout.readline()
        if not answer:
            raise Absent("it did not run; its last words are above")
        return answer

    @classmethod
    @contextmanager
    def pool(cls, host: str, rootfs: Path, spec: SandboxSpec, cache_dir: Path) -> Iterator[LlmSandbox]:
        python = environment(cache_dir)
        limits = {
            "network_mode": "none",
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "mem_limit": spec.memory_bytes,
            "memswap_limit": spec.memory_bytes,
            "pids_limit": spec.pids,
        }
        with imported(host, rootfs) as image:
            program = Path(__file__).with_name("llm_sandbox_child.py")
            arguments = [str(python), "-I", str(program), host, image, str(_POOL), json.dumps(limits)]
            with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
                rival = cls(child)
                assert child.stdout is not None
                if child.stdout.readline() != "warm\n":
                    raise Absent("its pool did not start; its last words are above")
                yield rival
                assert child.stdin is not None
                child.stdin.close()


def environment(cache_dir: Path) -> Path:
    """The Python of a virtual environment that holds llm-sandbox, made once and kept in the cache directory."""
    directory = cache_dir / "bench" / LLM_SANDBOX.replace("[docker]==", "-")
    python = directory / "bin" / "python"
    if not (directory / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True)
        asked = subprocess.run([str(python), "-m", "pip", "install", "-q", LLM_SANDBOX], check=False)
        if asked.returncode:
            raise Absent(f"{LLM_SANDBOX} cannot be installed here")
        (directory / "complete").touch()
    return python


@contextmanager
def imported(host: str, rootfs: Path) -> Iterator[str]:
    """An image of our files plus busybox, for as long as it is needed."""
    docker = [shutil.which("docker") or "docker", "--host", host]
    name = f"skill-orchestrator/bench-peers:{os.getpid()}"
    binaries = rootfs / "usr" / "bin"
    shutil.copy(tool("busybox", "busybox-static"), binaries / "busybox")
    for applet in ("sh", "mkdir", "chown", "cat", "tail", "sleep", "ls", "rm", "test"):
        (binaries / applet).symlink_to("busybox")
    for alias in ("python", "python3"):
        (binaries / alias).symlink_to(Path(PYTHON).name)
    venv = rootfs / "sandbox" / ".sandbox-venv" / "bin"  # where a pooled session looks for its Python
    venv.mkdir(parents=True)
    (venv / "python").symlink_to(PYTHON)
    if not (rootfs / "bin").exists():
        (rootfs / "bin").symlink_to("usr/bin")
    with subprocess.Popen(["tar", "-c", "-C", str(rootfs), "."], stdout=subprocess.PIPE) as packing:
        change = ["--change", "ENV PATH=/usr/bin LANG=C.UTF-8", "--change", 'CMD ["sh"]']
        subprocess.run(
            [*docker, "import", *change, "-", name], check=True, stdin=packing.stdout, stdout=subprocess.DEVNULL
        )
    try:
        yield name
    finally:
        subprocess.run([*docker, "rmi", "-f", name], check=False, stdout=subprocess.DEVNULL)
