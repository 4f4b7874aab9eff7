"""The registry on both databases: names mean one thing for ever, quarantine lets one trial through, all is recorded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from orchestrator.errors import ManifestError, RegistryError
from orchestrator.manifest import SkillManifest
from orchestrator.manifest.sources import load_code
from orchestrator.records import Database, RecordsError
from orchestrator.records.direct import driver_of
from orchestrator.records.tables import SKILL_EVENTS, SKILL_MANIFESTS, SKILL_STANDINGS
from orchestrator.registry import Registry, parse_reference, reference_in, standings
from orchestrator.registry.health import COOL_DOWN_SECONDS, FAILURES_IN_A_ROW, TRIAL_SECONDS, VIOLATIONS, WINDOW
from orchestrator.registry.model import ITSELF
from orchestrator.results.model import RunResult, Status
from tests.records.conftest import Where, as_argument
from tests.registry.conftest import Clock
from tests.support.runs import not_begun, result, skill

TIDY = skill()
OTHER = skill(code="result = 2\n")


def rule(registry: Registry, which: SkillManifest, run_id: str = "r") -> str:
    found = registry.admit(which, run_id)
    return "" if found is None else found.rule


def break_it(registry: Registry, which: SkillManifest = TIDY) -> None:
    registry.register(which)
    for _ in range(FAILURES_IN_A_ROW):
        registry.record(which, result(Status.FAILED))


def kinds(registry: Registry, name: str = "tidy") -> list[str]:
    return [event.kind for event in reversed(registry.history(name))]


# --- names and versions --------------------------------------------------------------------------------------------


def test_what_was_registered_comes_back(registry: Registry) -> None:
    rich = skill(
        "report",
        "1.2.3",
        "def main(folder):\n    return folder\n",
        entrypoint="main",
        description="\u202e\x00 \\u0000",
        inputs_schema={"type": "object", "properties": {"folder": {"type": "string"}}},
        limits={"wall_seconds": 5},
        vault={"read": ["Inbox"]},
        metadata={"n": [1, 2.5, None]},
    )
    row = registry.register(rich, owner="ann", tags=["b", "a", "b"], by="root")
    assert (row.owner, row.tags, row.registered_by) == ("ann", ("a", "b"), "root")
    for reference in ("report", "report@1", "report@1.2", "report@1.2.3"):
        found = registry.resolve(reference)
        assert (found.digest, found.code, found.limits, found.vault) == (
            rich.digest,
            rich.code,
            rich.limits,
            rich.vault,
        )
        assert registry.get(reference) == row


def test_a_name_and_version_mean_one_manifest_for_ever(registry: Registry) -> None:
    first = registry.register(TIDY, owner="ann")
    assert registry.register(TIDY, owner="bob") == first
    with pytest.raises(RegistryError, match="REG101"):
        registry.register(OTHER)
    assert registry.resolve("tidy").digest == TIDY.digest
    assert kinds(registry) == ["registered"]


def test_a_file_that_differs_from_what_is_registered_is_refused(registry: Registry) -> None:
    assert rule(registry, OTHER) == "", "nothing is registered yet"
    registry.register(TIDY)
    assert (rule(registry, TIDY), rule(registry, OTHER)) == ("", "REG101")
    assert rule(registry, skill(limits={"wall_seconds": 7})) == "REG101", "the same code, another manifest"
    assert rule(registry, skill(version="1.0.1", code=OTHER.code)) == ""
    overridden = replace(TIDY, security_level="strict")
    assert rule(registry, overridden) == "", "the caller's overrides are no other skill"


def test_latest_is_by_semantic_version_not_by_age(registry: Registry) -> None:
    for version in ("1.10.0", "1.9.0", "2.0.0-rc.1", "1.2.3"):
        registry.register(skill(version=version))
    assert registry.resolve("tidy").version == "1.10.0"
    assert registry.resolve("tidy@1.2").version == "1.2.3"
    assert registry.resolve("tidy@2.0.0-rc.1").version == "2.0.0-rc.1"
    with pytest.raises(RegistryError, match="no skill tidy@2 is registered") as caught:
        registry.resolve("tidy@2")
    assert "2.0.0-rc.1, 1.10.0" in caught.value.hint


def test_an_unknown_name_is_told_with_what_is_like_it(registry: Registry) -> None:
    registry.register(skill("summarise-inbox"))
    with pytest.raises(RegistryError, match="no skill sumarise-inbox is registered") as caught:
        registry.resolve("sumarise-inbox")
    assert "summarise-inbox" in caught.value.hint
    with pytest.raises(RegistryError, match="no name of a skill"):
        registry.resolve("../etc/passwd")


def test_disabled_versions_are_passed_over_unless_written_out(registry: Registry) -> None:
    for version in ("1.0.0", "1.1.0"):
        registry.register(skill(version=version))
    registry.disable("tidy@1.1.0", reason="it lost notes", by="ann")
    assert registry.resolve("tidy").version == "1.0.0"
    newest = registry.resolve("tidy@1.1.0")
    refusal = registry.admit(newest, "r")
    assert refusal is not None
    assert refusal.rule == "REG102"
    assert "it lost notes" in refusal.message
    registry.disable("tidy@1.0.0")
    assert registry.resolve("tidy").version == "1.1.0", "admit refuses it then"
    registry.enable("tidy@1.1.0", by="bob")
    assert rule(registry, newest) == ""
    assert [(event.kind, event.by) for event in registry.history("tidy", "1.1.0")] == [
        ("enabled", "bob"), ("disabled", "ann"), ("registered", ""),
    ]  # fmt: skip


def test_a_version_must_be_written_out_to_be_changed(registry: Registry) -> None:
    registry.register(TIDY)
    for change in (registry.disable, registry.enable, registry.change):
        with pytest.raises(RegistryError, match="does not say which version"):
            change("tidy@1.0")
        with pytest.raises(RegistryError, match="is registered"):
            change("tidy@9.9.9")


def test_changes_of_metadata_are_recorded_and_change_nothing_else(registry: Registry) -> None:
    before = registry.register(TIDY, owner="ann", tags=["notes"])
    after = registry.change("tidy@1.0.0", owner="bob", tags=["notes", "daily"], by="cleo")
    assert after == replace(before, owner="bob", tags=("daily", "notes"))
    registry.change("tidy@1.0.0", owner="bob", by="cleo")  # nothing new
    (event, _) = registry.history("tidy")
    assert (event.kind, event.by) == ("changed", "cleo")
    assert event.detail == {
        "from": {"owner": "ann", "tags": ["notes"]}, "to": {"owner": "bob", "tags": ["daily", "notes"]},
    }  # fmt: skip


@pytest.mark.parametrize("tags", [[""], [" a"], ["a,b"], ["\x1b"], ["x" * 65], [str(n) for n in range(33)]])
def test_tags_are_short_plain_words(registry: Registry, tags: list[str]) -> None:
    with pytest.raises(RegistryError, match="tag"):
        registry.register(TIDY, tags=tags)
    assert registry.known() == []


def test_untrusted_text_is_kept_as_one_plain_line(registry: Registry) -> None:
    row = registry.register(TIDY, owner="a\x1b[2J\x00\ud800\nb", by="c\u202e")
    assert (row.owner, row.registered_by) == ("a\\x1b[2J\\x00\\ud800\\nb", "c\\u202e")
    assert registry.get("tidy") == row


def test_what_is_not_what_its_digest_says_is_not_registered(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="not the one its digest names"):
        registry.register(replace(TIDY, code="other"))
    with pytest.raises(ManifestError, match="not the one its digest names"):
        registry.register(replace(TIDY, security_level="relaxed"))
    (tmp_path / "a.py").write_text("result = 1\n")
    with pytest.raises(RegistryError, match="no name"):
        registry.register(load_code(tmp_path / "a.py"))


def test_a_manifest_that_was_changed_in_the_database_does_not_run(registry: Registry, database: Database) -> None:
    registry.register(TIDY)
    with database.writing() as connection:
        content = connection.scalar(select(SKILL_MANIFESTS.c.content))
        assert content is not None
        connection.execute(SKILL_MANIFESTS.update().values(content=content.replace(b"result = 1", b"result = 9")))
    with pytest.raises(RecordsError, match="is damaged"):
        registry.resolve("tidy")


def test_what_names_a_registered_skill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert reference_in("tidy@1.2") == parse_reference("tidy@1.2")
    assert reference_in("tidy") is not None
    (tmp_path / "tidy").write_text("{}")
    assert reference_in("tidy") is None, "a file that exists is that file"
    (tmp_path / "dir").mkdir()
    assert reference_in("dir") is not None
    for other in (Path("a"), "a.json", "a.py", "a.toml", "x/y", b"{}", {"name": "a"}, TIDY):
        assert reference_in(other) is None


# --- standings -----------------------------------------------------------------------------------------------------


def test_every_skill_that_ran_is_listed_registered_or_not(registry: Registry, clock: Clock) -> None:
    registry.register(skill("registered"), tags=["x"])
    registry.record(TIDY, result())
    registry.record(OTHER, result(Status.TIMED_OUT))
    registry.register(TIDY)
    found = registry.known()
    assert [(k.standing.name, k.registered is not None, k.standing.statistics.runs) for k in found] in (
        [("registered", True, 0), ("tidy", True, 1), ("tidy", False, 1)],
        [("registered", True, 0), ("tidy", False, 1), ("tidy", True, 1)],
    )
    (tidy,) = [k for k in registry.known("tidy") if k.registered]
    assert tidy.standing.statistics.last_at == clock.at
    assert [k.standing.name for k in registry.known(tag="x")] == ["registered"]


def test_a_run_that_never_began_makes_no_standing(registry: Registry) -> None:
    registry.record(TIDY, not_begun())
    assert registry.known() == []
    registry.record(TIDY, result())
    registry.record(TIDY, not_begun())
    (known,) = registry.known()
    assert known.standing.statistics.statuses == {"succeeded": 1, "not_begun": 1}


def test_the_record_is_part_of_the_callers_transaction(registry: Registry, database: Database) -> None:
    def fails() -> None:
        with database.writing() as connection:
            registry.record_of(TIDY, result())(connection)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert registry.known() == []
    with database.writing() as connection:
        registry.record_of(TIDY, result())(connection)
    assert len(registry.known()) == 1


def test_a_record_is_two_statements(registry: Registry, database: Database) -> None:
    """It stands on the way of every run's answer."""
    from sqlalchemy import event

    registry.record(TIDY, result())
    seen: list[str] = []
    with database.writing() as connection:
        if database.dialect == "sqlite":
            driver_of(connection).set_trace_callback(seen.append)
        else:
            event.listen(connection, "before_cursor_execute", lambda _c, _cur, statement, *_: seen.append(statement))
        registry.record_of(TIDY, result())(connection)
        if database.dialect == "sqlite":
            driver_of(connection).set_trace_callback(None)
    assert [statement.split()[0] for statement in seen] == ["SELECT", "UPDATE"]


