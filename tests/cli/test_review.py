"""What waits for a person, and what was done, through the real command line. No engine is asked."""

from __future__ import annotations

import io
import json
import os
import pwd
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from orchestrator.cli.app import app
from orchestrator.cli.render import diff_lines, dry_run_lines, duration, next_step_lines, status_text
from orchestrator.errors import SettingsError
from orchestrator.image.model import BuiltImage
from orchestrator.image.state import remember
from orchestrator.installation import history
from orchestrator.manifest import SkillManifest, load_manifest
from orchestrator.records import Database, Review, StoredChange, StoredSet
from orchestrator.results.model import RunResult, Status
from orchestrator.reviews import Reviews
from orchestrator.settings import Settings
from orchestrator.vault.history import History, RunFacts
from tests.conftest import MakeVault
from tests.vault.conftest import base  # noqa: F401 - the fixture
from tests.vault.world import World, tree

NOWHERE = "tcp://127.0.0.1:1"  # nothing listens there
HOSTILE = "\x1b]52;c;QUFB\x07\x1b[2J\x9b31m\u202e[bold]b[/bold][link=http://e.x]c[/link]"
OBEYED = ("\x1b", "\x07", "\x9b", "\u202e")
UNKNOWN = "0" * 12
IMAGE = BuiltImage(
    image_id="sha256:" + "1" * 64, layer_digest="sha256:" + "2" * 64, architecture="amd64", size_bytes=1,
    python_version="3.13.5", inputs_digest="3" * 64, packages={}, debs={},
)  # fmt: skip


