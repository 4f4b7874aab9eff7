"""Recovering with real runs: an attempt that failed wrote nothing, the next sees the vault as it is then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator, RunEvent, Status, load_manifest
from tests.conftest import MakeSettings, MakeVault
from tests.core.conftest import manifest

# Writes a note, and then fails unless a person has put in what it needs.
NEEDS = """
from pathlib import Path

def main(key="none"):
    Path("/vault/Inbox/new.md").write_text("half\\n")
    if "ready" not in Path("/vault/Inbox/a.md").read_text():
        raise ValueError("not ready")
    return {"n": 1}
"""
STANDS_IN = (
    "from pathlib import Path\n"
    "def main(key='none'):\n"
    "    Path('/vault/Inbox/b.md').write_text(key)\n"
    "    return {'n': 0}\n"
)
GRANTS = {"write": ["Inbox"]}


@pytest.fixture
def world(make_settings: MakeSettings, make_vault: MakeVault) -> Iterator[tuple[Orchestrator, Path]]:
    vault = make_vault({"Inbox/a.md": "a"})
    with Orchestrator(make_settings(vault=vault)) as orchestrator:
        yield orchestrator, vault


class Started:
    """The ids of the runs that started; ``before_second`` is called when the second one is about to."""

    def __init__(self, before_second: Any = None) -> None:
        self.ids: list[str] = []
        self._before_second = before_second

    def __call__(self, event: RunEvent) -> None:
        if event.kind == "started":
            self.ids.append(event.run_id)
            if len(self.ids) == 2 and self._before_second is not None:
                self._before_second()


def notes(vault: Path) -> list[str]:
    return sorted(path.name for path in (vault / "Inbox").iterdir())


def test_attempts_that_failed_wrote_nothing_and_are_told(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, vault = world
    started = Started()
    document = manifest(NEEDS, name="recover-a", vault=GRANTS, on_error={"retry": {"attempts": 3}})
    result = orchestrator.run(document, on_event=started)
    assert (result.status, result.attempts, result.reason) == (Status.FAILED, 3, "ValueError: not ready")
    assert result.attempt_reasons == tuple(f"attempt {n} failed: ValueError: not ready" for n in (1, 2))
    assert len(set(started.ids)) == 3
    assert result.run_id == started.ids[-1]
    assert notes(vault) == ["a.md"]
    assert orchestrator.history() == []


def test_without_being_asked_it_runs_once(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, _ = world
    started = Started()
    result = orchestrator.run(manifest(NEEDS, name="recover-once", vault=GRANTS), on_event=started)
    assert (result.status, result.attempts, len(started.ids)) == (Status.FAILED, 1, 1)


def test_a_later_attempt_sees_the_vault_as_it_is_then_and_lands_once(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, vault = world
    started = Started(lambda: (vault / "Inbox" / "a.md").write_text("ready"))
    document = manifest(NEEDS, name="recover-b", vault=GRANTS, on_error="retry")
    result = orchestrator.run(document, on_event=started)
    assert (result.status, result.attempts, result.output) == (Status.SUCCEEDED, 2, {"n": 1})
    assert notes(vault) == ["a.md", "new.md"]
    assert [stored.run_id for stored in orchestrator.history()] == [started.ids[1]]


def test_a_time_limit_is_another_reason_to_try_again(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, _ = world
    document = manifest(
        "def main():\n    while True:\n        pass\n", name="recover-c", limits={"wall_seconds": 0.3},
        on_error={"retry": {"attempts": 2, "on": ["timed_out"]}},
    )  # fmt: skip
    result = orchestrator.run(document)
    assert (result.status, result.attempts) == (Status.TIMED_OUT, 2)


def test_another_skill_lands_in_its_place_and_its_run_can_be_rolled_back(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, vault = world
    orchestrator.skills.register(load_manifest(manifest(STANDS_IN, name="recover-other", vault=GRANTS)))
    started = Started()
    document = manifest(NEEDS, name="recover-d", vault=GRANTS, on_error={"fallback": {"skill": "recover-other@1.0.0"}})
    result = orchestrator.run(document, {"key": "value"}, on_event=started)
    assert (result.status, result.degraded, result.output) == (Status.SUCCEEDED, True, {"n": 0})
    assert result.fallback_of is not None
    assert result.fallback_of.run_id == started.ids[0]
    assert notes(vault) == ["a.md", "b.md"]
    assert (vault / "Inbox" / "b.md").read_text() == "value"
    orchestrator.rollback(result.run_id)
    assert notes(vault) == ["a.md"]


def test_a_fallback_that_nobody_registered_leaves_the_failure(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, _ = world
    document = manifest(NEEDS, name="recover-e", vault=GRANTS, on_error={"fallback": {"skill": "not-there@1.0.0"}})
    result = orchestrator.run(document)
    assert (result.status, result.degraded) == (Status.FAILED, False)
    assert "its fallback not-there@1.0.0 could not be run" in result.reason


def test_a_fallback_is_a_registered_skill_and_no_file_of_that_name(
    world: tuple[Orchestrator, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A manifest is not trusted: what it names must not be looked up among the files where the program runs."""
    orchestrator, vault = world
    monkeypatch.chdir(tmp_path)
    for name in ("recover-file@1.0.0", "recover-file@1.0.0-x.json"):
        (tmp_path / name).write_text(json.dumps(manifest(STANDS_IN, name="recover-file", vault=GRANTS)))
        document = manifest(NEEDS, name="recover-f", vault=GRANTS, on_error={"fallback": {"skill": name}})
        result = orchestrator.run(document)
        assert (result.status, result.degraded) == (Status.FAILED, False)
    assert notes(vault) == ["a.md"]


def test_what_the_policy_denies_is_denied_once(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, _ = world
    everything = {"retry": {}, "fallback": {"value": 1}}
    document = manifest("import socket\ndef main():\n    return 1\n", name="recover-g", on_error=everything)
    result = orchestrator.run(document)
    assert (result.status, result.degraded, result.attempts) == (Status.DENIED, False, 1)
