"""``docker run --rm`` of the same image under the same restrictions: what the warm pool is held against."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from orchestrator.sandbox.options import container_options
from orchestrator.sandbox.spec import SandboxSpec

PYTHON: Final = "/usr/bin/python3.13"  # in the image


class DockerRun:
    """Command line of one such run. It has no vault, no Landlock, no second stage and no accounting: less work than
    ours. (The command line cannot say NetworkDisabled, which ours does beside ``--network none``.)"""

    def __init__(self, host: str, spec: SandboxSpec, directory: Path) -> None:
        """``directory`` is for the seccomp profile, which the command reads from a file."""
        docker = shutil.which("docker")
        if docker is None:
            raise RuntimeError("the docker command is not installed, so there is nothing to compare with")
        profile = directory / "seccomp.json"
        profile.write_text(spec.seccomp)
        options = container_options(spec, labels={}, mounts=())
        self._command = [docker, "--host", host, "run", "--rm", *flags(options, profile), "--entrypoint", PYTHON]
        self._image = spec.image_id

    def command(self, *arguments: str) -> list[str]:
        return [*self._command, self._image, *arguments]

    def once(self) -> float:
        """Seconds from the command's start to its end."""
        began = time.perf_counter()
        subprocess.run(self.command("-c", "import json"), check=True, stdin=subprocess.DEVNULL)
        return time.perf_counter() - began


def flags(options: Mapping[str, Any], profile: Path) -> list[str]:
    """Our create document in the command line's words."""
    host = options["HostConfig"]
    found = ["--network", host["NetworkMode"], "--read-only", "--cap-drop", "ALL", "--user", options["User"]]
    found += ["--security-opt", "no-new-privileges", "--security-opt", f"seccomp={profile}"]
    found += ["--ipc", host["IpcMode"], "--cgroupns", host["CgroupnsMode"], "--log-driver", host["LogConfig"]["Type"]]
    found += ["--memory", str(host["Memory"]), "--memory-swap", str(host["MemorySwap"])]
    found += ["--pids-limit", str(host["PidsLimit"])]
    found += ["--cpu-period", str(host["CpuPeriod"]), "--cpu-quota", str(host["CpuQuota"])]
    for limit in host["Ulimits"]:
        found += ["--ulimit", f"{limit['Name']}={limit['Soft']}:{limit['Hard']}"]
    for path, how in host["Tmpfs"].items():
        found += ["--tmpfs", f"{path}:{how}"]
    return [*found, "--hostname", options["Hostname"], *_runtime(host.get("Runtime", ""))]


def _runtime(name: str) -> Sequence[str]:
    return ("--runtime", name) if name else ()