def test_skills_that_nobody_registered_are_forgotten_oldest_first(
    registry: Registry, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standings, "MAX_UNREGISTERED", 3)
    registry.register(skill("kept"))
    registry.record(skill("kept"), result())
    for number in range(5):
        clock.at += 1
        registry.record(skill(f"s{number}"), result())
    assert [known.standing.name for known in registry.known()] == ["kept", "s2", "s3", "s4"]


def test_code_that_nobody_registered_fails_as_often_as_it_is_handed_in(registry: Registry) -> None:
    for _ in range(3 * FAILURES_IN_A_ROW):
        registry.record(TIDY, result(Status.FAILED))
        assert rule(registry, TIDY) == ""
    assert registry.known()[0].standing.health.condition == "failing"
    registry.register(TIDY)
    registry.record(TIDY, result(Status.FAILED))
    assert rule(registry, TIDY) == "REG103"


# --- quarantine ----------------------------------------------------------------------------------------------------


def test_a_broken_skill_is_stopped_tried_once_and_let_go(registry: Registry, clock: Clock) -> None:
    registry.register(TIDY)
    for _ in range(FAILURES_IN_A_ROW - 1):
        registry.record(TIDY, result(Status.FAILED))
        assert rule(registry, TIDY) == ""
    registry.record(TIDY, result(Status.FAILED))
    assert rule(registry, TIDY) == "REG103"
    clock.at += COOL_DOWN_SECONDS
    assert rule(registry, TIDY, "trial") == ""
    assert rule(registry, TIDY, "second") == "REG103"
    registry.record(TIDY, result(run_id="trial"))
    assert rule(registry, TIDY) == ""
    (known,) = registry.known()
    assert known.standing.health.condition == "degraded"
    assert kinds(registry) == ["registered", "quarantined", "trial", "released"]
    assert {event.by for event in registry.history("tidy") if event.kind != "registered"} == {ITSELF}
    for _ in range(WINDOW):
        registry.record(TIDY, result())
    assert registry.known()[0].standing.health.condition == "healthy"


