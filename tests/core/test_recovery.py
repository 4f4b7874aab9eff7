"""Recovering with real runs: an attempt that failed wrote nothing, the next sees the vault as it is then."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator, PoolTimeout, RunEvent, RunResult, SandboxError, Settings, Status, load_manifest
from orchestrator.audit.query import Reader
from orchestrator.errors import EngineError
from orchestrator.image.model import BuiltImage
from orchestrator.registry.health import FAILURES_IN_A_ROW
from orchestrator.registry.model import Standing
from orchestrator.testing import Answer, FakeEngine
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


# --- attempts and what the registry and sessions say of them

FAILS = "def main():\n    raise ValueError('always')\n"
EVERYTHING = {"fallback": {"value": "stale"}, "review": True, "alert": True}


def standing(orchestrator: Orchestrator, name: str) -> Standing:
    [known] = orchestrator.skills.known(name)
    return known.standing


def told_by(file: Path) -> tuple[str, ...]:
    """An alert command that keeps what it is told in ``file``."""
    return "/bin/sh", "-c", f"cat >> '{file}'; echo >> '{file}'"


def told(file: Path) -> list[tuple[str, str]]:
    lines = file.read_text().splitlines() if file.exists() else []
    found = [json.loads(line) for line in lines if line]
    return [(each["rule"], each["run_id"]) for each in found if each["kind"] == "run_failed"]


def test_a_call_that_tries_three_times_counts_as_one_failure(make_settings: MakeSettings) -> None:
    skill = load_manifest(manifest(FAILS, name="recover-count", on_error={"retry": {"attempts": 3}}))
    with Orchestrator(make_settings()) as orchestrator:
        orchestrator.skills.register(skill)
        for calls in range(1, FAILURES_IN_A_ROW):
            assert orchestrator.run(skill).attempts == 3
            assert standing(orchestrator, skill.name).health.window == "f" * calls
        assert standing(orchestrator, skill.name).statistics.statuses == {"failed": 3 * (FAILURES_IN_A_ROW - 1)}
        assert orchestrator.run(skill).status is Status.FAILED
        assert standing(orchestrator, skill.name).health.condition == "quarantined"
        assert orchestrator.run(skill).status is Status.DENIED


def test_one_that_goes_well_at_last_counts_as_one_that_went_well(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, vault = world
    started = Started(lambda: (vault / "Inbox" / "a.md").write_text("ready"))
    orchestrator.run(manifest(NEEDS, name="recover-well", vault=GRANTS, on_error="retry"), on_event=started)
    assert standing(orchestrator, "recover-well").health.window == "s"


def test_a_failure_is_told_though_the_next_attempt_met_quarantine(
    make_settings: MakeSettings, make_vault: MakeVault, tmp_path: Path
) -> None:
    file = tmp_path / "alerts"
    settings = make_settings(vault=make_vault(), alert_command=told_by(file))
    document = manifest(FAILS, name="recover-quarantined", on_error={"retry": {"attempts": 3}, **EVERYTHING})
    with Orchestrator(settings) as orchestrator:
        skill = load_manifest(document)
        orchestrator.skills.register(skill)

        def others_fail(event: RunEvent) -> None:
            """As runs of other processes would be on record meanwhile."""
            for number in range(FAILURES_IN_A_ROW * (event.kind == "started")):
                failed = RunResult(f"other{number}", skill.name, "standard", Status.FAILED, "it failed too")
                orchestrator.skills.record(skill, failed)

        result = orchestrator.run(skill, on_event=others_fail)
        assert (result.status, result.attempts, result.degraded) == (Status.FAILED, 1, True)
        assert result.or_fallback() == "stale"
        assert result.reason.startswith("ValueError: always; attempt 2 was not let in: it may not run: [REG103]")
        assert result.review in {item.id for item in orchestrator.reviews.pending()}
        later = orchestrator.run(skill)
        assert (later.status, later.degraded, later.or_fallback(), later.review) == (Status.DENIED, True, "stale", "")
        assert later.reason.endswith("; its fallback, a constant, stands in")
    assert told(file) == [("failed", result.run_id)]


def test_a_failure_is_told_and_counts_though_the_session_had_no_run_left(
    make_settings: MakeSettings, make_vault: MakeVault, tmp_path: Path
) -> None:
    file = tmp_path / "alerts"
    settings = make_settings(vault=make_vault(), alert_command=told_by(file))
    document = manifest(FAILS, name="recover-session", on_error={"retry": {"attempts": 4}, **EVERYTHING})
    with Orchestrator(settings) as orchestrator:
        orchestrator.skills.register(load_manifest(document))
        with orchestrator.session(runs=2) as session:
            result = session.run(document)
        assert (result.status, result.attempts, result.degraded) == (Status.FAILED, 2, True)
        assert "attempt 3 was not let in: it may not run: [SES101]" in result.reason
        assert len(result.attempt_reasons) == 3
        assert len(orchestrator.reviews.pending()) == 1
        assert standing(orchestrator, "recover-session").health.window == "f"
        assert standing(orchestrator, "recover-session").statistics.statuses == {"failed": 2, "not_begun": 1}
        for _ in range(FAILURES_IN_A_ROW - 1):
            with orchestrator.session(runs=1) as session:
                assert session.run(document).status is Status.FAILED
        assert standing(orchestrator, "recover-session").health.condition == "quarantined"
    assert told(file)[0] == ("failed", result.run_id)


def test_conflicts_that_were_retried_are_told(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, vault = world
    code = "from pathlib import Path\ndef main():\n    Path('/vault/Inbox/a.md').write_text('skill')\n"
    edits = iter(range(2))

    def edit(event: RunEvent) -> None:
        if event.kind == "started" and (number := next(edits, None)) is not None:
            (vault / "Inbox" / "a.md").write_text(f"a person {number}")

    result = orchestrator.run(
        manifest(code, name="recover-edited", vault=GRANTS), on_event=edit, on_conflict="retry"
    )  # fmt: skip
    assert (result.status, result.attempts, len(result.attempt_reasons)) == (Status.SUCCEEDED, 3, 2)
    for reason in result.attempt_reasons:
        assert reason.startswith("met a conflict: nothing was written to the vault: ")


# --- sandboxes that could not be had


class Breaking(FakeEngine):
    """Every job returns 1; the next ``breaks`` sandboxes break when they are fitted to a run."""

    def __init__(self) -> None:
        super().__init__(on_job=lambda job: Answer(result=b"V1"))
        self.breaks = 0

    def update(self, container_id: str, limits: Mapping[str, int]) -> None:
        if "Memory" in limits and self.breaks:
            self.breaks -= 1
            raise EngineError("it is broken")
        super().update(container_id, limits)


@pytest.fixture
def of_its_own(image: BuiltImage, state_dir: Path, tmp_path: Path) -> dict[str, Any]:
    """Settings for a fake engine: a state directory of the test's own, where the image of the session is known."""
    own = tmp_path / "state"
    own.mkdir(mode=0o700)
    shutil.copy(state_dir / "image.json", own)
    return {"state_dir": own, "warm_targets": {"strict": 0, "standard": 0, "relaxed": 0}}


