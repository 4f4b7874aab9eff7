"""Secrets and active content through the whole flow, on the real engine: one run for each action, with its control."""

from __future__ import annotations

import base64
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from orchestrator import Orchestrator, RunEvent, RunResult, Status
from tests.core.conftest import manifest
from tests.support.policies import SHIPPED
from tests.support.secret_samples import SAMPLES

NOTES = {"Inbox/a.md": "# A\n", "Private/keys.md": ""}
GRANTS = {"read": ["Private"], "write": ["Inbox"]}
LEAK = f"""
import base64
import sys
from pathlib import Path

def main(where, coat):
    secret = Path("/vault/Private/keys.md").read_text().split()[1]
    secret = base64.b64encode(("x" + secret).encode()).decode() if coat == "base64" else secret
    if where == "stdout":
        for letter in "before " + secret + " after":
            print(letter, end="", flush=True)
        print()
    if where == "stderr":
        print(secret, file=sys.stderr)
    if where == "error":
        raise ValueError("no " + secret)
    if where == "note":
        Path("/vault/Inbox/new.md").write_text("see " + secret + "\\n")
    if where == "name":
        Path("/vault/Inbox/" + secret.replace("/", "_") + ".md").write_text("x")
    if where == "elsewhere":
        Path("/vault/Inbox/fine.md").write_text("fine")
    return {{"secret": secret if where in ("output", "elsewhere") else "none", "key": {SAMPLES["github"][0]!r}[:9]}}
"""
ACTIVE = """
from pathlib import Path

def main():
    note = Path("/vault/Inbox/a.md")
    note.write_text(note.read_text() + "<script>alert(1)</script>\\n\\n```html\\n<script>\\n```\\n")
"""


@dataclass
class Rig:
    """One orchestrator whose level standard has other actions; what it logged and told."""

    orchestrator: Orchestrator
    vault: Path
    state: Path
    canary: str
    logged: list[str] = field(default_factory=list)
    events: list[RunEvent] = field(default_factory=list)

    def leak(self, where: str, coat: str = "plain", **changes: Any) -> RunResult:
        document = manifest(LEAK, vault=GRANTS, **changes)
        return self.orchestrator.run(document, {"where": where, "coat": coat}, on_event=self.events.append)

    def everywhere(self, result: RunResult) -> str:
        """All that a run leaves: the result, what was logged and told, and, of a closed orchestrator, every file."""
        told = "".join(event.text for event in self.events)
        return "".join((repr(result), str(result.to_dict()), told, repr(self.events), *self.logged))

    def on_disk(self) -> str:
        """Every name and content in the writable part of the vault and in the state directory, once all is closed."""
        self.orchestrator.close()
        paths = [*self.state.rglob("*"), *self.vault.joinpath("Inbox").rglob("*")]
        found = "".join(map(str, paths))
        return found + b"".join(path.read_bytes() for path in paths if path.is_file()).decode("latin-1")


@pytest.fixture
def rig(
    make_vault: Callable[..., Path], make_settings: Callable[..., Any], state_dir: Path, tmp_path: Path
) -> Iterator[Callable[[dict[str, str]], Rig]]:
    opened: list[Orchestrator] = []

    def make(changes: dict[str, str]) -> Rig:
        policies = tmp_path / "policies"
        shutil.copytree(SHIPPED, policies)
        text = (policies / "standard.toml").read_text()
        for key, action in changes.items():
            table, _, name = key.partition(".")
            head, mark, rest = text.partition(f"[{table}]\n")
            rules, gap, tail = rest.partition("\n\n")
            lines = [f'{name} = "{action}"' if line.startswith(f"{name} = ") else line for line in rules.split("\n")]
            assert f'{name} = "{action}"' in lines
            text = head + mark + "\n".join(lines) + gap + tail
        (policies / "standard.toml").write_text(text)
        canary = f"Tango-{secrets.token_hex(4)}/Velvet+Harbour=x9"  # other tests leave theirs in the state directory
        vault = make_vault({**NOTES, "Private/keys.md": f"router: {canary}\n"})
        orchestrator = Orchestrator(make_settings(vault=vault, policy_dir=policies, canaries=(canary,)))
        opened.append(orchestrator)
        return Rig(orchestrator, vault, state_dir, canary)

    yield make
    for each in opened:
        each.close()


def all_places(action: str) -> dict[str, str]:
    return {f"secrets.{place}": action for place in ("output", "stdout", "stderr", "error")}


def test_redacted_secrets_are_nowhere(rig: Callable[[dict[str, str]], Rig]) -> None:
    made = rig({**all_places("redact"), "secrets.notes": "redact"})
    sink = logger.add(made.logged.append, level="TRACE")
    try:
        for where in ("output", "stdout", "stderr", "error", "note"):
            for coat in ("plain", "base64"):
                result = made.leak(where, coat)
                encoded = base64.b64encode(("x" + made.canary).encode()).decode()
                assert result.status is (Status.FAILED if where == "error" else Status.SUCCEEDED), result.reason
                found = made.everywhere(result)
                assert made.canary not in found
                assert encoded[3:30] not in found
                assert "[secret removed: canary]" in found
                assert {each.rule for each in result.warnings} == {"OUT101"}
    finally:
        logger.remove(sink)
    assert made.vault.joinpath("Inbox/new.md").read_text() == "see [secret removed: canary]\n"
    assert made.canary in made.vault.joinpath("Private/keys.md").read_text()
    assert made.canary not in made.on_disk()


