"""Policies for tests: the shipped files beside a small seccomp profile of our own, and skills to hold against them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.manifest.model import SkillManifest
from orchestrator.policy import Decision, Host, Policy, load_policy
from orchestrator.validation.scanner import inspect

REPOSITORY = Path(__file__).resolve().parents[2]
SHIPPED = REPOSITORY / "policies"
CORPUS = REPOSITORY / "tests" / "corpus"
LEVELS = ("strict", "standard", "relaxed")
PROFILE = json.dumps(
    {
        "defaultAction": "SCMP_ACT_ERRNO",
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []}],
        "syscalls": [{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"}],
    }
).encode()
HOST = Host(
    image_id="sha256:" + "0" * 64,
    packages={"PyYAML": "6.0.2"},
    uid=1000,
    gid=1000,
    views=("overlay", "copy"),
    landlock=True,
)


def shipped(level: str) -> Policy:
    """The shipped policy of ``level``, with ``PROFILE``."""
    return load_policy(level, (SHIPPED / f"{level}.toml").read_bytes(), {"sandbox.json": PROFILE})


def policy_dir(parent: Path) -> Path:
    """A directory of the shipped files, with ``PROFILE``."""
    directory = parent / "policies"
    (directory / "seccomp").mkdir(parents=True)
    for level in LEVELS:
        shutil.copyfile(SHIPPED / f"{level}.toml", directory / f"{level}.toml")
    (directory / "seccomp" / "sandbox.json").write_bytes(PROFILE)
    return directory


def skill(code: str = "def main():\n    return 1\n", level: str = "standard", **changes: Any) -> SkillManifest:
    """A skill of ``code``; a script, unless it has a ``main``."""
    entrypoint = "main" if "def main(" in code else None
    return replace(SkillManifest("skill", "1.0", code, entrypoint=entrypoint, security_level=level), **changes)


def decide(policy: Policy, wanted: SkillManifest, host: Host = HOST) -> Decision:
    return policy.evaluate(wanted, inspect(wanted), host)
