"""A result recorded from a run on the real engine: the vault's state is the same after a run as before it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator, load_manifest
from orchestrator.memo import Memo
from orchestrator.memo import state as states
from orchestrator.results.model import Timings
from tests.core.conftest import manifest

COUNT = "from pathlib import Path\ndef main(folder='Inbox'):\n    return len(list(Path('/vault', folder).iterdir()))\n"


@pytest.mark.parametrize("view", ["overlay", "copy"])
def test_a_run_is_recorded_and_an_edit_asks_for_another(
    make_vault: Callable[..., Path], make_settings: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, view: str
) -> None:
    monkeypatch.setattr(states, "SETTLED_NS", -3600 * 10**9)  # the notes were just written
    vault = make_vault({"Inbox/a.md": "# A\n", "Inbox/b.md": "# B\n"}, owner=1000)
    skill = load_manifest(manifest(COUNT, vault={"read": ["Inbox"]}, pure=True, cache={"ttl_seconds": 60}))
    with Orchestrator(make_settings(vault=vault, vault_view=view)) as orchestrator:
        memo = Memo.of(orchestrator.settings, orchestrator._installation.vault)
        image_id = orchestrator._installation.host.image_id

        def ask() -> Any:
            decision = orchestrator.check(skill)[1]
            looked = memo.look(skill, {"folder": "Inbox"}, decision, image_id)
            if looked.hit is not None:
                return looked.hit.result("hit", skill, decision, Timings())
            result = orchestrator.run(skill)
            assert memo.keep(looked, result), looked.why
            return result

        first, second = ask(), ask()
        assert (first.cached, first.output) == (False, 2)
        assert (second.cached, second.output, second.cached_run_id) == (True, 2, first.run_id)
        assert (second.policy_digest, second.image_id) == (first.policy_digest, first.image_id)
        (vault / "Inbox" / "c.md").write_text("# C\n")
        third = ask()
        assert (third.cached, third.output) == (False, 3)
