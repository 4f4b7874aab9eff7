"""The vault as a transaction, through the whole flow: dry runs, conflicts, reviews, rollback."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator, ReviewError, RunResult, Status, VaultError
from orchestrator.policy import default_policy_dir
from orchestrator.vault.rules import ChangesRefused
from tests.core.conftest import manifest

NOTES = {f"Inbox/{name}.md": f"# {name}\n" for name in "abcdefghijkl"}
GRANTS = {"write": ["Inbox"]}
# Changes, makes, deletes and moves: one of each.
EVERYTHING = """
from pathlib import Path

def main():
    inbox = Path("/vault/Inbox")
    (inbox / "a.md").write_text("changed\\n")
    (inbox / "new.md").write_text("new\\n")
    (inbox / "b.md").unlink()
    (inbox / "c.md").rename(inbox / "moved.md")
    return "done"
"""
AFTER = {
    **{name: text for name, text in NOTES.items() if name not in ("Inbox/b.md", "Inbox/c.md")},
    "Inbox/a.md": "changed\n", "Inbox/new.md": "new\n", "Inbox/moved.md": "# c\n",
}  # fmt: skip
SLOW = """
import time
from pathlib import Path

def main():
    note = Path("/vault/Inbox/a.md")
    text = note.read_text()
    print("read")
    time.sleep(0.3)
    note.write_text(text + "skill\\n")
