"""The dashboard of a real vault, with runs on the real engine; and a skill that would like to write it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator import Orchestrator, Status
from orchestrator.dashboard.region import BEGIN, END
from tests.core.conftest import manifest

OVERWRITE = "from pathlib import Path\nPath('/vault/Dashboard.md').write_text('all is well')\nresult = 1"


def test_runs_show_and_no_skill_writes_it(make_vault: Callable[..., Path], make_settings: Callable[..., Any]) -> None:
    vault = make_vault({"Inbox/a.md": "# A\n", "Dashboard.md": "# Mine\n"}, owner=1000)
    settings = make_settings(vault=vault, dashboard=True, warm_targets={"strict": 0, "standard": 1, "relaxed": 0})
    with Orchestrator(settings) as orchestrator:
        orchestrator.prime()
        assert orchestrator.run(manifest("def main():\n    return 1\n")).ok
        refused = orchestrator.run(manifest(OVERWRITE, vault={"write": ["."]}, entrypoint=None))
        assert refused.status is Status.DENIED
        assert "VLT202" in {each.rule for each in refused.violations}
        assert orchestrator.history() == [], "it is no run's change"
    text = (vault / "Dashboard.md").read_text()  # the last one is written as the orchestrator closes
    assert text.startswith(f"# Mine\n\n{BEGIN}\n")
    assert "| probe&#64;1.0.0 |" in text  # other tests of this state directory ran it as well
    assert "1 kept warm" in text
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
