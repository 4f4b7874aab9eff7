"""What the figures were measured on: without it they mean nothing."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from orchestrator.sandbox.docker_engine import DockerEngine


def facts(engine: DockerEngine) -> dict[str, Any]:
    info = engine.info()
    return {
        "cpus": os.cpu_count(),
        "processor": _processor(),
        "memory_mb": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "engine": f"{info.name} {info.version}",
        "cgroup": f"v{info.cgroup_version}",
        "storage": info.storage_driver,
        "load": load(),
    }


def load() -> str:
    """Load averages over 1 and 5 minutes: what else ran."""
    return " ".join(f"{value:.2f}" for value in os.getloadavg()[:2])


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def bare_python(tries: int = 9) -> str:
    """The ``python3`` to compare with: of this one, the one its venv was made from and the system's, the fastest.

    The hardest of comparisons: shims, editable installs and .pth files make others up to six times slower.
    """
    base = str(getattr(sys, "_base_executable", sys.executable))
    candidates = [path for path in dict.fromkeys([sys.executable, base, "/usr/bin/python3"]) if Path(path).exists()]
    rounds = [{path: spawn(path) for path in candidates} for _ in range(tries)]
    return min(candidates, key=lambda path: statistics.median(seconds[path] for seconds in rounds))


def spawn(python: str) -> float:
    """Seconds that ``python3 -c "import json"`` takes on this machine, from here."""
    began = time.perf_counter()
    subprocess.run([python, "-c", "import json"], check=True)
    return time.perf_counter() - began
