"""What a sandbox is made of, as plain values: the one thing policy, pool and engine agree on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

VaultView = Literal["overlay", "copy", "none"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use. A manifest asks, a policy allows or denies; nothing is clamped in silence.

    Defaults are the manifest's documented ones. Sizes are binary (1 MB here is 2**20 bytes).
    """

    memory_mb: int = 100  # RAM of the whole sandbox, swap excluded (there is none)
    cpu_seconds: float = 30.0  # user + system CPU time of the skill
    wall_seconds: float = 60.0  # monotonic time from job to end
    pids: int = 32  # threads of the skill and the two processes of ours
    output_kb: int = 1024  # stdout, stderr and the result: this much each
    file_mb: int = 16  # largest single file
    write_mb: int = 64  # bytes written in all, /tmp and vault together
    files: int = 1000  # entries changed in the vault


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """All that makes two idle sandboxes interchangeable. Equal specs share a pool; see ``digest``.

    Per-run limits are not here: a lease tightens a warm sandbox to them.
    """

    level: str
    image_id: str  # "sha256:...", never a tag
    uid: int  # not 0
    gid: int
    memory_bytes: int
    cpus: float
    pids: int
    tmp_bytes: int
    tmp_inodes: int
    nofile: int
    file_bytes: int
    seccomp: str  # the profile's JSON text
    landlock: Literal["required", "preferred"]
    vault_view: VaultView
    runtime: str = ""  # "" is the engine's default
    preload: tuple[str, ...] = ()  # modules imported while the sandbox is idle

    def digest(self) -> str:
        """Hex SHA-256 (16 digits) of all fields: the pool's key and the container's label."""
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]