def test_a_trial_that_fails_waits_twice_as_long(registry: Registry, clock: Clock) -> None:
    break_it(registry)
    clock.at += COOL_DOWN_SECONDS
    assert rule(registry, TIDY, "trial") == ""
    registry.record(TIDY, result(Status.FAILED, run_id="trial"))
    clock.at += 2 * COOL_DOWN_SECONDS - 1
    assert rule(registry, TIDY) == "REG103"
    clock.at += 1
    assert rule(registry, TIDY) == ""


def test_violations_while_it_ran_lead_to_quarantine_denials_before_do_not(registry: Registry) -> None:
    registry.register(TIDY)
    registry.record(TIDY, result())
    for _ in range(3 * VIOLATIONS):
        registry.record(TIDY, not_begun())
        assert rule(registry, TIDY) == ""
    for _ in range(VIOLATIONS):
        assert rule(registry, TIDY) == ""
        registry.record(TIDY, result(Status.DENIED))
        registry.record(TIDY, result())
    refusal = registry.admit(TIDY, "r")
    assert refusal is not None
    assert "policy violations" in refusal.message


def test_a_session_that_leaves_no_time_breaks_no_skill(registry: Registry) -> None:
    for _ in range(3 * FAILURES_IN_A_ROW):
        registry.record(TIDY, result(Status.TIMED_OUT), shortened=True)
    assert rule(registry, TIDY) == ""
    assert registry.known()[0].standing.statistics.statuses == {"timed_out": 3 * FAILURES_IN_A_ROW}