"""


@pytest.fixture(params=["overlay", "copy"])
def world(
    request: pytest.FixtureRequest, make_vault: Callable[..., Path], make_settings: Callable[..., Any]
) -> Iterator[tuple[Orchestrator, Path]]:
    vault = make_vault(NOTES, owner=1000)
    with Orchestrator(make_settings(vault=vault, vault_view=request.param)) as orchestrator:
        yield orchestrator, vault


def tree(vault: Path) -> dict[str, str]:
    return {str(path.relative_to(vault)): path.read_text() for path in sorted(vault.rglob("*")) if path.is_file()}


def facts(vault: Path) -> dict[str, tuple[int, int, int, int]]:
    """Mode, owner and time of every file."""
    found = {str(path.relative_to(vault)): path.stat() for path in vault.rglob("*") if path.is_file()}
    return {name: (s.st_mode, s.st_uid, s.st_gid, s.st_mtime_ns) for name, s in found.items()}


def edit(vault: Path, text: str, *, times: int) -> Callable[[Any], None]:
    """A person who saves the note while the skill works, in its first ``times`` attempts."""
    left = [times]

    def on_event(event: Any) -> None:
        if event.kind == "stdout" and "read" in event.text and left[0]:
            left[0] -= 1
            (vault / "Inbox/a.md").write_text(f"{text} {left[0]}\n")

    return on_event


def held(orchestrator: Orchestrator, **rules: Any) -> RunResult:
    result = orchestrator.run(manifest(EVERYTHING, vault=GRANTS, review=rules))
    assert result.status is Status.HELD, result.reason
    return result


# --- dry runs


def test_a_dry_run_says_what_it_would_do_and_does_nothing(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, vault = world
    result = orchestrator.run(manifest(EVERYTHING, vault=GRANTS), commit=False)
    assert (result.status, result.output, result.committed) == (Status.SUCCEEDED, "done", False)
    assert {(change.kind, change.path, change.moved_from) for change in result.changes} == {
        ("modified", "Inbox/a.md", ""),
        ("created", "Inbox/new.md", ""),
        ("deleted", "Inbox/b.md", ""),
        ("deleted", "Inbox/c.md", ""),
        ("created", "Inbox/moved.md", "Inbox/c.md"),
    }
    for line in ("-# a", "+changed", "+++ b/Inbox/new.md", "+++ /dev/null", "--- a/Inbox/c.md"):
        assert line in result.diff.splitlines()
    assert tree(vault) == NOTES
    assert orchestrator.history() == []
    assert orchestrator.reviews.pending() == []


# --- conflicts


def test_a_conflict_keeps_both_the_edit_and_the_change_set(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, vault = world
    result = orchestrator.run(manifest(SLOW, vault=GRANTS), on_event=edit(vault, "a person", times=1))
    assert (result.status, result.committed, result.attempts) == (Status.CONFLICT, False, 1)
    assert (vault / "Inbox/a.md").read_text() == "a person 0\n"
    (review,) = orchestrator.reviews.pending()
    assert review.id == result.review
    diff = orchestrator.reviews.diff(review.id)
    assert "-a person 0" in diff.splitlines()
    assert "+skill" in diff.splitlines()
    orchestrator.reviews.approve(review.id, by="owner")  # with open eyes
    assert (vault / "Inbox/a.md").read_text() == "# a\nskill\n"


def test_a_retried_conflict_works_on_the_edited_note(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, vault = world
    result = orchestrator.run(
        manifest(SLOW, vault=GRANTS), on_event=edit(vault, "a person", times=2), on_conflict="retry"
    )
    assert (result.status, result.attempts) == (Status.SUCCEEDED, 3)
    assert (vault / "Inbox/a.md").read_text() == "a person 0\nskill\n"
    assert orchestrator.reviews.pending() == []  # the first two attempts left nothing behind


def test_retries_are_bounded(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, vault = world
    result = orchestrator.run(
        manifest(SLOW, vault=GRANTS), on_event=edit(vault, "a person", times=9), on_conflict="retry"
    )
    assert (result.status, result.attempts) == (Status.CONFLICT, 3)
    assert len(orchestrator.reviews.pending()) == 1
    assert (vault / "Inbox/a.md").read_text() == "a person 6\n"


# --- reviews


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ({"always": True}, "every change"),
        ({"on_deletes": True}, "it deletes 2"),
        ({"over_files": 4}, "it changes 5 entries, more than 4"),
        ({"outside": ["Summaries"]}, "outside Summaries"),
    ],
)
def test_changes_wait_and_land_when_approved(
    world: tuple[Orchestrator, Path], rules: dict[str, Any], reason: str
) -> None:
    orchestrator, vault = world
    result = held(orchestrator, **rules)
    assert reason in result.reason
    assert result.output == "done"
    assert tree(vault) == NOTES
    assert "+changed" in orchestrator.reviews.diff(result.review).splitlines()
    assert len(orchestrator.reviews.approve(result.review, by="owner")) == 5
    assert tree(vault) == AFTER
    assert [stored.state for stored in orchestrator.history()] == ["committed"]
    assert orchestrator.reviews.get(result.review).decided_by == "owner"
    with pytest.raises(ReviewError, match="is approved"):
        orchestrator.reviews.approve(result.review)


def test_what_asks_for_no_review_lands_at_once(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, vault = world
    rules = {"over_files": 5, "outside": ["Inbox"]}
    result = orchestrator.run(manifest(EVERYTHING, vault=GRANTS, review=rules))
    assert (result.status, result.committed, result.review) == (Status.SUCCEEDED, True, "")
    assert tree(vault) == AFTER


def test_a_mass_change_waits(world: tuple[Orchestrator, Path]) -> None:
    """The shipped policies' own rule: half of at least ten files."""
    orchestrator, vault = world
    code = "from pathlib import Path\nfor note in Path('/vault/Inbox').iterdir(): note.write_text('')\nresult = 1"
    result = orchestrator.run(manifest(code, vault=GRANTS, entrypoint=None))
    assert result.status is Status.HELD
    assert "50 %" in result.reason
    assert tree(vault) == NOTES


def test_what_the_policy_warns_of_waits_if_asked(
    make_vault: Callable[..., Path], make_settings: Callable[..., Any], tmp_path: Path
) -> None:
    """A rule that denies, loosened to a warning: an error by itself. A listed fact, loosened: information."""
    policies = tmp_path / "policies"
    shutil.copytree(default_policy_dir(), policies)
    standard = policies / "standard.toml"
    text = standard.read_text()
    table = "[rules]\n" if "[rules]\n" in text else ""
    loosened = '[rules]\nORC102 = "warn"\nORC101 = "warn"\n'
    standard.write_text(text.replace(table, loosened) if table else text + loosened)
    vault = make_vault(NOTES, owner=1000)
    write = "Path('/vault/Inbox/new.md').write_text('new')\nresult = 1\n"
    star = "from pathlib import Path\nfrom math import *\n" + write  # ORC102
    listed = "from pathlib import Path\nif False:\n    import socket\n" + write  # ORC101
    given = {"vault": GRANTS, "entrypoint": None}
    with Orchestrator(
        make_settings(vault=vault, policy_dir=policies, state_dir=_state(make_settings, tmp_path))
    ) as orc:
        plain = orc.run(manifest(star, **given))
        assert (plain.status, [each.severity for each in plain.warnings]) == (Status.SUCCEEDED, ["error"]), plain.reason
        (vault / "Inbox/new.md").unlink()
        result = orc.run(manifest(star, review={"on_findings": "error"}, **given))
        assert result.status is Status.HELD
        assert "ORC102" in result.reason
        assert not (vault / "Inbox/new.md").exists()
        assert orc.run(manifest(listed, review={"on_findings": "error"}, **given)).status is Status.SUCCEEDED
        (vault / "Inbox/new.md").unlink()
        assert orc.run(manifest(listed, review={"on_findings": "info"}, **given)).status is Status.HELD


