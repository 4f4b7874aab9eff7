"""A claim is held from its first moment, whoever looks at it just then."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from orchestrator.errors import SettingsError
from orchestrator.sandbox.ownership import _claimed


def held(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def test_one_that_a_sweep_looks_at_is_held_a_moment_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And though the sweep takes its file away, as a dead one's."""
    path = tmp_path / "claim"
    looking = held(path)

    def sweep_ends(_seconds: float) -> None:
        path.unlink()
        os.close(looking)

    monkeypatch.setattr("orchestrator.sandbox.ownership.time.sleep", sweep_ends)
    mine = _claimed(path)
    assert os.fstat(mine).st_ino == path.stat().st_ino
    other = os.open(path, os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)
    os.close(mine)


def test_one_that_never_can_be_held_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "claim"
    looking = held(path)
    monkeypatch.setattr("orchestrator.sandbox.ownership.time.sleep", lambda seconds: None)
    with pytest.raises(SettingsError, match="cannot be locked"):
        _claimed(path)
    os.close(looking)
