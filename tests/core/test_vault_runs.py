"""Skills on a real vault through the whole flow, by both views: what they see, what lands, what never does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator, Status
from tests.core.conftest import manifest

NOTES = {
    "Inbox/a.md": "# A\n",
    "Inbox/deep/b.md": "# B\n",
    "Private/secret.md": "canary-4711\n",
    "Archive/old.md": "old\n",
}
GRANTS = {"read": ["Inbox"], "write": ["Summaries"]}


@pytest.fixture(params=["overlay", "copy", "copy-root"])
def world(
    request: pytest.FixtureRequest, make_vault: Callable[..., Path], make_settings: Callable[..., Any]
) -> Iterator[tuple[Orchestrator, Path]]:
    """The same vault by overlay, by copy, and owned by root, which only a copy can serve."""
    if os.geteuid() != 0 and request.param == "copy-root":
        pytest.skip("only root can own the vault as root")
    vault = make_vault(NOTES, owner=0 if request.param == "copy-root" else 1000)
    settings = make_settings(vault=vault, vault_view="auto" if request.param == "copy-root" else request.param)
    with Orchestrator(settings) as orchestrator:
        yield orchestrator, vault


def tree(vault: Path) -> dict[str, str]:
    return {str(path.relative_to(vault)): path.read_text() for path in sorted(vault.rglob("*")) if path.is_file()}


def test_reads_what_is_granted_writes_what_is_granted(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, vault = world
    code = """
from pathlib import Path

def main():
    text = "".join(note.read_text() for note in sorted(Path("/vault/Inbox").rglob("*.md")))
    Path("/vault/Summaries/sub").mkdir(parents=True, exist_ok=True)
    Path("/vault/Summaries/sub/all.md").write_text(text)
    return len(text)
"""
    result = orchestrator.run(manifest(code, vault=GRANTS)).raise_for_status()
    assert result.output == 8
    assert tree(vault) == {**NOTES, "Summaries/sub/all.md": "# A\n# B\n"}
    assert [(change.kind, change.path) for change in result.changes if not change.directory] == [
        ("created", "Summaries/sub/all.md")
    ]
    written = (vault / "Summaries/sub/all.md").stat()
    assert (written.st_uid, written.st_mode & 0o7777) == (vault.stat().st_uid, 0o644)


@pytest.mark.parametrize(
    "attempt",
    [
        "open('/vault/Private/secret.md').read()",
        "open('/vault/Inbox/a.md', 'w').write('x')",
        "open('/vault/Inbox/new.md', 'w').write('x')",
        "Path('/vault/Inbox/a.md').unlink()",
        "Path('/vault/Inbox/a.md').rename('/vault/Summaries/a.md')",
        "Path('/vault/top.md').write_text('x')",
        "list(Path('/vault/Private').iterdir())",
        "Path('/vault/Summaries/link').symlink_to('/vault/Private/secret.md')",
    ],
)
def test_nothing_else(world: tuple[Orchestrator, Path], attempt: str) -> None:
    orchestrator, vault = world
    code = f"from pathlib import Path\n\ndef main():\n    return str({attempt})\n"
    result = orchestrator.run(manifest(code, vault=GRANTS))
    assert result.status is Status.FAILED, result
    assert "Error" in result.reason
    assert "canary" not in str(result.to_dict())
    assert tree(vault) == NOTES


@pytest.mark.parametrize(
    "ending",
    [
        "raise ValueError('late')",
        "while True:\n        pass",
        "return {1}",
        "import os\n    os._exit(0)",
        "return bytearray(2**28)",
    ],
)
def test_nothing_lands_unless_the_run_succeeded(world: tuple[Orchestrator, Path], ending: str) -> None:
    orchestrator, vault = world
    code = f"from pathlib import Path\n\ndef main():\n    Path('/vault/Summaries/x.md').write_text('x')\n    {ending}\n"
    limits = {"wall_seconds": 1}
    result = orchestrator.run(manifest(code, vault=GRANTS, limits=limits, security_level="relaxed"))
    assert result.status is not Status.SUCCEEDED
    assert result.changes == ()
    assert tree(vault) == NOTES


def test_a_protected_path_refuses_the_whole_set(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, vault = world
    code = """
from pathlib import Path

def main():
    Path("/vault/Summaries/fine.md").write_text("fine")
    Path("/vault/Summaries/.obsidian/plugins").mkdir(parents=True)
    Path("/vault/Summaries/.obsidian/plugins/evil.js").write_text("evil")
"""
    result = orchestrator.run(manifest(code, vault=GRANTS))
    assert result.status is Status.DENIED
    assert any(finding.rule == "VLT202" for finding in result.violations)
    assert tree(vault) == NOTES


def test_a_person_edited_the_note_meanwhile(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, vault = world
    code = """
import time
from pathlib import Path

def main():
    note = Path("/vault/Archive/old.md")
    note.write_text(note.read_text() + "skill\\n")
    print("written")
    time.sleep(0.3)
"""

    def edit(event: Any) -> None:
        if event.kind == "stdout" and "written" in event.text:
            (vault / "Archive/old.md").write_text("a person's words\n")

    result = orchestrator.run(manifest(code, vault={"write": ["Archive"]}), on_event=edit)
    assert result.status is Status.CONFLICT
    assert "VLT301" in result.reason
    assert (vault / "Archive/old.md").read_text() == "a person's words\n"


def test_modify_and_delete(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, vault = world
    code = """
from pathlib import Path

def main():
    Path("/vault/Inbox/a.md").write_text("new")
    Path("/vault/Inbox/deep/b.md").unlink()
    Path("/vault/Inbox/deep").rmdir()
"""
    result = orchestrator.run(manifest(code, vault={"write": ["Inbox"]})).raise_for_status()
    assert {(change.kind, change.path) for change in result.changes} == {
        ("modified", "Inbox/a.md"),
        ("deleted", "Inbox/deep/b.md"),
        ("deleted", "Inbox/deep"),
    }
    assert tree(vault) == {k: v for k, v in NOTES.items() if k != "Inbox/deep/b.md"} | {"Inbox/a.md": "new"}


def test_warm_sandboxes_see_later_edits(make_vault: Callable[..., Path], make_settings: Callable[..., Any]) -> None:
    vault = make_vault(NOTES)
    with Orchestrator(make_settings(vault=vault, warm_targets={"standard": 1})) as orchestrator:
        orchestrator.prime()
        (vault / "Inbox/late.md").write_text("late")
        result = orchestrator.run(
            manifest("def main():\n    return open('/vault/Inbox/late.md').read()\n", vault={"read": ["Inbox"]})
        )
        assert (result.output, result.warm) == ("late", True)