def one(name: str, **more: Any) -> dict[str, Any]:
    return manifest("def main():\n    return 1\n", name=name, limits={"memory_mb": 64}, **more)


def test_sandboxes_that_broke_before_the_job_are_told(of_its_own: dict[str, Any]) -> None:
    engine = Breaking()
    with Orchestrator(Settings(**of_its_own), engine=engine) as orchestrator:
        engine.breaks = 2
        result = orchestrator.run(one("recover-broken"))
    assert (result.status, result.attempts) == (Status.SUCCEEDED, 1)
    assert len(result.attempt_reasons) == 2
    for reason in result.attempt_reasons:
        assert reason.startswith("a sandbox broke before it had the job: ")
        assert "it is broken" in reason


def test_what_found_no_sandbox_is_tried_again_where_the_manifest_says_so(of_its_own: dict[str, Any]) -> None:
    engine = Breaking()
    with Orchestrator(Settings(**of_its_own), engine=engine) as orchestrator:
        engine.breaks = 6
        result = orchestrator.run(one("recover-later", on_error={"retry": {"attempts": 3, "wait_seconds": 0.01}}))
        assert (result.status, result.attempts, result.output) == (Status.SUCCEEDED, 1, 1)
        assert [reason.partition(":")[0] for reason in result.attempt_reasons] == [
            *["a sandbox broke before it had the job"] * 2, "attempt 1 found no sandbox",
            *["a sandbox broke before it had the job"] * 2, "attempt 2 found no sandbox",
        ]  # fmt: skip
        engine.breaks = 3
        with pytest.raises(SandboxError, match="in 3 tries"):
            orchestrator.run(one("recover-never", on_error="review"))
        assert engine.breaks == 0