def _state(make_settings: Callable[..., Any], tmp_path: Path) -> Path:
    """A state directory of its own, which accepts other policies, with the session's image."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    shutil.copy(make_settings().state_dir / "image.json", state)
    return state


def test_what_waits_is_edited_and_told_in_a_note(
    make_vault: Callable[..., Path], make_settings: Callable[..., Any]
) -> None:
    vault = make_vault(NOTES, owner=1000)
    with Orchestrator(make_settings(vault=vault, review_notes=True)) as orchestrator:
        result = held(orchestrator, always=True)
        (note,) = (vault / "Needs_Action").iterdir()
        assert result.review in note.name
        assert "+changed" in note.read_text().splitlines()
        spoil = (
            f"from pathlib import Path\nPath('/vault/Needs_Action/{note.name}').write_text('all is well')\nresult = 1"
        )
        refused = orchestrator.run(manifest(spoil, vault={"write": ["Needs_Action"]}, entrypoint=None))
        assert refused.status is not Status.SUCCEEDED
        assert "state: pending" in note.read_text()
        orchestrator.reviews.edit(result.review, {"Inbox/a.md": b"a person's\n"}, by="owner")
        assert "+a person's" in note.read_text().splitlines()
        orchestrator.reviews.approve(result.review, by="owner")
        assert "state: approved" in note.read_text()
        orchestrator.rollback(result.run_id)
    assert (vault / "Inbox/a.md").read_text() == NOTES["Inbox/a.md"]
    assert "state: approved" in note.read_text()


def test_rejected_changes_never_land(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, vault = world
    result = held(orchestrator, always=True)
    orchestrator.reviews.reject(result.review, by="owner", comment="no")
    with pytest.raises(ReviewError, match="is rejected"):
        orchestrator.reviews.approve(result.review)
    assert tree(vault) == NOTES
    assert [stored.state for stored in orchestrator.history()] == ["rejected"]


def test_an_edit_since_is_a_conflict_and_the_item_waits_on(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, vault = world
    result = held(orchestrator, always=True)
    (vault / "Inbox/a.md").write_text("a person\n")
    before = tree(vault)
    with pytest.raises(ChangesRefused, match=r"Inbox/a\.md"):
        orchestrator.reviews.approve(result.review)
    assert tree(vault) == before
    assert [review.id for review in orchestrator.reviews.pending()] == [result.review]
    (vault / "Inbox/a.md").write_text(NOTES["Inbox/a.md"])  # the content decides, not the time of it
    orchestrator.reviews.approve(result.review)
    assert tree(vault) == AFTER


def test_an_item_expires(world: tuple[Orchestrator, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    orchestrator, vault = world
    result = held(orchestrator, always=True)
    later = time.time() + 15 * 86400
    monkeypatch.setattr("orchestrator.reviews.queue.time.time", lambda: later)
    with pytest.raises(ReviewError, match="expired"):
        orchestrator.reviews.approve(result.review)
    assert orchestrator.reviews.pending() == []
    assert tree(vault) == NOTES


def test_an_approval_is_for_what_was_shown(world: tuple[Orchestrator, Path]) -> None:
    """Somebody who can write to the records but is not us: the hashes are compared."""
    orchestrator, vault = world
    result = held(orchestrator, always=True)
    records = orchestrator.reviews.history.records
    stored = records.set_of(result.run_id)
    assert stored is not None
    swapped = tuple(replace(each, path=each.path.replace("new", "other")) for each in stored.changes)
    records.forget_set(result.run_id)
    records.add_set(replace(stored, changes=swapped))
    with pytest.raises(ReviewError, match="not what was to be reviewed"):
        orchestrator.reviews.approve(result.review)
    assert tree(vault) == NOTES


def test_of_two_approvals_one_lands(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, vault = world
    result = held(orchestrator, always=True)
    outcomes: list[str] = []

    def approve() -> None:
        try:
            orchestrator.reviews.approve(result.review)
            outcomes.append("landed")
        except (ReviewError, ChangesRefused, VaultError):
            outcomes.append("refused")

    threads = [threading.Thread(target=approve) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["landed", "refused", "refused", "refused"]
    assert tree(vault) == AFTER


def test_a_failed_run_goes_to_the_queue_if_it_asks_to(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, _ = world
    code = "def main():\n    raise ValueError('no such note')\n"
    assert orchestrator.run(manifest(code)).review == ""
    result = orchestrator.run(manifest(code, on_error="review"))
    (review,) = orchestrator.reviews.pending()
    assert (review.id, review.kind) == (result.review, "failure")
    assert "no such note" in review.reasons[0]
    orchestrator.reviews.approve(review.id, by="owner")
    assert orchestrator.reviews.pending() == []


# --- rollback


def test_a_rollback_restores_exactly_what_the_run_changed(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, vault = world
    (vault / "Inbox/b.md").chmod(0o600)
    before, looks = tree(vault), facts(vault)
    result = orchestrator.run(manifest(EVERYTHING, vault=GRANTS)).raise_for_status()
    (vault / "Inbox/d.md").write_text("a person, elsewhere\n")
    undone = orchestrator.rollback(result.run_id)
    assert undone.undoes == result.run_id
    assert tree(vault) == {**before, "Inbox/d.md": "a person, elsewhere\n"}
    assert {name: look for name, look in facts(vault).items() if name != "Inbox/d.md"} == {
        name: look for name, look in looks.items() if name != "Inbox/d.md"
    }
    assert [(stored.run_id, stored.state) for stored in orchestrator.history("Inbox/a.md")] == [
        (undone.run_id, "committed"),
        (result.run_id, "rolled_back"),
    ]
    with pytest.raises(VaultError, match="rolled_back"):
        orchestrator.rollback(result.run_id)
    orchestrator.rollback(undone.run_id)  # and a rollback is a run like any other
    assert tree(vault) == {**AFTER, "Inbox/d.md": "a person, elsewhere\n"}


def test_a_rollback_refuses_what_changed_since_and_names_it(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, vault = world
    result = orchestrator.run(manifest(EVERYTHING, vault=GRANTS)).raise_for_status()
    (vault / "Inbox/new.md").write_text("a person went on\n")
    before = tree(vault)
    with pytest.raises(ChangesRefused, match=r"Inbox/new\.md"):
        orchestrator.rollback(result.run_id)
    assert tree(vault) == before


def test_a_rollback_leaves_a_made_directory_that_holds_other_notes(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, vault = world
    code = "from pathlib import Path\nPath('/vault/Inbox/New').mkdir()\nPath('/vault/Inbox/New/n.md').write_text('n')"
    result = orchestrator.run(manifest(code + "\nresult = 1", vault=GRANTS, entrypoint=None)).raise_for_status()
    (vault / "Inbox/New/mine.md").write_text("mine\n")
    orchestrator.rollback(result.run_id)
    assert tree(vault) == {**NOTES, "Inbox/New/mine.md": "mine\n"}


def test_what_is_not_kept_any_more_cannot_be_rolled_back(world: tuple[Orchestrator, Path]) -> None:
    orchestrator, vault = world
    result = orchestrator.run(manifest(EVERYTHING, vault=GRANTS)).raise_for_status()
    history = orchestrator.reviews.history
    history.finished()
    for digest in list(history.objects.digests()):
        history.objects.discard(digest)
    with pytest.raises(VaultError, match="not kept any more"):
        orchestrator.rollback(result.run_id)
    assert tree(vault) == AFTER
    with pytest.raises(VaultError, match="no run"):
        orchestrator.rollback("0000000000000000")
