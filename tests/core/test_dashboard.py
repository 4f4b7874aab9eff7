"""The dashboard of a real vault, with runs on the real engine; and a skill that would like to write it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from orchestrator import Orchestrator, Status
from orchestrator.dashboard import Dashboard, DashboardNote, Keeper, Written, sources_of
from orchestrator.dashboard.region import BEGIN, END
from orchestrator.dashboard.sources import container_rows, pool_rows
from orchestrator.records import Database
from tests.core.conftest import manifest

OVERWRITE = "from pathlib import Path\nPath('/vault/Dashboard.md').write_text('all is well')\nresult = 1"
PATIENCE = 30.0


def test_runs_show_and_no_skill_writes_it(make_vault: Callable[..., Path], make_settings: Callable[..., Any]) -> None:
    vault = make_vault({"Inbox/a.md": "# A\n", "Dashboard.md": "# Mine\n"}, owner=1000)
    settings = make_settings(vault=vault, dashboard=True, warm_targets={"strict": 0, "standard": 1, "relaxed": 0})
    written = threading.Event()
    with Orchestrator(settings) as orchestrator, Database.of(settings) as database:
        orchestrator.prime()
        note = DashboardNote(orchestrator.reviews.history, settings.dashboard_path)
        engine, state = orchestrator._installation.engine, orchestrator._installation.instance.state_id
        sources = sources_of(
            database,
            vault=str(vault),
            pool=lambda: [*pool_rows(orchestrator.stats()), *container_rows(engine, state)],
        )
        board = Dashboard(note, sources)

        def refresh() -> Written:
            done = board.refresh()
            written.set()
            return done

        with closing(Keeper(refresh, interval_seconds=1)) as keeper:
            result = orchestrator.run(manifest("def main():\n    return 1\n"))
            assert result.ok
            keeper.changed()
            assert written.wait(PATIENCE)
            text = (vault / "Dashboard.md").read_text()
            assert text.startswith(f"# Mine\n\n{BEGIN}\n")
            assert "1 kept warm" in text
            assert "orchestrator " in text

            refused = orchestrator.run(manifest(OVERWRITE, vault={"write": ["."]}, entrypoint=None))
            assert refused.status is Status.DENIED
            assert "VLT202" in {each.rule for each in refused.violations}
            assert "all is well" not in (vault / "Dashboard.md").read_text()
        assert (vault / "Dashboard.md").read_text().endswith(f"{END}\n")
        assert orchestrator.history() == [], "it is no run's change"
        assert (vault / "Dashboard.md").stat().st_uid == 1000


def test_without_the_setting_a_skill_may_have_such_a_note(
    make_vault: Callable[..., Path], make_settings: Callable[..., Any]
) -> None:
    """The control: it is the setting that forbids it."""
    vault = make_vault({"Dashboard.md": "# Mine\n"}, owner=1000)
    with Orchestrator(make_settings(vault=vault)) as orchestrator:
        orchestrator.run(manifest(OVERWRITE, vault={"write": ["."]}, entrypoint=None))
    assert (vault / "Dashboard.md").read_text() == "all is well"