def test_live_output_is_redacted_too(rig: Callable[[dict[str, str]], Rig]) -> None:
    made = rig(all_places("redact"))
    result = made.leak("stdout")
    told = "".join(event.text for event in made.events if event.kind == "stdout")
    assert told == result.stdout == "before [secret removed: canary] after\n"


def test_blocked_secrets_end_the_run_as_denied(rig: Callable[[dict[str, str]], Rig]) -> None:
    made = rig({**all_places("block"), "secrets.notes": "block"})
    sink = logger.add(made.logged.append, level="TRACE")
    try:
        for where in ("elsewhere", "output", "stdout", "stderr", "note", "name"):
            result = made.leak(where)
            assert result.status is Status.DENIED, (where, result.reason)
            assert result.output is None
            assert {each.rule for each in result.violations} == {"OUT101"}
            assert (result.changes, result.committed) == ((), False)
            found = made.everywhere(result)
            assert made.canary not in found
            assert made.canary.replace("/", "_") not in found
        failed = made.leak("error")
        assert (failed.status, failed.output) == (Status.FAILED, None)
        assert made.canary not in made.everywhere(failed)
    finally:
        logger.remove(sink)
    assert sorted(path.name for path in made.vault.joinpath("Inbox").iterdir()) == ["a.md"]
    assert made.canary not in made.on_disk()


def test_blocked_live_output_comes_at_the_end_if_it_is_clean(rig: Callable[[dict[str, str]], Rig]) -> None:
    made = rig(all_places("block"))
    made.orchestrator.run(
        manifest("import time\ndef main():\n    print('one', flush=True)\n    time.sleep(0.2)\n    print('two')\n"),
        on_event=made.events.append,
    )
    assert [event.text for event in made.events if event.kind == "stdout"] == ["one\ntwo\n"]


def test_the_control_allowed_secrets_get_through(rig: Callable[[dict[str, str]], Rig]) -> None:
    made = rig({**all_places("allow"), "secrets.notes": "allow"})
    for where in ("output", "stdout", "stderr", "error", "note"):
        result = made.leak(where)
        assert made.canary in made.everywhere(result) or where == "note"
        assert {each.rule for each in result.warnings} == {"OUT101"}
        assert made.canary not in repr(result.warnings)
        made.events.clear()
    assert made.vault.joinpath("Inbox/new.md").read_text() == f"see {made.canary}\n"
    assert made.canary in made.on_disk()


def test_held_changes_hold_what_would_land(rig: Callable[[dict[str, str]], Rig]) -> None:
    made = rig({"secrets.notes": "redact"})
    result = made.leak("note", review={"always": True})
    assert result.status is Status.HELD
    diff = made.orchestrator.reviews.diff(result.review)
    assert "[secret removed: canary]" in diff
    assert made.canary not in diff + made.everywhere(result)
    made.orchestrator.reviews.approve(result.review)
    assert made.vault.joinpath("Inbox/new.md").read_text() == "see [secret removed: canary]\n"
    assert made.canary not in made.on_disk()


@pytest.mark.parametrize(
    ("action", "line"),
    [
        ("escape", "&lt;script>alert(1)</script>\n"),
        ("strip", "\n"),
        ("warn", "<script>alert(1)</script>\n"),
        ("allow", "<script>alert(1)</script>\n"),
        ("refuse", None),
    ],
)
def test_active_content(action: str, line: str | None, rig: Callable[[dict[str, str]], Rig]) -> None:
    made = rig({"content.html": action})
    result = made.orchestrator.run(manifest(ACTIVE, vault=GRANTS))
    text = made.vault.joinpath("Inbox/a.md").read_text()
    rules = [each.rule for each in (*result.violations, *result.warnings)]
    if line is None:
        assert (result.status, text) == (Status.DENIED, NOTES["Inbox/a.md"])
        assert rules == ["OUT201"]
        return
    assert result.status is Status.SUCCEEDED
    assert text.startswith("# A\n" + line)
    assert text.endswith("\n```html\n<script>\n```\n"), "a fence of HTML stays as it is"
    assert rules == ([] if action == "allow" else ["OUT201"])
    (change,) = result.changes
    assert change.size == len(text)
    made.orchestrator.rollback(result.run_id)
    assert made.vault.joinpath("Inbox/a.md").read_text() == NOTES["Inbox/a.md"]


def test_what_the_person_had_in_a_note_stays(rig: Callable[[dict[str, str]], Rig]) -> None:
    made = rig({"content.queries": "refuse", "secrets.notes": "block"})
    own = f"# A\n\n```dataviewjs\ndv.list()\n```\npassword: {made.canary}\n"
    made.vault.joinpath("Inbox/a.md").write_text(own)
    code = "from pathlib import Path\ndef main():\n    note = Path('/vault/Inbox/a.md')\n"
    code += "    with note.open('a') as file:\n        file.write('more\\n')\n"
    result = made.orchestrator.run(manifest(code, vault=GRANTS))
    assert result.status is Status.SUCCEEDED, result.reason
    assert made.vault.joinpath("Inbox/a.md").read_text() == own + "more\n"
