"""``Scope``: which paths of a vault some grants cover. Pure; no I/O."""

from __future__ import annotations

from typing import Literal

from orchestrator.errors import VaultError
from orchestrator.manifest.model import VaultGrants
from orchestrator.vault.names import shown

Access = Literal["write", "read", "path"]  # path: leads to a grant, shown as a directory with nothing else in it


class Scope:
    """Which access a path has under some grants: the widest one that covers it."""

    def __init__(self, grants: VaultGrants) -> None:
        self._write = tuple(parts(grant) for grant in grants.write)
        self._read = tuple(parts(grant) for grant in grants.read)

    def access(self, path: tuple[str, ...]) -> Access | None:
        if any(path[: len(grant)] == grant for grant in self._write):
            return "write"
        if any(path[: len(grant)] == grant for grant in self._read):
            return "read"
        return "path" if any(grant[: len(path)] == path for grant in self._write + self._read) else None

    def leads_to_write(self, path: tuple[str, ...]) -> bool:
        return any(grant[: len(path)] == path for grant in self._write)

    def next_steps(self, path: tuple[str, ...]) -> set[str]:
        """The names below ``path`` through which grants are reached."""
        return {g[len(path)] for g in self._write + self._read if len(g) > len(path) and g[: len(path)] == path}


def parts(path: str) -> tuple[str, ...]:
    """A grant's or change's path as components; "." is (). ``VaultError`` for one that leads out of the vault."""
    found = tuple(part for part in path.split("/") if part not in {"", "."})
    if ".." in found or "\0" in path:
        raise VaultError(f"the path {shown(path)} leaves the vault", hint="name directories below the vault")
    return found