def test_a_fallback_answers_where_no_sandbox_can_be_had(of_its_own: dict[str, Any], tmp_path: Path) -> None:
    engine, file = Breaking(), tmp_path / "alerts"
    document = one("recover-none", on_error={"retry": {"attempts": 2}, "fallback": {"value": 7}, "alert": True})
    with Orchestrator(Settings(**of_its_own, alert_command=told_by(file)), engine=engine) as orchestrator:
        engine.breaks = 6
        finished: list[RunEvent] = []
        result = orchestrator.run(document, {}, on_event=finished.append)
        assert (result.status, result.degraded, result.or_fallback()) == (Status.SANDBOX_ERROR, True, 7)
        assert (result.attempts, engine.breaks, [each.kind for each in finished]) == (0, 0, ["finished"])
        assert result.error is not None
        assert result.error.skill == "recover-none@1.0.0"
        run = Reader(orchestrator.audit.database).show(result.run_id)
        assert run is not None, "the attempt is on record, under the id of the result"
        assert run.state == "raised"
    assert told(file) == [("sandbox_error", result.run_id)]


def test_a_full_pool_counts_as_no_sandbox_and_an_error_of_whoever_is_called_does_not(
    of_its_own: dict[str, Any], make_vault: MakeVault
) -> None:
    """Who waits inside of a run for another one, on the only sandbox there is, waits in vain."""
    settings = Settings(
        **of_its_own, vault=make_vault(), vault_view="copy", max_containers=1, acquire_timeout_seconds=0.1
    )
    answered: list[RunResult] = []
    outer = one("recover-outer", on_error={"retry": {"attempts": 3}, "fallback": {"value": 7}})
    with Orchestrator(settings, engine=Breaking()) as orchestrator:

        def degraded(event: RunEvent) -> None:
            if event.kind == "started":
                answered.append(orchestrator.run(one("recover-full", on_error=EVERYTHING)))

        assert orchestrator.run(outer, on_event=degraded).output == 1
        [result] = answered
        assert (result.status, result.degraded, result.or_fallback()) == (Status.SANDBOX_ERROR, True, "stale")
        [item] = orchestrator.reviews.pending()
        assert (item.id, item.run_id) == (result.review, result.run_id)
        started: list[str] = []

        def raises(event: RunEvent) -> None:
            started.append(event.kind)
            orchestrator.run(one("recover-in-vain"))

        with pytest.raises(PoolTimeout):
            orchestrator.run(outer, on_event=raises)
        assert started == ["started"], "the run had begun: its own attempts and fallback are for what it does"


def test_who_cancels_between_attempts_is_told_of_both(of_its_own: dict[str, Any]) -> None:
    cancel = threading.Event()

    def fail(job: Mapping[str, Any]) -> Answer:
        cancel.set()  # while the first attempt ends
        return Answer(result=b'X{"type": "ValueError", "message": "always"}', final={"exit_code": 1})

    with Orchestrator(Settings(**of_its_own), engine=FakeEngine(on_job=fail)) as orchestrator:
        result = orchestrator.run(one("recover-cancelled", on_error="retry"), cancel=cancel)
        run = Reader(orchestrator.audit.database).show(result.run_id)
        assert standing(orchestrator, "recover-cancelled").health.window == "f"
    assert run is not None
    assert (result.status, run.state) == (Status.CANCELLED, "failed")
    assert result.reason.startswith("cancelled between attempts")
    assert result.reason.endswith(f"run {result.run_id} is on record as failed")