class Office:
    """A vault, its history, and the command line on both."""

    def __init__(self, world: World, history: History, state: Path) -> None:
        self.world, self.history, self.notes, self.state = world, history, world.notes, state
        self.reviews = Reviews(history, _undecided, days=14)
        self._runs = 0

    def call(self, *arguments: str, vault: Path | None = None, **environment: str) -> Result:
        env = {
            "DOCKER_HOST": NOWHERE,
            "ORCHESTRATOR_STATE_DIR": str(self.state),
            "ORCHESTRATOR_VAULT": str(vault or self.notes),
            "COLUMNS": "200",
            **environment,
        }
        return CliRunner().invoke(app, list(arguments), env=env)

    def json(self, *arguments: str) -> Any:
        result = self.call(*arguments, "-o", "json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def run(self, change: Callable[[Path], object], *, hold: bool) -> str:
        """A run of a skill that does ``change`` to its view; its id."""
        self._runs += 1
        run_id, made = f"{self._runs:016x}", skill()
        facts = RunFacts(run_id, f"{made.name}@{made.version}", made.code_digest, made.digest, "standard")
        self.world.slot.remove()
        self.world.prepare()
        change(self.world.begin())
        with self.world.collect() as changes:
            if hold:
                self.history.hold(changes, facts, "it was asked for")
            else:
                self.history.commit(changes, facts)
        return run_id

    def held(self, change: Callable[[Path], object] | None = None, **manifest: Any) -> str:
        """A review of a run that wants to do ``change``; its id."""
        run_id = self.run(change or _edit, hold=True)
        stored = self.history.records.set_of(run_id)
        assert stored is not None
        return self.reviews.ask(skill(**manifest), stored, ("every change of this skill is reviewed",))


def skill(**manifest: Any) -> SkillManifest:
    code = "def main():\n    pass\n"
    document = {"manifest_version": 1, "name": "tidy", "version": "1.0.0", "code": code, "vault": {"write": ["Inbox"]}}
    return load_manifest({**document, **manifest})


def _undecided(_: SkillManifest) -> Any:
    raise AssertionError("only the command line decides here")


def _edit(view: Path) -> None:
    (view / "Inbox/a.md").write_text("omega")
    (view / "Inbox/new.md").write_text("new\n")


def _write(text: str) -> Callable[[Path], object]:
    return lambda view: (view / "Inbox/a.md").write_text(text)


@pytest.fixture
def office(base: Path) -> Iterator[Office]:  # noqa: F811 - the fixture
    world = World(base, "copy")
    settings = Settings(vault=world.notes, state_dir=base / "state")
    remember(settings.state_dir, IMAGE)
    with Database.of(settings) as database, history(world.vault, database, settings, "test-instance") as opened:
        yield Office(world, opened, base / "state")
    world.close()


# --- reviews ---------------------------------------------------------------------------------------------------------


def test_nothing_waits(office: Office) -> None:
    assert "nothing waits" in office.call("review", "list").stdout
    assert office.json("review", "list") == []
    assert office.json("review", "list", "--all") == []


def test_what_waits_is_listed_and_shown(office: Office) -> None:
    review = office.held()
    (row,) = office.json("review", "list")
    assert (row["id"], row["kind"], row["skill"], row["changes"]) == (review, "changes", "tidy@1.0.0", 2)
    text = office.call("review", "list").stdout
    for word in (review, "tidy@1.0.0", "every change of this skill is reviewed", "in 13 d"):
        assert word in text
    shown = office.call("review", "show", review)
    assert shown.exit_code == 0
    made = skill()
    for word in ("pending", "~ Inbox/a.md", "+ Inbox/new.md (4 bytes)", made.code_digest, made.digest, row["run_id"]):
        assert word in shown.stdout
    document = office.json("review", "show", review)
    assert document["allowed_now"] is True
    assert document["findings"] == []
    assert document["manifest"]["code"] == made.code
    assert [each["path"] for each in document["set"]["changes"]] == ["Inbox/a.md", "Inbox/new.md"]


def test_showing_says_what_an_approval_would_meet(office: Office) -> None:
    denied = office.held(code="import subprocess\ndef main():\n    pass\n")
    elsewhere = office.held(lambda view: (view / "keep.md").write_text("changed"))
    assert "ORC101" in office.call("review", "show", denied).stdout
    assert office.json("review", "show", denied)["allowed_now"] is False
    assert [each["rule"] for each in office.json("review", "show", elsewhere)["findings"]] == ["VLT201"]
    assert office.call("review", "approve", denied).exit_code == 2
    assert office.call("review", "approve", elsewhere).exit_code == 2
    assert (office.notes / "keep.md").read_text() == "kept"


def test_the_diff_is_against_the_vault_as_it_is(office: Office) -> None:
    review = office.held()
    expected = (
        "--- a/Inbox/a.md\n+++ b/Inbox/a.md\n@@ -1 +1 @@\n-alpha\n\\ No newline at end of file\n"
        "+omega\n\\ No newline at end of file\n--- /dev/null\n+++ b/Inbox/new.md\n@@ -0,0 +1 @@\n+new\n"
    )
    assert office.call("review", "diff", review).stdout == expected
    assert office.json("review", "diff", review) == {"id": review, "diff": expected}
    coloured = office.call("review", "diff", review, FORCE_COLOR="1", TERM="xterm-256color").stdout
    assert "\x1b[31m-alpha\x1b[0m\n" in coloured
    assert "\x1b[32m+omega\x1b[0m\n" in coloured


def test_an_approval_lands_and_is_recorded(office: Office) -> None:
    review = office.held()
    result = office.call("review", "approve", review, "--by", "Ada")
    assert result.exit_code == 0, result.output
    assert "approved" in result.stdout
    assert "+ Inbox/new.md" in result.stdout
    assert (office.notes / "Inbox/a.md").read_text() == "omega"
    assert office.json("review", "list") == []
    (row,) = office.json("review", "list", "--all")
    assert (row["state"], row["decided_by"]) == ("approved", "Ada")
    assert "approved" in office.call("review", "list", "--all").stdout
    (entry,) = office.json("history")
    assert entry["state"] == "committed"


def test_the_login_name_is_who_decides(office: Office) -> None:
    document = office.json("review", "approve", office.held())
    assert document["state"] == "approved"
    assert [each["path"] for each in document["changes"]] == ["Inbox/a.md", "Inbox/new.md"]
    (row,) = office.json("review", "list", "--all")
    assert row["decided_by"] == pwd.getpwuid(os.getuid()).pw_name


def test_a_rejection_throws_the_changes_away(office: Office) -> None:
    review, before = office.held(), tree(office.notes)
    result = office.call("review", "reject", review, "--by", "Ada", "--comment", "not this way")
    assert result.exit_code == 0, result.output
    assert tree(office.notes) == before
    shown = office.call("review", "show", review).stdout
    for word in ("rejected", "Ada", "not this way"):
        assert word in shown
    assert office.json("review", "reject", office.held())["state"] == "rejected"


@pytest.mark.parametrize("first", ["approve", "reject"])
def test_an_item_is_decided_once(office: Office, first: str) -> None:
    review = office.held()
    assert office.call("review", first, review).exit_code == 0
    after = tree(office.notes)
    for verb in ("approve", "reject"):
        result = office.call("review", verb, review)
        assert result.exit_code == 2
        assert f"review {review} is {first.rstrip('e')}" in result.stderr
        assert result.stdout == ""
    assert tree(office.notes) == after


def test_without_an_image_nothing_is_approved(office: Office) -> None:
    review = office.held()
    (office.state / "image.json").unlink()
    result = office.call("review", "approve", review)
    assert result.exit_code == 2
    assert "POL503" in result.stderr
    assert "POL503" in office.call("review", "show", review).stdout
    assert (office.notes / "Inbox/a.md").read_text() == "alpha"


@pytest.mark.parametrize("other", [False, True], ids=["no image.json", "image.json of another image"])
def test_an_image_of_the_settings_is_enough(office: Office, other: bool) -> None:
    """What it holds only the engine knows; what the policy says of everything else is held against the changes."""
    wanted = IMAGE.image_id if not other else "sha256:" + "9" * 64
    if not other:
        (office.state / "image.json").unlink()
    review = office.held(code="import yaml\ndef main():\n    pass\n", dependencies=["PyYAML>=6"])
    shown = office.call("review", "show", review, ORCHESTRATOR_IMAGE=wanted)
    assert "dependencies were not checked" in shown.stdout
    assert not re.search("POL|ORC", shown.stdout)
    forbidden = office.held(dependencies=["numpy"])
    assert "POL403" in office.call("review", "approve", forbidden, ORCHESTRATOR_IMAGE=wanted).stderr
    assert "POL503" in office.call("review", "approve", review, ORCHESTRATOR_IMAGE="sandbox:latest").stderr
    result = office.call("review", "approve", review, ORCHESTRATOR_IMAGE=wanted)
    assert result.exit_code == 0, result.output
    assert (office.notes / "Inbox/a.md").read_text() == "omega"


def test_an_image_that_is_known_is_judged_by_what_it_holds(office: Office) -> None:
    review = office.held(dependencies=["PyYAML>=6"])
    result = office.call("review", "approve", review, ORCHESTRATOR_IMAGE=IMAGE.image_id)
    assert result.exit_code == 2
    assert "POL404" in result.stderr


def test_an_approval_can_name_what_was_seen(office: Office) -> None:
    review = office.held()
    digest = office.json("review", "show", review)["digest"]
    office.reviews.edit(review, {"Inbox/a.md": b"edited\n"}, by="Bob\x1b")
    result = office.call("review", "approve", review, "--digest", digest)
    assert result.exit_code == 2
    assert "edited meanwhile" in result.stderr
    shown = office.json("review", "show", review)
    assert [(each["by"], each["digest"]) for each in shown["edits"]] == [("Bob\\x1b", shown["digest"])]
    assert re.search("edited: .*by Bob", office.call("review", "show", review).stdout)
    assert office.call("review", "approve", review, "--digest", shown["digest"]).exit_code == 0
    assert (office.notes / "Inbox/a.md").read_text() == "edited\n"


def test_a_vault_that_changed_is_a_conflict_and_the_item_still_waits(office: Office) -> None:
    review = office.held()
    office.world.write("Inbox/a.md", "somebody's")
    result = office.call("review", "approve", review)
    assert result.exit_code == 7
    assert "Inbox/a.md" in result.stderr
    assert not (office.notes / "Inbox/new.md").exists()
    assert [each["id"] for each in office.json("review", "list")] == [review]


def test_a_run_that_failed_is_shown_and_closed(office: Office) -> None:
    review = office.reviews.ask_about_failure(skill(), "f" * 16, "failed: ValueError: no")
    assert "ValueError" in office.call("review", "list").stdout
    assert "failure" in office.call("review", "show", review).stdout
    diff = office.call("review", "diff", review)
    assert (diff.exit_code, diff.stdout) == (0, "")
    assert office.json("review", "approve", review)["changes"] == []
    assert office.json("review", "list") == []


def test_what_expired_is_not_approved(office: Office) -> None:
    office.reviews = Reviews(office.history, _undecided, days=-1)
    review = office.held()
    assert office.json("review", "list") == []
    assert office.json("review", "show", review)["state"] == "expired"
    assert office.call("review", "approve", review).exit_code == 2
    assert (office.notes / "Inbox/a.md").read_text() == "alpha"


@pytest.mark.parametrize("verb", ["show", "diff", "edit", "approve", "reject"])
@pytest.mark.parametrize("review", [UNKNOWN, "\x1b[2J\u202e", "\udcff"])
def test_an_unknown_item(office: Office, verb: str, review: str) -> None:
    result = office.call("review", verb, review)
    assert result.exit_code == 2
    assert "there is no review" in result.stderr
    assert "review list" in result.stderr
    assert not any(character in result.output for character in OBEYED)


def test_what_is_about_another_vault_stays_there(office: Office) -> None:
    review, run_id = office.held(), office.run(_write("landed"), hold=False)
    other = office.world.base / "other"
    (other / "Inbox").mkdir(parents=True)
    assert json.loads(office.call("review", "list", "-o", "json", vault=other).stdout) == []
    assert json.loads(office.call("history", "--limit", "1", "-o", "json", vault=other).stdout) == []
    for verb in ("show", "diff", "approve", "reject"):
        result = office.call("review", verb, review, vault=other)
        assert result.exit_code == 2
        assert "there is no review" in result.stderr
    assert office.call("rollback", run_id, vault=other).exit_code == 6
    assert tree(other) == {"Inbox": "/"}


# --- history ---------------------------------------------------------------------------------------------------------


def test_history_tells_what_was_done_to_a_path(office: Office) -> None:
    assert "no run has changed this vault" in office.call("history").stdout
    runs = [office.run(change, hold=False) for change in (_edit, _write("again"))]
    assert [each["run_id"] for each in office.json("history")] == runs[::-1]
    assert [each["run_id"] for each in office.json("history", "--limit", "1")] == runs[1:]
    for path in ("Inbox/new.md", "./Inbox//new.md", str(office.notes / "Inbox/new.md")):
        assert [each["run_id"] for each in office.json("history", path)] == runs[:1]
        assert "+ Inbox/new.md (4 bytes)" in office.call("history", path).stdout
    assert "2 changes" in office.call("history").stdout
    assert "2 changes" in office.call("history", "Inbox").stdout
    assert office.json("history", "Inbox/sub") == []
    assert office.json("history", "\udcff") == []
    for outside in ("..", "/etc/passwd"):
        assert office.call("history", outside).exit_code == 6
    assert office.call("history", "--limit", "0").exit_code == 2


def test_a_rollback_puts_back_what_was_there(office: Office) -> None:
    before = tree(office.notes)
    run_id = office.run(_edit, hold=False)
    assert tree(office.notes) != before
    result = office.call("rollback", run_id)
    assert result.exit_code == 0, result.output
    assert f"{run_id} rolled back" in result.stdout
    assert "- Inbox/new.md" in result.stdout
    assert tree(office.notes) == before
    assert f"rolls back {run_id}" in office.call("history").stdout
    assert {each["state"] for each in office.json("history")} == {"rolled_back", "committed"}
    assert office.call("rollback", run_id).exit_code == 6
    assert office.call("rollback", "\udcff\x1b").exit_code == 6


def test_a_rollback_never_undoes_what_a_person_did(office: Office) -> None:
    run_id = office.run(_edit, hold=False)
    office.world.write("Inbox/a.md", "somebody's")
    result = office.call("rollback", run_id)
    assert result.exit_code == 7
    assert "Inbox/a.md" in result.stderr
    assert (office.notes / "Inbox/new.md").exists()
    assert office.json("rollback", office.run(lambda view: (view / "x.md").write_text("x"), hold=False))["changes"]


def test_snapshots(office: Office) -> None:
    assert "no snapshots" in office.call("snapshot", "list").stdout
    before = tree(office.notes)
    made = office.json("snapshot", "create", "Inbox", str(office.notes / "Inbox/sub"), "--label", HOSTILE)
    assert (made["roots"], made["files"], made["bytes"]) == (["Inbox"], 2, 9)
    assert [each["id"] for each in office.json("snapshot", "list")] == [made["id"]]
    office.world.write("Inbox/a.md", "changed")
    office.world.write("Inbox/more.md", "more")
    result = office.call("snapshot", "restore", made["id"])
    assert result.exit_code == 0, result.output
    assert "- Inbox/more.md" in result.stdout
    assert tree(office.notes) == before
    assert "nothing was to be changed" in office.call("snapshot", "restore", made["id"]).stdout
    listed = office.call("snapshot", "list").output
    assert made["id"] in listed
    assert not any(character in listed for character in OBEYED)
    assert office.call("snapshot", "restore", "\udcff").exit_code == 6
    assert office.call("snapshot", "create", "Nowhere").exit_code == 6
    assert office.call("snapshot", "create").exit_code == 2


def test_verify_tells_what_is_damaged(office: Office) -> None:
    office.call("snapshot", "create", ".")
    assert "whole" in office.call("vault", "verify").stdout
    assert office.json("vault", "verify") == {"ok": True, "problems": []}
    kept = next(path for path in office.history.objects.directory.rglob("*") if path.is_file())
    kept.chmod(0o600)
    kept.write_bytes(b"damage")
    result = office.call("vault", "verify")
    assert result.exit_code == 6
    assert "damaged" in result.stdout
    assert json.loads(office.call("vault", "verify", "-o", "json").stdout)["ok"] is False


# --- all of them -----------------------------------------------------------------------------------------------------

VERBS = (
    ["review", "list"], ["review", "show", UNKNOWN], ["review", "diff", UNKNOWN], ["review", "approve", UNKNOWN],
    ["review", "edit", UNKNOWN], ["review", "reject", UNKNOWN], ["history"], ["rollback", UNKNOWN],
    ["snapshot", "create", "."],
    ["snapshot", "list"], ["snapshot", "restore", UNKNOWN], ["vault", "verify"],
)  # fmt: skip


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_without_a_vault_it_says_how_to_give_one(tmp_path: Path, verb: list[str], monkeypatch: Any) -> None:
    monkeypatch.delenv("ORCHESTRATOR_VAULT", raising=False)
    result = CliRunner().invoke(app, verb, env={"ORCHESTRATOR_STATE_DIR": str(tmp_path / "state"), "COLUMNS": "200"})
    assert result.exit_code == SettingsError.exit_code
    assert "--vault" in result.stderr
    assert result.stdout == ""


def test_the_vault_can_be_an_option(office: Office) -> None:
    review = office.held()
    env = {"ORCHESTRATOR_STATE_DIR": str(office.state), "COLUMNS": "200"}
    result = CliRunner().invoke(app, ["review", "approve", review, "--vault", str(office.notes)], env=env)
    assert result.exit_code == 0, result.output
    assert (office.notes / "Inbox/a.md").read_text() == "omega"


def test_nothing_is_left_behind_and_policies_are_not_accepted_by_looking(office: Office) -> None:
    office.call("review", "approve", office.held())
    run_id = office.run(lambda view: (view / "x.md").write_text("x"), hold=False)
    (office.state / "policies" / "accepted.json").unlink()
    for arguments in (["review", "list"], ["history"], ["rollback", run_id]):
        assert office.call(*arguments).exit_code == 0
    assert not (office.state / "policies" / "accepted.json").exists()
    assert list((office.state / "instances").iterdir()) == []
    staging = office.history.vault.staging_area
    assert {path.name for path in staging.iterdir()} <= {"test-instance"}


def test_nothing_hostile_reaches_the_terminal(office: Office) -> None:
    run_id = "e" * 16
    change = StoredChange("created", f"Inbox/{HOSTILE}.md", HOSTILE, size=1, sha256="0" * 64)
    vault = str(office.history.vault.root)
    stored = StoredSet(
        run_id, HOSTILE, HOSTILE, HOSTILE, HOSTILE, vault, "held", HOSTILE, 1e9, HOSTILE, HOSTILE, (change,)
    )
    office.history.records.add_set(stored)
    manifest = {"name": HOSTILE, "version": HOSTILE, "description": HOSTILE, "code": HOSTILE, "security_level": HOSTILE}
    for review_id, run in (("a" * 12, run_id), ("b" * 12, "d" * 16)):
        digests = (HOSTILE, HOSTILE, HOSTILE)
        review = Review(review_id, run, "changes", (HOSTILE,), *digests, manifest, 1e9, 1e11, vault=vault)
        office.history.records.add_review(review)
    valid = office.held(description=HOSTILE, code=f"import subprocess  # {HOSTILE}\n")
    for arguments in (
        ["review", "list"], ["review", "show", "a" * 12], ["review", "diff", "a" * 12], ["review", "show", "b" * 12],
        ["review", "approve", "a" * 12], ["review", "show", valid], ["history"], ["history", "Inbox"],
        ["rollback", run_id], ["rollback", HOSTILE], ["review", "reject", valid, "--by", HOSTILE, "--comment", HOSTILE],
        ["review", "show", valid], ["review", "list", "--all"], ["snapshot", "restore", HOSTILE],
    ):  # fmt: skip
        for output in ("text", "json"):
            result = office.call(*arguments, "-o", output)
            assert result.exit_code != 70, result.output
            assert not any(character in result.output for character in OBEYED), arguments
    assert "[bold]b[/bold]" in office.call("review", "show", "a" * 12).stdout


# --- what `run` says -------------------------------------------------------------------------------------------------


def result_of(status: Status, **given: Any) -> RunResult:
    return RunResult("0", "tidy@1.0.0", "standard", status, "a reason", **given)


@pytest.mark.parametrize("status", [Status.HELD, Status.CONFLICT])
def test_the_next_step_is_named(status: Status) -> None:
    lines = [line.plain for line in next_step_lines(result_of(status, review="abc"), None)]
    assert "`orchestrator review diff abc`" in lines[0]
    assert "`orchestrator review approve abc`" in lines[1]
    lines = [line.plain for line in next_step_lines(result_of(status, review="abc"), Path("/my notes\x1b"))]
    assert all("--vault '/my notes\\x1b'" in line for line in lines)


def test_only_what_waits_has_a_next_step() -> None:
    assert not list(next_step_lines(result_of(Status.SUCCEEDED), None))
    assert not list(next_step_lines(result_of(Status.CONFLICT), None))
    (line,) = next_step_lines(result_of(Status.FAILED, review="abc"), None)
    assert "review show abc" in line.plain


def test_held_is_yellow() -> None:
    assert [str(status_text(each).style) for each in (Status.SUCCEEDED, Status.HELD, Status.CONFLICT)] == [
        "green", "yellow", "red",
    ]  # fmt: skip


def test_a_diff_is_coloured_and_escaped() -> None:
    lines = list(diff_lines(f"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+{HOSTILE}\n same\n"))
    assert [str(line.style) for line in lines] == ["bold", "bold", "cyan", "red", "green", ""]
    stream = io.StringIO()
    Console(file=stream, markup=False).print(lines[4], soft_wrap=True)
    assert not any(character in stream.getvalue() for character in OBEYED)
    assert not list(diff_lines(""))


def test_a_dry_run_says_that_nothing_was_written() -> None:
    lines = [line.plain for line in dry_run_lines(result_of(Status.SUCCEEDED, diff="+new\n"))]
    assert lines == ["  dry run: nothing was written to the vault", "+new"]


@pytest.mark.parametrize(("seconds", "text"), [(-1, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (86400, "1 d")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


# --- on the engine ---------------------------------------------------------------------------------------------------


@pytest.fixture
def on_engine(engine_url: str, state_dir: Path, image: BuiltImage, make_vault: MakeVault, tmp_path: Path) -> Any:
    """``on_engine(verb, ...)`` over a vault of one note, with the manifest of a skill that rewrites it."""
    vault = make_vault({"Inbox/a.md": "alpha\n"})
    write = "Path('/vault/Inbox/a.md').write_text('omega\\n')"
    code = f"from pathlib import Path\ndef main():\n    {write}\n    return 'done'\n"
    document = {"manifest_version": 1, "name": "tidy", "version": "1.0.0", "code": code, "vault": {"write": ["Inbox"]}}
    manifest = tmp_path / "tidy.json"
    manifest.write_text(json.dumps({**document, "review": {"always": True}}))
    env = {"DOCKER_HOST": engine_url, "ORCHESTRATOR_STATE_DIR": str(state_dir), "COLUMNS": "200"}

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--vault", str(vault)], env=env)

    call.note, call.manifest = vault / "Inbox/a.md", str(manifest)  # type: ignore[attr-defined]
    return call


@pytest.mark.parametrize("level", ["standard", "strict"])
def test_from_a_held_run_to_its_rollback(on_engine: Any, level: str) -> None:
    ran = on_engine("run", on_engine.manifest, "--level", level)
    assert ran.exit_code == 8, ran.output
    assert ran.stdout == "done\n"
    assert on_engine.note.read_text() == "alpha\n"
    found = re.search(r"orchestrator review approve (\w+) --vault ", ran.stderr)
    assert found is not None, ran.stderr
    assert "+omega\n" in on_engine("review", "diff", found[1]).stdout
    approved = on_engine("review", "approve", found[1], "-o", "json")
    assert approved.exit_code == 0, approved.output
    assert on_engine.note.read_text() == "omega\n"
    assert on_engine("rollback", json.loads(approved.stdout)["run_id"]).exit_code == 0
    assert on_engine.note.read_text() == "alpha\n"


def test_a_dry_run_shows_the_diff_and_leaves_nothing(on_engine: Any) -> None:
    ran = on_engine("run", on_engine.manifest, "--dry-run", "--retry-conflicts")
    assert ran.exit_code == 0, ran.output
    assert ran.stdout == "done\n"
    for words in ("dry run: nothing was written", "-alpha\n", "+omega\n"):
        assert words in ran.stderr
    assert on_engine.note.read_text() == "alpha\n"
    assert json.loads(on_engine("review", "list", "-o", "json").stdout) == []
    assert json.loads(on_engine("run", on_engine.manifest, "--dry-run", "-o", "json").stdout)["committed"] is False
