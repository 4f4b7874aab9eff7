"""Grants against what the vault really holds: what cannot be granted is denied, what is forbidden is not copied."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator import ManifestError, Orchestrator, SettingsError, Status, load_manifest
from tests.core.conftest import manifest

NOTES = {"Inbox/a.md": "a", ".git/config": "token = canary-4711", "Inbox/.env": "canary-4711", "note.md": "n"}
LIST = """
from pathlib import Path

def main():
    return sorted(str(path) for path in Path("/vault").rglob("*") if path.is_file())
"""


@pytest.mark.parametrize("grants", [{"write": ["note.md"]}, {"read": ["note.md/x"]}, {"write": ["link/x"]}], ids=str)
def test_a_grant_that_is_no_directory_is_denied(
    grants: dict[str, Any], make_vault: Callable[..., Path], make_settings: Callable[..., Any]
) -> None:
    vault = make_vault(NOTES)
    (vault / "link").symlink_to("Inbox")
    with Orchestrator(make_settings(vault=vault)) as orchestrator:
        result = orchestrator.run(manifest("def main():\n    return 1\n", vault=grants))
        assert result.status is Status.DENIED
        assert [finding.rule for finding in result.violations] == ["VLT205"]
        assert orchestrator.stats().leases_total == 0
        missing = manifest("def main():\n    return 1\n", vault={"write": ["New/deep"]})
        assert orchestrator.run(missing).ok


def test_the_copy_view_leaves_out_what_is_forbidden(
    make_vault: Callable[..., Path], make_settings: Callable[..., Any]
) -> None:
    """A grant of the whole vault is not one of its .git; and what was left out is not taken for deleted."""
    vault = make_vault(NOTES)
    with Orchestrator(make_settings(vault=vault)) as orchestrator:
        strict = manifest(LIST, vault={"write": ["."]}, security_level="strict")
        result = orchestrator.run(strict).raise_for_status()
        assert result.output == ["/vault/Inbox/a.md", "/vault/note.md"]
        assert result.changes == ()
    assert json.dumps(sorted(NOTES)) == json.dumps(
        sorted(str(path.relative_to(vault)) for path in vault.rglob("*") if path.is_file())
    )


def test_a_skill_put_together_by_hand_is_refused(make_settings: Callable[..., Any]) -> None:
    skill = load_manifest(manifest("def main():\n    return 1\n"))
    with Orchestrator(make_settings()) as orchestrator:
        assert orchestrator.run(skill).output == 1
        with pytest.raises(ManifestError, match="digest"):
            orchestrator.run(replace(skill, code="def main():\n    return 2\n"))


def test_odd_arguments_are_answered_not_crashed_on(make_settings: Callable[..., Any]) -> None:
    with Orchestrator(make_settings()) as orchestrator:
        one = manifest("def main():\n    return 1\n")
        for timeout in (0, -1, float("nan"), float("inf"), 10**400, 10**5000):
            assert orchestrator.run(one, timeout=timeout).status is Status.DENIED
        assert "\n" not in orchestrator.run(one, level="standard\n").reason
        with pytest.raises(SettingsError):
            orchestrator.resize("nope", 1)
