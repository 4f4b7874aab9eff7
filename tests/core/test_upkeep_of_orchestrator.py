"""An orchestrator that stays open does, while it lives, what its start did. The engine is the fake: nothing runs."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import or_

from orchestrator import Orchestrator, Settings, load_manifest
from orchestrator.image.model import BuiltImage
from orchestrator.image.state import remember
from orchestrator.records import Database, Records, StoredSet
from orchestrator.records.tables import AUDIT_RECORDS, META
from orchestrator.sandbox.options import LABEL, LABEL_INSTANCE, LABEL_STATE
from orchestrator.sandbox.ownership import state_id
from orchestrator.testing import FakeEngine
from tests.conftest import MakeVault
from tests.core.conftest import manifest
from tests.core.test_teardown import wait_until
from tests.vault.faults import at, case_in, die, killed, names_of

PATIENCE = 30.0
SOON = 0.02
Make = Callable[..., Settings]
IMAGE = BuiltImage(
    f"sha256:{'1' * 64}", f"sha256:{'2' * 64}", "amd64", 1, "3.13.5", packages={}, debs={}, inputs_digest="3" * 64
)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    state = tmp_path / "state"
    remember(state, IMAGE)

    def made(**changes: Any) -> Settings:
        cold = {"strict": 0, "standard": 0, "relaxed": 0}
        return Settings(**{"state_dir": state, "warm_targets": cold, "vault_view": "copy", **changes})

    return made


def leave_a_container(engine: FakeEngine, state_dir: Path) -> str:
    """As an orchestrator of that state directory does that was killed; its instance."""
    dead = secrets.token_hex(8)
    labels = {LABEL: "", LABEL_STATE: state_id(state_dir), LABEL_INSTANCE: dead}
    engine.create(f"left-{dead}", {"Labels": labels})
    return dead


def a_turn_passes(engine: FakeEngine, state_dir: Path) -> None:
    """Returns when each chore had a turn that began after the call: they come in order, and clearing up is the last."""
    for _ in range(2):
        with engine.hold("remove") as gate:
            leave_a_container(engine, state_dir)
            assert gate.wait_for(1, PATIENCE)
        assert wait_until(lambda: not engine.containers)


def a_day_passes(database: Database) -> None:
    """For whatever was done today."""
    with database.writing() as connection:
        connection.execute(META.delete().where(or_(META.c.key == "audit.prune", META.c.key.like("pruned/%"))))


def records_left(database: Database) -> int:
    with database.reading() as connection:
        return len(connection.execute(AUDIT_RECORDS.select()).all())


def test_it_prunes_expires_and_clears_up_while_it_lives(make: Make, make_vault: MakeVault) -> None:
    vault, engine = make_vault(), FakeEngine()
    settings = make(vault=vault, audit_days=0, keep_days=0, review_days=1e-9, upkeep_interval_seconds=SOON)
    with Orchestrator(settings, engine=engine) as orchestrator:
        database, records = orchestrator.audit.database, Records(orchestrator.audit.database)
        records.add_set(StoredSet("f" * 16, "probe@1.0.0", "", "", "", str(vault), "committed", "", created_at=1.0))
        review = orchestrator.reviews.ask_about_failure(load_manifest(manifest("x = 1\n")), "e" * 16, "it failed")
        slots = settings.state_dir / "slots" / secrets.token_hex(8)
        (slots / "one").mkdir(parents=True)
        for _ in range(5):
            orchestrator.audit.event("review.rejected")
        a_turn_passes(engine, settings.state_dir)
        assert records_left(database) == 5, "audit trail and changes once a day, and the start was today"
        assert records.set_of("f" * 16) is not None
        assert (found := records.review(review)) is not None
        assert found.state == "expired"
        a_day_passes(database)
        a_turn_passes(engine, settings.state_dir)
        assert records_left(database) == 2, "the newest, and the checkpoint"
        assert records.set_of("f" * 16) is None
        assert records.review(review) is None, "decided before keep_days=0"
        assert not slots.exists()
        assert orchestrator.audit.event("review.rejected") == 7


def test_it_finishes_what_another_left_half_done(make: Make, tmp_path: Path) -> None:
    """Killed in the midst of a transaction that must happen: nobody else may start for weeks."""
    with case_in(tmp_path) as case:
        points = names_of(case.commit)
    with case_in(tmp_path) as case:
        remember(case.base / "state", IMAGE)
        settings = make(vault=case.notes, state_dir=case.base / "state", upkeep_interval_seconds=SOON)
        with Orchestrator(settings, engine=FakeEngine()):
            assert killed(case.commit, at(points.index("journal: publish") + 1, die))
            assert wait_until(lambda: case.journals() == [])
            assert case.state() == "new"


def test_what_fails_now_is_done_later(make: Make) -> None:
    engine = FakeEngine()
    settings = make(upkeep_interval_seconds=SOON)
    with Orchestrator(settings, engine=engine):
        engine.down = True
        calls = engine.called("list")
        assert wait_until(lambda: engine.called("list") > calls + 1)
        engine.down = False
        a_turn_passes(engine, settings.state_dir)


def test_the_start_does_not_do_it_twice(make: Make) -> None:
    engine = FakeEngine()
    settings = make()
    with Orchestrator(settings, engine=engine):
        calls = engine.called("list")
    assert calls == 1, "one sweep"


def test_an_idle_orchestrator_tells_of_its_last_record(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command takes nothing before the other machine is there; by then nothing happens here any more."""
    monkeypatch.setattr("orchestrator.chores.OUTSIDE_SECONDS", SOON)
    monkeypatch.setattr("orchestrator.audit.anchors.OUTSIDE_SECONDS", SOON)
    there = tmp_path / "there"
    command = ("/bin/sh", "-c", f"test -d '{there}' && cat > '{there}/end'")
    with Orchestrator(make(audit_anchor_command=command), engine=FakeEngine()) as orchestrator:
        last = orchestrator.audit.event("review.rejected")
        there.mkdir()
        assert wait_until(lambda: (there / "end").exists() and f'"seq":{last}' in (there / "end").read_text())
