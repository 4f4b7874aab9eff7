"""From collecting to landing: a fault of the host is a ``VaultError``, and then nothing was committed."""

from __future__ import annotations

import resource
import signal

import pytest

from orchestrator.errors import VaultError
from orchestrator.sandbox.spec import Limits
from orchestrator.vault.collect import _Frame, _Walk
from orchestrator.vault.slots import sweep_vault
from orchestrator.vault.transaction import Terms, land
from tests.vault.world import EVERYTHING, World, tree

LIMITS = Limits(cpu_seconds=1, wall_seconds=1)
FILE_BYTES = 64 * 1024


def test_content_that_cannot_be_staged(world: World) -> None:
    """A real fault of write(2), as a full disk would be."""
    before = tree(world.notes)
    inside = world.begin()
    (inside / "keep.md").unlink()
    (inside / "large.md").write_bytes(bytes(2 * FILE_BYTES))
    world.end()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert signal.getsignal(signal.SIGXFSZ) is signal.SIG_IGN  # Python's own choice: EFBIG instead of death
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, hard))
    try:
        with pytest.raises(VaultError, match="nothing was committed") as raised:
            land(world.slot, LIMITS, Terms(EVERYTHING))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert isinstance(raised.value.__cause__, OSError)
    assert raised.value.hint
    assert tree(world.notes) == before
    assert not list(world.vault.staging_area.glob("*/*/*"))


def test_a_slot_removed_under_the_collector(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the real remover, before the collector has read the first directory: an emptied view deletes nothing."""
    before = tree(world.notes)
    (world.begin() / "Inbox/a.md").write_text("changed")
    world.end()
    real = _Walk._scan

    def scan(walk: _Walk, frame: _Frame) -> None:
        world.slot.remove()
        real(walk, frame)

    monkeypatch.setattr(_Walk, "_scan", scan)
    with pytest.raises(VaultError):
        land(world.slot, LIMITS, Terms(EVERYTHING))
    assert tree(world.notes) == before
    assert not list(world.vault.staging_area.glob("*/*/*"))


def test_staging_that_was_swept_meanwhile_is_discarded_in_silence(world: World) -> None:
    """A close that has lost patience sweeps its own instance's scratch while a run may still hold a set."""
    (world.begin() / "Inbox/a.md").write_text("changed")
    with world.collect() as changes:
        assert changes.staging is not None
        directory = changes.staging.path
        sweep_vault(world.vault, lambda instance: False)
        assert not directory.parent.exists()
