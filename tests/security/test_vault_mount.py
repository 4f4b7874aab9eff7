"""What a sandbox with an overlay view of a vault could learn about the host, and what hides it.

Residue: the mount table names the vault's own directory (``lowerdir``). It is in /proc, which Landlock closes; where a
kernel has no Landlock, a level with ``landlock = "preferred"`` lets a skill read that path, and nothing behind it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.sandbox.options import LABEL, LABEL_INSTANCE, LABEL_STATE
from orchestrator.sandbox.outcome import Outcome
from orchestrator.sandbox.sandbox import Sandbox
from orchestrator.vault.root import Vault
from orchestrator.vault.slots import Slots
from tests.conftest import MakeVault
from tests.security.lab import Lab
from tests.support.sandboxes import job_of

Run = Callable[..., Outcome]


@pytest.fixture
def in_vault(lab: Lab, make_vault: MakeVault, tmp_path: Path) -> Run:
    """Run code in a sandbox with an overlay view of a vault of one note."""
    slots = Slots(Vault(make_vault(), tmp_path / "state"), "0" * 16)
    labels = {LABEL: "1", LABEL_INSTANCE: "0" * 16, LABEL_STATE: lab.state}

    @contextmanager
    def sandbox() -> Iterator[Sandbox]:
        slot = slots.prepare("overlay", 1000, 1000)
        name = f"skill-test-{secrets.token_hex(6)}"
        started = Sandbox.start(lab.engine, lab.spec(vault_view="overlay"), name=name, labels=labels, slot=slot)
        try:
            yield started
        finally:
            started.destroy()

    def run(code: str, **layers: bool) -> Outcome:
        with sandbox() as started:
            return started.run(job_of(code, **layers))  # type: ignore[arg-type]

    return run


TABLE = "result = [line for line in open('/proc/self/mountinfo').read().splitlines() if ' /vault ' in line]"


def test_the_mount_table_is_hidden_and_would_name_the_vault(in_vault: Run, tmp_path: Path) -> None:
    hidden = in_vault(TABLE).result
    assert hidden is not None
    assert b"PermissionError" in hidden
    shown = in_vault(TABLE, landlock=False).result
    assert shown is not None
    assert b"nosuid,nodev,noexec" in shown
    assert str(tmp_path / "notes").encode() in shown


def test_without_a_grant_no_note_is_read_or_listed(in_vault: Run) -> None:
    code = """
import os
result = []
for attempt in (lambda: open("/vault/Inbox/a.md"), lambda: os.listdir("/vault"), lambda: open("/vault/new", "w")):
    try: attempt(); result.append("open")
    except PermissionError: result.append("denied")
"""
    assert in_vault(code).result == b'V["denied", "denied", "denied"]'
    assert in_vault(code, landlock=False).result == b'V["open", "open", "open"]'  # control
