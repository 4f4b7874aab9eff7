"""The dashboard of a real vault, with runs on the real engine; and a skill that would like to write it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator, Settings, Status
from orchestrator.dashboard.region import BEGIN, END
from orchestrator.image.state import remember
from orchestrator.records import Database, Records, Review
from orchestrator.testing import FakeEngine
from tests.conftest import MakeVault
from tests.core.conftest import manifest
from tests.core.test_teardown import wait_until
from tests.core.test_upkeep_of_orchestrator import IMAGE

OVERWRITE = "from pathlib import Path\nPath('/vault/Dashboard.md').write_text('all is well')\nresult = 1"


def test_runs_show_and_no_skill_writes_it(make_vault: Callable[..., Path], make_settings: Callable[..., Any]) -> None:
    vault = make_vault({"Inbox/a.md": "# A\n", "Dashboard.md": "# Mine\n"}, owner=1000)
    often = {"dashboard": True, "dashboard_interval_seconds": 1}
    settings = make_settings(vault=vault, **often, warm_targets={"strict": 0, "standard": 1, "relaxed": 0})
    with Orchestrator(settings) as orchestrator:
        orchestrator.prime()
        assert orchestrator.run(manifest("def main():\n    return 1\n")).ok
        refused = orchestrator.run(manifest(OVERWRITE, vault={"write": ["."]}, entrypoint=None))
        assert refused.status is Status.DENIED
        assert "VLT202" in {each.rule for each in refused.violations}
        assert orchestrator.history() == [], "it is no run's change"
        assert wait_until(lambda: "1 warm |" in (vault / "Dashboard.md").read_text()), "and nothing else by then"
    text = (vault / "Dashboard.md").read_text()  # the last one is written as the orchestrator closes
    assert text.startswith(f"# Mine\n\n{BEGIN}\n")
    assert "| probe&#64;1.0.0 |" in text  # other tests of this state directory ran it as well
    assert "1 kept warm" in text
    assert "1 warm |" not in text, "the pool is down by then"
    assert "all is well" not in text
    assert text.endswith(f"{END}\n")
    assert (vault / "Dashboard.md").stat().st_uid == 1000


def test_without_the_setting_a_skill_may_have_such_a_note(
    make_vault: Callable[..., Path], make_settings: Callable[..., Any]
) -> None:
    """The control: it is the setting that forbids it."""
    vault = make_vault({"Dashboard.md": "# Mine\n"}, owner=1000)
    with Orchestrator(make_settings(vault=vault)) as orchestrator:
        orchestrator.run(manifest(OVERWRITE, vault={"write": ["."]}, entrypoint=None))
    assert (vault / "Dashboard.md").read_text() == "all is well"


@pytest.fixture
def quick(tmp_path: Path, make_vault: MakeVault) -> Settings:
    """Nothing runs; the note may be written once a second."""
    remember(tmp_path / "state", IMAGE)
    return Settings(
        state_dir=tmp_path / "state", vault=make_vault(), vault_view="copy", dashboard=True,
        dashboard_interval_seconds=1, warm_targets={"strict": 0, "standard": 0, "relaxed": 0},
    )  # fmt: skip


def _note(settings: Settings) -> Path:
    assert settings.vault is not None
    return settings.vault / "Dashboard.md"


def _shows(settings: Settings, word: str) -> bool:
    note = _note(settings)
    return note.exists() and word in note.read_text()


def _ask(settings: Settings, id: str) -> Review:
    item = Review(
        id, "f" * 16, "changes", ("it deletes 1",), "d" * 64, "c" * 64, "e" * 64, {"name": "tidy", "version": "1.0.0"},
        1e9, 9e9, vault=str(settings.vault),
    )  # fmt: skip
    with Database.of(settings) as database:
        Records(database).add_review(item)
    return item


def _decide(settings: Settings, item: Review) -> None:
    with Database.of(settings) as database:
        assert Records(database).decide(item.id, "approved", by="Ada", at=2e9)


def test_what_others_do_shows_while_it_is_open(quick: Settings) -> None:
    """Nobody tells this orchestrator: another process puts items into the records, decides them, deletes the note."""
    with Orchestrator(quick, engine=FakeEngine()):
        item = _ask(quick, "0123456789ab")
        assert wait_until(lambda: _shows(quick, item.id))
        _decide(quick, item)
        assert wait_until(lambda: not _shows(quick, item.id))
        _note(quick).unlink()
        assert wait_until(lambda: _shows(quick, BEGIN))


def test_what_others_did_shows_once_it_is_closed(quick: Settings) -> None:
    with Orchestrator(quick.model_copy(update={"dashboard_interval_seconds": 3600}), engine=FakeEngine()):
        item = _ask(quick, "0123456789ab")
    assert _shows(quick, item.id)
    with Orchestrator(quick, engine=FakeEngine()):
        _decide(quick, item)
        assert wait_until(lambda: not _shows(quick, item.id)), "the one before left it to the next"


def test_short_ones_after_another_write_it_once_in_an_interval(quick: Settings) -> None:
    """As commands do; none of them waits."""
    settings = quick.model_copy(update={"dashboard_interval_seconds": 3600})
    seen = set()
    for number in range(3):
        with Orchestrator(settings, engine=FakeEngine()):
            _ask(settings, f"{number:012x}")
        seen.add(_note(settings).stat().st_mtime_ns)
    assert len(seen) == 1
