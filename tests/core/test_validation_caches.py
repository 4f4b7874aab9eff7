"""What an orchestrator keeps of validation, and what it looks at each time."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from pathlib import Path

import pytest

from orchestrator import Orchestrator, Status
from tests.core.conftest import manifest
from tests.core.test_teardown import wait_until


def test_a_known_skill_is_judged_once(orchestrator: Orchestrator) -> None:
    verdicts = orchestrator._installation.verdicts
    known = manifest("def main():\n    return 'known'\n")
    before = verdicts.evaluated
    decisions = [orchestrator.check(known)[1] for _ in range(3)]
    assert orchestrator.run(known).ok
    assert verdicts.evaluated == before + 1
    assert decisions[0].allowed


def test_the_vault_is_looked_at_each_time(orchestrator: Orchestrator, vault: Path) -> None:
    asking = manifest("def main():\n    return 1\n", vault={"write": ["Later"]})
    before = orchestrator._installation.verdicts.evaluated
    assert orchestrator.check(asking)[1].allowed
    (vault / "Later").write_text("no directory")
    try:
        assert [violation.rule for violation in orchestrator.check(asking)[1].violations] == ["VLT205"]
    finally:
        (vault / "Later").unlink()
    assert orchestrator.check(asking)[1].allowed
    assert orchestrator._installation.verdicts.evaluated == before + 1


def test_a_scan_that_does_not_finish_is_a_denied_run(
    orchestrator: Orchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanner = orchestrator._installation.verdicts._scanner
    for process in list(scanner._all):
        os.kill(process.pid, signal.SIGKILL)
    assert wait_until(lambda: not any(process.usable() for process in scanner._all))
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    unseen = manifest(f"def main():\n    return '{secrets.token_hex(8)}'\n")  # not kept on disk from another session
    result = orchestrator.run(unseen)
    assert result.status is Status.DENIED
    assert [violation.rule for violation in result.violations] == ["ORC008"]
    monkeypatch.undo()
    assert orchestrator.run(unseen).ok
