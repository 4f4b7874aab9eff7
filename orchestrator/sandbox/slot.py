"""``Slot``: the host side of one sandbox's ``/vault``. ``orchestrator.vault`` makes them; a sandbox carries one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Slot(Protocol):
    @property
    def mounts(self) -> Sequence[Mapping[str, Any]]:
        """Engine-API mounts (HostConfig.Mounts)."""
        ...

    def remove(self) -> None:
        """Delete what lies on the host. Idempotent."""
        ...


class NoSlot:
    """A sandbox without a vault."""

    mounts: Sequence[Mapping[str, Any]] = ()

    def remove(self) -> None:
        return None