@pytest.mark.parametrize(
    "ended", [not_begun(run_id="t"), result(Status.CANCELLED, run_id="t"), result(Status.SANDBOX_ERROR, run_id="t")]
)
def test_a_trial_that_says_nothing_is_given_back(registry: Registry, clock: Clock, ended: RunResult) -> None:
    break_it(registry)
    clock.at += COOL_DOWN_SECONDS
    assert rule(registry, TIDY, "t") == ""
    registry.record(TIDY, ended)
    assert rule(registry, TIDY, "next") == ""


def test_a_trial_for_which_there_was_no_sandbox_is_given_back(registry: Registry, clock: Clock) -> None:
    registry.give_back(TIDY, "t")  # nothing to give back
    break_it(registry)
    clock.at += COOL_DOWN_SECONDS
    assert rule(registry, TIDY, "t") == ""
    registry.give_back(TIDY, "another")
    assert rule(registry, TIDY, "next") == "REG103"
    registry.give_back(TIDY, "t")
    assert rule(registry, TIDY, "next") == ""


def test_a_person_can_end_a_quarantine(registry: Registry) -> None:
    break_it(registry)
    registry.enable("tidy@1.0.0", by="ann")
    assert rule(registry, TIDY) == ""
    (event, *_) = registry.history("tidy")
    assert (event.kind, event.by) == ("enabled", "ann")
    assert event.detail["lifted"] == [TIDY.code_digest]


def test_of_many_threads_one_gets_the_trial(registry: Registry, clock: Clock) -> None:
    break_it(registry)
    clock.at += COOL_DOWN_SECONDS
    barrier, admitted = threading.Barrier(8), []

    def ask(number: int) -> None:
        barrier.wait(30)
        if registry.admit(TIDY, f"run{number}") is None:
            admitted.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(admitted) == 1


ASKER = """
import sys
from orchestrator.records import Database
from orchestrator.registry import Registry
from tests.records.conftest import from_argument
from tests.registry.test_registry import TIDY
with Database(from_argument(sys.argv[1])) as database:
    registry = Registry(database, now=lambda: float(sys.argv[2]))
    print("ready", flush=True)
    sys.stdin.readline()
    print(registry.admit(TIDY, sys.argv[3]) is None, flush=True)
    sys.stdin.readline()
"""


def asker(where: Where, at: float, run_id: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", ASKER, as_argument(where), str(at), run_id],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def tell(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()


def heard(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def test_of_several_processes_one_gets_the_trial_and_if_it_dies_another(
    registry: Registry, where: Where, clock: Clock
) -> None:
    break_it(registry)
    clock.at += COOL_DOWN_SECONDS
    children = [asker(where, clock.at, f"run{number}") for number in range(3)]
    try:
        assert [heard(child) for child in children] == ["ready"] * 3
        for child in children:
            tell(child)
        assert sorted(heard(child) for child in children) == ["False", "False", "True"]
    finally:
        for child in children:
            os.kill(child.pid, signal.SIGKILL)
            child.communicate()
    assert rule(registry, TIDY, "later") == "REG103", "nobody knows that the trial's process is gone"
    clock.at += TRIAL_SECONDS
    assert rule(registry, TIDY, "later") == ""


def test_the_events_are_bounded_by_the_skills(registry: Registry, database: Database) -> None:
    """A skill that goes on failing writes an event for each quarantine, not for each run."""
    break_it(registry)
    for _ in range(50):
        registry.record(TIDY, result(Status.FAILED))
    with database.reading() as connection:
        counts: list[Any] = [
            connection.scalar(select(func.count()).select_from(table)) for table in (SKILL_EVENTS, SKILL_STANDINGS)
        ]
    assert counts == [2, 1]  # "registered" is the other one
