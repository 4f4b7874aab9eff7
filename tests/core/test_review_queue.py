"""Editing what waits, and the notes in the vault that tell of it. Real vault, records and policy; no engine."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator import ReviewError, Settings
from orchestrator.installation import history
from orchestrator.manifest import SkillManifest, load_manifest
from orchestrator.policy import Decision
from orchestrator.records import Database, Review, ReviewEdit
from orchestrator.reviews import Reviews
from orchestrator.vault.check import check
from orchestrator.vault.diff import MAX_BYTES
from orchestrator.vault.history import History, RunFacts, digest_of
from orchestrator.vault.holding import notes_pattern
from orchestrator.vault.rules import ChangesRefused
from tests.support.policies import decide, shipped
from tests.vault.conftest import base  # noqa: F401 - the fixture
from tests.vault.world import World, listing, tree

FOLDER = "Needs_Action"
NOTES = {"review_notes": True}


def skill(**given: Any) -> SkillManifest:
    document = {"manifest_version": 1, "name": "tidy", "version": "1.0.0", "code": "def main():\n    pass\n"}
    return load_manifest({**document, "vault": {"write": ["Inbox"]}, **given})


def _decided(wanted: SkillManifest) -> Decision:
    return decide(shipped("standard"), wanted)


class Queue:
    """A vault, its history and a queue; ``held`` is what a run would do."""

    def __init__(self, world: World, of: History) -> None:
        self.world, self.history, self.notes = world, of, world.notes
        self.reviews = self.with_settings()
        self._runs = 0

    def with_settings(self, **settings: Any) -> Reviews:
        given = Settings(vault=self.notes, state_dir=self.world.base / "state", **settings)
        return Reviews.of(given, self.history, _decided)

    def held(self, change: Callable[[Path], object] | None = None, **manifest: Any) -> str:
        self._runs += 1
        made = skill(**manifest)
        facts = RunFacts(f"{self._runs:016x}", f"{made.name}@{made.version}", made.code_digest, made.digest, "standard")
        self.world.slot.remove()
        self.world.prepare()
        (change or _edit)(self.world.begin())
        with self.world.collect() as changes:
            stored = self.history.hold(changes, facts, "it was asked for")
        return self.reviews.ask(made, stored, ("every change of this skill is reviewed",))

    def note(self) -> Path:
        (found,) = (self.notes / FOLDER).iterdir()
        return found


def _edit(view: Path) -> None:
    (view / "Inbox/a.md").write_text("omega")
    (view / "Inbox/new.md").write_text("new\n")


@pytest.fixture
def queue(base: Path) -> Iterator[Queue]:  # noqa: F811 - the fixture
    world = World(base, "copy")
    settings = Settings(vault=world.notes, state_dir=base / "state")
    with Database.of(settings) as database, history(world.vault, database, settings, "test-instance") as opened:
        yield Queue(world, opened)
    world.close()


# --- editing ---------------------------------------------------------------------------------------------------------


def test_what_a_person_saved_is_what_lands(queue: Queue) -> None:
    review = queue.held()
    before = queue.reviews.get(review)
    after = queue.reviews.edit(review, {"Inbox/a.md": b"a person's\n"}, by="Ada\x1b")
    assert after.digest != before.digest
    assert "+a person's" in queue.reviews.diff(review).splitlines()
    (edit,) = queue.reviews.edits(review)
    assert (edit.by, edit.former_digest, edit.digest) == ("Ada\\x1b", before.digest, after.digest)
    assert (queue.notes / "Inbox/a.md").read_text() == "alpha"
    queue.reviews.approve(review, by="Bob")
    assert (queue.notes / "Inbox/a.md").read_text() == "a person's\n"
    assert (queue.notes / "Inbox/new.md").read_text() == "new\n"


def test_the_same_content_is_no_edit(queue: Queue) -> None:
    review = queue.held()
    before = queue.reviews.get(review)
    assert queue.reviews.edit(review, {"Inbox/a.md": b"omega"}) == before
    assert queue.reviews.edits(review) == []


def test_of_two_editors_the_second_is_told(queue: Queue) -> None:
    review = queue.held()
    seen = queue.reviews.get(review).digest
    queue.reviews.edit(review, {"Inbox/a.md": b"one\n"}, by="one", digest=seen)
    with pytest.raises(ReviewError, match="edited meanwhile"):
        queue.reviews.edit(review, {"Inbox/a.md": b"two\n"}, by="two", digest=seen)
    with pytest.raises(ReviewError, match="edited meanwhile"):
        queue.reviews.approve(review, digest=seen)
    assert [each.by for each in queue.reviews.edits(review)] == ["one"]
    queue.reviews.approve(review, digest=queue.reviews.get(review).digest)
    assert (queue.notes / "Inbox/a.md").read_text() == "one\n"


def test_of_several_at_once_one_is_stored(queue: Queue) -> None:
    review = queue.held()
    seen, told = queue.reviews.get(review).digest, []

    def edit(name: str) -> None:
        try:
            queue.reviews.edit(review, {"Inbox/a.md": f"{name}\n".encode()}, by=name, digest=seen)
        except ReviewError:
            told.append(name)

    threads = [threading.Thread(target=edit, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (stored,) = queue.reviews.edits(review)
    assert sorted([*told, stored.by]) == ["0", "1", "2", "3"]
    queue.reviews.approve(review)
    assert (queue.notes / "Inbox/a.md").read_text() == f"{stored.by}\n"


def test_an_edit_while_somebody_approves_is_not_approved_unseen(queue: Queue) -> None:
    """Between the look and the landing: the approval is for the set that it looked at."""
    review = queue.held()
    before, tree_before = queue.reviews.get(review), tree(queue.notes)
    stored = queue.reviews.changes(review)
    assert stored is not None
    facts = RunFacts(stored.run_id, stored.skill, review=review, by="Ada", digest=before.digest)
    with queue.history.to_land(stored) as changes:
        queue.reviews.edit(review, {"Inbox/a.md": b"other\n"}, by="Bob")
        with pytest.raises(Exception, match="decided or edited meanwhile"):
            queue.history.commit(changes, facts)
    assert tree(queue.notes) == tree_before
    assert queue.reviews.get(review).state == "pending"


@pytest.mark.parametrize(
    ("path", "content", "why"),
    [
        ("Inbox/gone.md", b"x", "not among the changes"),
        ("Inbox/../keep.md", b"x", "not among the changes"),
        ("Inbox/a.md", b"a\0b", "binary"),
        ("Inbox/a.md", b"\xff", "not UTF-8"),
        ("Inbox/a.md", b"x" * (MAX_BYTES + 1), "more than"),
        ("Inbox/sub/b.md", b"x", "is deleted"),
        ("Inbox/binary", b"x", "is binary"),
        ("Inbox/latin", b"x", "is not UTF-8"),
        ("Inbox/long", b"x", "more than"),
        ("Inbox/made", b"x", "is a directory"),
    ],
)
def test_what_cannot_be_edited(queue: Queue, path: str, content: bytes, why: str) -> None:
    def change(view: Path) -> None:
        _edit(view)
        (view / "Inbox/sub/b.md").unlink()
        (view / "Inbox/binary").write_bytes(b"a\0b")
        (view / "Inbox/latin").write_bytes(b"\xff")
        (view / "Inbox/long").write_bytes(b"x" * (MAX_BYTES + 1))
        (view / "Inbox/made").mkdir()

    review = queue.held(change)
    before = queue.reviews.get(review), queue.reviews.changes(review)
    with pytest.raises(ReviewError, match=why):
        queue.reviews.edit(review, {"Inbox/new.md": b"also\n", path: content})
    assert (queue.reviews.get(review), queue.reviews.changes(review)) == before
    faults = {draft.path: draft.fault for draft in queue.reviews.drafts(review)}
    assert {name for name, fault in faults.items() if not fault} == {"Inbox/a.md", "Inbox/new.md"}


def test_a_moved_note_that_is_edited_is_no_move_any_more(queue: Queue) -> None:
    review = queue.held(lambda view: (view / "Inbox/a.md").rename(view / "Inbox/z.md"))
    stored = queue.reviews.changes(review)
    assert stored is not None
    moved = tuple(replace(each, moved_from="Inbox/a.md") if each.kind == "created" else each for each in stored.changes)
    edit = ReviewEdit(review, 1.0, "", stored.digest, digest_of(moved))
    assert queue.history.records.amend(edit, moved)
    queue.reviews.edit(review, {"Inbox/z.md": b"else\n"})
    edited = queue.reviews.changes(review)
    assert edited is not None
    assert {each.moved_from for each in edited.changes} == {""}
    queue.reviews.approve(review)
    assert (queue.notes / "Inbox/z.md").read_text() == "else\n"
    assert not (queue.notes / "Inbox/a.md").exists()


def test_the_quotas_hold_for_what_a_person_writes_too(queue: Queue) -> None:
    limits = {"file_mb": 1, "write_mb": 1}
    names = ("x.md", "y.md")

    def change(view: Path) -> None:
        for name in names:
            (view / "Inbox" / name).write_text("x")

    review = queue.held(change, limits=limits)
    queue.reviews.edit(review, {f"Inbox/{name}": b"x" * 900_000 for name in names})
    with pytest.raises(ReviewError, match="VLT110"):
        queue.reviews.approve(review)
    queue.reviews.edit(review, {f"Inbox/{name}": b"x" * 500_000 for name in names})
    assert len(queue.reviews.approve(review)) == 2


def test_a_vault_that_changed_is_a_conflict_after_an_edit_too(queue: Queue) -> None:
    review = queue.held()
    queue.reviews.edit(review, {"Inbox/a.md": b"edited\n"})
    queue.world.write("Inbox/a.md", "somebody's")
    with pytest.raises(ChangesRefused, match=r"Inbox/a\.md"):
        queue.reviews.approve(review)
    assert (queue.notes / "Inbox/a.md").read_text() == "somebody's"


def test_an_approval_of_what_is_there_already_closes_the_item(queue: Queue) -> None:
    review = queue.held(lambda view: (view / "Inbox/made").mkdir())
    (queue.notes / "Inbox/made").mkdir()
    assert queue.reviews.approve(review) == ()
    assert queue.reviews.get(review).state == "approved"
    assert [stored.state for stored in queue.history.sets()] == ["superseded"], "held for ever, it would never go"


def test_what_is_over_is_not_edited(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    review, expiring = queue.held(), queue.held()
    queue.reviews.reject(review)
    with pytest.raises(ReviewError, match="is rejected"):
        queue.reviews.edit(review, {"Inbox/a.md": b"x"})
    failure = queue.reviews.ask_about_failure(skill(), "e" * 16, "no")
    with pytest.raises(ReviewError, match="no changes"):
        queue.reviews.edit(failure, {})
    later = time.time() + 15 * 86400
    monkeypatch.setattr("orchestrator.reviews.queue.time.time", lambda: later)
    with pytest.raises(ReviewError, match="expired"):
        queue.reviews.edit(expiring, {"Inbox/a.md": b"x"})
    assert queue.reviews.edits(review) == queue.reviews.edits(expiring) == []


def test_an_edit_that_cannot_be_stored_leaves_what_was_there(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    review = queue.held()
    before = queue.reviews.get(review), queue.reviews.changes(review)
    with monkeypatch.context() as patched:

        def full(*_: object, **__: object) -> object:
            raise OSError(28, "No space left on device")

        patched.setattr(queue.history.objects, "add_bytes", full)
        with pytest.raises(Exception, match="No space left"):
            queue.reviews.edit(review, {"Inbox/a.md": b"x"})
    assert (queue.reviews.get(review), queue.reviews.changes(review)) == before
    queue.reviews.approve(review)
    assert (queue.notes / "Inbox/a.md").read_text() == "omega"


# --- notes -----------------------------------------------------------------------------------------------------------


def test_without_the_setting_there_is_no_note(queue: Queue) -> None:
    queue.held()
    assert not (queue.notes / FOLDER).exists()


def test_an_item_is_a_note_until_it_is_decided(queue: Queue) -> None:
    queue.reviews = queue.with_settings(**NOTES)
    review = queue.held()
    note = queue.note()
    assert note.name.endswith(f" tidy review-{review}.md")
    text = note.read_text()
    for words in ("state: pending", "+omega", f"orchestrator review approve {review}", "every change of this skill"):
        assert words in text
    entry, folder = note.stat(), note.parent.stat()
    if os.geteuid() == 0:
        assert (entry.st_uid, folder.st_uid) == (queue.world.vault.uid, queue.world.vault.uid)
    queue.reviews.edit(review, {"Inbox/a.md": b"edited\n"})
    assert "+edited" in note.read_text()
    queue.with_settings().approve(review, by="Ada")  # notes that are there are kept up to date without the setting
    for words in ("state: approved", "decided by: Ada"):
        assert words in note.read_text()
    assert queue.note() == note
    assert [stored.state for stored in queue.history.sets()] == ["committed"], "notes are no runs"


@pytest.mark.parametrize("verb", ["reject", "expire"])
def test_the_other_ends(queue: Queue, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    queue.reviews = queue.with_settings(**NOTES, review_folder="Work/Waiting")
    review = queue.held()
    (note,) = (queue.notes / "Work/Waiting").iterdir()
    if verb == "reject":
        queue.reviews.reject(review, by="Ada", comment="not `so` <b>")
        assert "state: rejected" in note.read_text()
        assert "comment: not `so` <b>" in note.read_text()
    else:
        later = time.time() + 15 * 86400
        monkeypatch.setattr("orchestrator.reviews.queue.time.time", lambda: later)
        assert queue.reviews.pending() == []
        assert "state: expired" in note.read_text()
    assert [stored.state for stored in queue.history.sets()] == ["rejected" if verb == "reject" else "expired"]


def test_a_failed_run_is_a_note_too(queue: Queue) -> None:
    queue.reviews = queue.with_settings(**NOTES)
    review = queue.reviews.ask_about_failure(skill(), "f" * 16, "failed: ValueError: no")
    assert "ValueError: no" in queue.note().read_text()
    queue.reviews.approve(review)
    assert "state: approved" in queue.note().read_text()


@pytest.mark.parametrize("what", ["edited", "removed", "replaced by a link", "replaced by a directory"])
def test_what_a_person_did_to_a_note_stays(queue: Queue, what: str) -> None:
    queue.reviews = queue.with_settings(**NOTES)
    review = queue.held()
    note, canary = queue.note(), queue.world.canary
    if what == "edited":
        note.write_text(note.read_text() + "my thoughts\n")
    else:
        note.unlink()
    if what == "replaced by a link":
        note.symlink_to(canary)
    if what == "replaced by a directory":
        note.mkdir()
    before = tree(queue.notes / FOLDER)
    queue.reviews.edit(review, {"Inbox/new.md": b"x\n"})
    queue.reviews.approve(review)
    assert tree(queue.notes / FOLDER) == before
    assert canary.read_text() == "host secret"
    assert (queue.notes / "Inbox/new.md").read_text() == "x\n"


@pytest.mark.parametrize("in_the_way", ["link", "file"])
def test_a_folder_that_is_none_fails_nothing_and_leads_nowhere(queue: Queue, in_the_way: str) -> None:
    queue.reviews = queue.with_settings(**NOTES)
    outside = queue.world.base / "outside"
    outside.mkdir()
    if in_the_way == "link":
        (queue.notes / FOLDER).symlink_to(outside)
    else:
        (queue.notes / FOLDER).write_text("a note\n")
    review = queue.held()
    queue.reviews.approve(review)
    assert list(outside.iterdir()) == []
    assert (queue.notes / "Inbox/a.md").read_text() == "omega"


def test_a_note_that_cannot_be_written_fails_nothing(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    queue.reviews = queue.with_settings(**NOTES)

    def full(*_: object, **__: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(queue.history.objects, "add_bytes", full)
    review = queue.held()
    assert [each.id for each in queue.reviews.pending()] == [review]


def test_a_note_that_appears_during_a_run_is_no_conflict(queue: Queue) -> None:
    """The run may write everywhere; the control is a note that it does change."""
    queue.reviews = queue.with_settings(**NOTES)
    queue.held()  # so that the folder is in the next run's view
    queue.world.slot.remove()
    queue.world.prepare()
    view = queue.world.begin()
    (view / "Inbox/a.md").write_text("later")
    (view / FOLDER / "mine.md").write_text("a skill's own\n")
    queue.reviews.ask_about_failure(skill(), "f" * 16, "no")
    with queue.world.collect() as changes:
        assert changes.conflicts == ()
        assert listing(changes) == ["~Inbox/a.md", f"+{FOLDER}/mine.md"]
        queue.history.commit(changes, RunFacts("c" * 16, "other@1.0.0"))
    assert len(list((queue.notes / FOLDER).iterdir())) == 3


def test_no_skill_may_change_the_notes(queue: Queue) -> None:
    queue.reviews = queue.with_settings(**NOTES)
    queue.held()
    path = str(queue.note().relative_to(queue.notes))
    grants = skill(vault={"write": ["."]}).vault
    queue.world.slot.remove()
    queue.world.prepare()
    view = queue.world.begin()
    (view / path).write_text("all is well\n")
    with queue.world.collect() as changes:
        assert check(changes, grants) == (), "the control: without the pattern it passes"
        assert [each.rule for each in check(changes, grants, (notes_pattern(FOLDER),))] == ["VLT202"]


def test_a_hostile_name_is_a_plain_file_name(queue: Queue) -> None:
    queue.reviews = queue.with_settings(**NOTES)
    manifest = {"name": "../../x\n[[y]]|#^" + "z" * 300, "version": "1"}
    review = Review(
        "a" * 12, "e" * 16, "failure", ("no",), "", "c", "m", manifest, time.time(), time.time() + 60,
        vault=str(queue.notes),
    )  # fmt: skip
    queue.history.records.add_review(review)
    queue.reviews._notes.add(review)  # no manifest that loads has such a name
    name = queue.note().name
    assert name.split(" ", 1)[1].startswith("x-y-z")
    assert set(name) <= set("0123456789-abcdefghijklmnopqrstuvwxyz .")
    assert len(name) < 120


@pytest.mark.parametrize("folder", ["", ".", "..", "/tmp", "a/../b", ".orchestrator", "a/.b", "a*", "[a]", "a\x1b"])
def test_a_folder_that_is_none_of_the_vault_is_refused(folder: str) -> None:
    with pytest.raises(ValueError, match="review_folder"):
        Settings(review_folder=folder)
