"""The records keep what they were given, for several threads and processes, on each database."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from orchestrator.records import (
    Database,
    Records,
    RecordsError,
    Review,
    ReviewEdit,
    ReviewNote,
    SetState,
    Snapshot,
    SnapshotEntry,
    StoredChange,
    StoredSet,
)
from tests.records.conftest import Where, as_argument

ODD = 'Inbox/100%_é\u202e\n"; drop table changes;--\U0001f600.md'


def _set(run_id: str, *changes: StoredChange, at: float = 1.5, state: SetState = "committed") -> StoredSet:
    return StoredSet(
        run_id=run_id,
        skill="tidy@1.0.0",
        code_sha256="c0",
        manifest_digest="m0",
        level="standard",
        vault="/notes",
        state=state,
        digest="d0",
        created_at=at,
        changes=changes,
    )


def _review(id: str = "r1", at: float = 1.0) -> Review:
    return Review(
        id=id,
        run_id="run",
        kind="changes",
        reasons=("deletes 3 notes", ODD),
        digest="d0",
        code_sha256="c0",
        manifest_digest="m0",
        manifest={"name": "tidy", "code": "print('\ud800\0')", "grants": {"read": ["."], "n": [1, 2.5, None, True]}},
        created_at=at,
        expires_at=at + 60,
    )


def _created(*paths: str) -> tuple[StoredChange, ...]:
    return tuple(StoredChange("created", path) for path in paths)


def _ids(sets: list[StoredSet]) -> list[str]:
    return [stored.run_id for stored in sets]


# Round trips


def test_a_set_comes_back_as_it_was(records: Records, database: Database, where: Where) -> None:
    full = StoredChange(
        "modified", ODD, "old/ä.md", False, 2**40, "ab", "cd", 0o100640, 2**32 - 1, 4321, 1_700_000_000_123_456_789
    )
    changes = (full, StoredChange("created", "New", directory=True), StoredChange("deleted", "a", before_mode=0))
    stored = replace(_set("run", *changes), note="why", undoes="earlier", vault="/notes/\u00e9")
    records.add_set(stored)
    assert records.set_of("run") == stored
    assert records.set_of("other") is None
    database.close()
    with Database(where) as again:
        assert Records(again).sets() == [stored]


def test_a_set_without_changes(records: Records) -> None:
    records.add_set(_set("run"))
    assert records.set_of("run") == _set("run")


def test_a_run_has_one_set(records: Records) -> None:
    records.add_set(_set("run", *_created("a")))
    with pytest.raises(RecordsError, match="there already"):
        records.add_set(_set("run", *_created("b")))
    assert records.set_of("run") == _set("run", *_created("a"))


def test_what_fails_half_way_leaves_nothing(records: Records) -> None:
    with pytest.raises(UnicodeEncodeError):
        records.add_set(_set("run", *_created("fine", "lone\ud800")))
    assert records.sets() == []
    twice = Snapshot("s", 1.0, (".",), entries=(SnapshotEntry("a"), SnapshotEntry("a")))
    with pytest.raises(RecordsError, match="there already"):
        records.add_snapshot(twice)
    assert records.snapshots() == []


def test_marking(records: Records) -> None:
    records.add_set(_set("run", state="held"))
    records.mark_set("run", "committed", "approved by ann")
    records.mark_set("run", "rolled_back")
    assert records.set_of("run") == replace(_set("run"), state="rolled_back", note="approved by ann")
    with pytest.raises(RecordsError, match="no change set of run nobody"):
        records.mark_set("nobody", "expired")


def test_forgetting_a_set(records: Records, database: Database) -> None:
    records.add_set(_set("run", *_created("a", "b")))
    records.add_set(_set("other", *_created("a")))
    records.forget_set("run")
    records.forget_set("run")
    assert _ids(records.sets()) == ["other"]
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT run_id FROM changes").fetchall() == [("other",)]


def test_prunable(records: Records) -> None:
    records.add_set(_set("new", at=30))
    records.add_set(_set("middle", at=20, state="rolled_back"))
    records.add_set(_set("waiting", at=5, state="held"))
    records.add_set(_set("old", *_created("a"), at=10))
    assert records.prunable(30) == [_set("old", *_created("a"), at=10), _set("middle", at=20, state="rolled_back")]


def test_a_review_comes_back_as_it_was(records: Records) -> None:
    records.add_review(_review("late", at=2.0))
    records.add_review(_review("early"))
    assert records.review("early") == _review("early")
    assert records.review("none") is None
    assert [review.id for review in records.reviews()] == ["early", "late"]
    assert records.decide("early", "approved", by="ann", comment=ODD, at=9.5)
    done = replace(_review("early"), state="approved", decided_by="ann", comment=ODD, decided_at=9.5)
    assert records.reviews("approved") == [done]
    assert [review.id for review in records.reviews()] == ["late"]
    assert [review.id for review in records.reviews(None)] == ["early", "late"]


def test_a_manifest_of_other_values_is_refused(records: Records) -> None:
    with pytest.raises(RecordsError, match="not JSON serializable"):
        records.add_review(replace(_review(), manifest={"code": b"bytes"}))
    assert records.reviews(None) == []


def test_a_snapshot_comes_back_as_it_was(records: Records) -> None:
    entries = (SnapshotEntry("A", directory=True), SnapshotEntry(ODD, False, 2**40, "ab", 0o644, 2**60))
    snapshot = Snapshot("s1", 1.5, ("Inbox", "A"), "before the move", entries)
    records.add_snapshot(snapshot)
    records.add_snapshot(Snapshot("s2", 2.5, (".",)))
    assert records.snapshot("s1") == snapshot
    assert records.snapshot("none") is None
    assert records.snapshots() == [Snapshot("s2", 2.5, (".",)), replace(snapshot, entries=())]
    records.forget_snapshot("s1")
    records.forget_snapshot("s1")
    assert records.snapshot("s1") is None
    assert records.referenced() == set()


# History


def test_newest_first_and_no_more_than_asked_for(records: Records) -> None:
    for at in (2, 3, 1):
        records.add_set(_set(f"at {at}", *_created("a", "b"), at=at))
    assert _ids(records.sets()) == ["at 3", "at 2", "at 1"]
    assert records.sets(limit=2) == [_set(f"at {at}", *_created("a", "b"), at=at) for at in (3, 2)]
    assert _ids(records.sets(path="a", limit=1)) == ["at 3"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("a", ["a", "a/x", "a/y/z", "from a/x"]),
        ("a/", ["a", "a/x", "a/y/z", "from a/x"]),
        ("a/x", ["a/x", "from a/x"]),
        ("a/y", ["a/y/z"]),
        ("A", ["A/x"]),
        ("ab", ["ab", "ab/x"]),
        ("%", ["%"]),
        ("_", ["_/x"]),
        ("a_", []),
        ("a%", []),
        ("a\\", []),
        ("100%_é", ["100%_é/\U0010ffff"]),
        ("", []),
        ("/", []),
        (".", [
            "%", "100%_é/\U0010ffff", "A/x", "_/x", "a", "a!", "a.md", "a/x", "a/y/z", "a0", "ab", "ab/x", "from a/x",
        ]),
    ],
)  # fmt: skip
def test_history_of_a_path(records: Records, asked: str, found: list[str]) -> None:
    for name in ("a", "a/x", "a/y/z", "ab", "ab/x", "a.md", "a0", "a!", "A/x", "%", "_/x", "100%_é/\U0010ffff"):
        records.add_set(_set(name, StoredChange("created", name), StoredChange("deleted", "unrelated")))
    records.add_set(_set("from a/x", StoredChange("created", "elsewhere", moved_from="a/x")))
    assert sorted(_ids(records.sets(path=asked))) == found


def test_referenced(records: Records) -> None:
    def change(name: str) -> StoredChange:
        return StoredChange("modified", "a", sha256=f"{name} new", before_sha256=f"{name} old")

    states: tuple[SetState, ...] = ("committed", "held", "rejected", "expired", "superseded", "rolled_back")
    for state in states:
        records.add_set(_set(state, change(state), *_created("no content"), state=state))
    records.add_snapshot(Snapshot("s", 1.0, (".",), entries=(SnapshotEntry("d"), SnapshotEntry("f", sha256="shot"))))
    kept = {"committed", "held", "superseded", "rolled_back"}
    assert records.referenced() == {f"{state} {which}" for state in kept for which in ("new", "old")} | {"shot"}


# Deciding


def test_a_review_is_decided_once(records: Records) -> None:
    records.add_review(_review())
    assert records.decide("r1", "rejected", by="ann", at=2.0)
    assert not records.decide("r1", "approved", by="bob", at=3.0)
    assert not records.decide("none", "approved", by="bob", at=3.0)
    review = records.review("r1")
    assert review is not None
    assert (review.state, review.decided_by, review.decided_at) == ("rejected", "ann", 2.0)


def test_deciding_and_marking_are_one(records: Records) -> None:
    records.add_set(_set("run", *_created("a.md"), state="held"))
    records.add_review(_review())
    records.add_review(_review("r2"))
    assert not records.decide("r1", "approved", by="ann", at=2.0, digest="other", set_state="committed")
    assert _state(records) == ("pending", "held")
    assert records.decide("r1", "rejected", by="ann", at=2.0, digest="d0", comment="no", set_state="rejected")
    assert _state(records) == ("rejected", "rejected")
    found = records.set_of("run")
    assert found is not None
    assert found.note == "no"
    assert records.decide("r2", "approved", by="ann", at=2.0, set_state="committed")  # nothing is held any more
    assert _state(records) == ("rejected", "rejected")


NO_UPDATES = {
    "sqlite": "CREATE TRIGGER no BEFORE UPDATE ON change_sets BEGIN SELECT RAISE(ABORT, 'the disk is full'); END",
    "postgresql": "ALTER TABLE change_sets ADD CONSTRAINT no CHECK (state = 'held')",
}


def test_a_decision_that_cannot_mark_is_none(records: Records, database: Database) -> None:
    records.add_set(_set("run", state="held"))
    records.add_review(_review())
    with database.writing() as connection:
        connection.exec_driver_sql(NO_UPDATES[database.dialect])
    with pytest.raises(RecordsError):
        records.decide("r1", "approved", by="ann", at=2.0, set_state="committed")
    assert _state(records) == ("pending", "held")


def _state(records: Records) -> tuple[str, str]:
    review, stored = records.review("r1"), records.set_of("run")
    assert review is not None
    assert stored is not None
    return review.state, stored.state


# Editing


def _edit(former: str = "d0", digest: str = "d1", by: str = "ann") -> ReviewEdit:
    return ReviewEdit("r1", 2.0, by, former, digest)


def test_an_edit_replaces_the_changes(records: Records) -> None:
    records.add_set(_set("run", *_created("a.md", "b.md"), state="held"))
    records.add_review(_review())
    changed = tuple(replace(each, sha256="new") for each in _created("a.md", "b.md"))
    assert records.amend(_edit(), changed)
    assert not records.amend(_edit(by="bob"), _created("c.md")), "somebody was faster"
    stored, review = records.set_of("run"), records.review("r1")
    assert stored is not None
    assert review is not None
    assert (stored.digest, review.digest, stored.changes) == ("d1", "d1", changed)
    assert records.amend(_edit("d1", "d2", "bob"), ())
    assert [(each.by, each.former_digest, each.digest) for each in records.edits("r1")] == [
        ("ann", "d0", "d1"),
        ("bob", "d1", "d2"),
    ]


def test_what_is_decided_or_not_held_is_not_edited(records: Records) -> None:
    stored = _set("run", *_created("a.md"))
    records.add_set(stored)
    records.add_review(_review())
    with pytest.raises(RecordsError, match="do not hold"):
        records.amend(_edit(), ())
    review = records.review("r1")
    assert review is not None
    assert review.digest == "d0", "nothing of the call was stored"
    assert records.set_of("run") == stored
    assert records.decide("r1", "rejected", by="ann", at=2.0)
    assert not records.amend(_edit(), ())
    assert records.edits("r1") == []


def test_the_note_of_a_review(records: Records) -> None:
    records.add_review(_review())
    assert records.note_of("r1") is None
    for sha256 in ("one", "two"):
        records.put_note(ReviewNote("r1", "Needs_Action/a.md", sha256))
        assert records.note_of("r1") == ReviewNote("r1", "Needs_Action/a.md", sha256)


def _in_threads(*calls: Callable[[], None]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_two_threads_decide(records: Records) -> None:
    names = [f"r{number}" for number in range(25)]
    for name in names:
        records.add_review(_review(name))
    won: dict[str, list[str]] = {"ann": [], "bob": []}
    barrier = threading.Barrier(2)

    def decide(who: str) -> None:
        for name in names:
            barrier.wait(30)
            if records.decide(name, "approved", by=who, at=2.0):
                won[who].append(name)

    _in_threads(lambda: decide("ann"), lambda: decide("bob"))
    assert sorted(won["ann"] + won["bob"]) == sorted(names)
    assert {review.id: review.decided_by for review in records.reviews("approved")} == {
        name: who for who, mine in won.items() for name in mine
    }


DECIDER = """
import sys
from orchestrator.records import Database, Records
from tests.records.conftest import from_argument
with Database(from_argument(sys.argv[1])) as database:
    records = Records(database)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(25):
        if records.decide(f"r{number}", "approved", by=sys.argv[2], at=2.0):
            print(f"r{number}")
"""


def _child(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_two_processes_decide(records: Records, where: Where) -> None:
    names = [f"r{number}" for number in range(25)]
    for name in names:
        records.add_review(_review(name))
    children = {who: _child(DECIDER, as_argument(where), who) for who in ("ann", "bob")}
    for child in children.values():
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children.values():
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    won = {}
    for who, child in children.items():
        out, problems = child.communicate(timeout=60)
        assert (child.returncode, problems) == (0, "")
        won[who] = out.split()
    assert sorted(won["ann"] + won["bob"]) == sorted(names)
    assert {review.id: review.decided_by for review in records.reviews("approved")} == {
        name: who for who, mine in won.items() for name in mine
    }


# Forgetting


def test_what_is_old_is_forgotten_but_not_what_waits(records: Records) -> None:
    for name, at, state in (("old", 5, "committed"), ("waits", 5, "held"), ("new", 10, "rejected")):
        records.add_set(_set(name, *_created("a"), at=at, state=state))  # type: ignore[arg-type]
    for name, decided in (("early", 5.0), ("late", 10.0)):
        records.add_review(_review(name, at=1.0))
        assert records.decide(name, "rejected", by="ann", at=decided)
    records.add_review(_review("undecided", at=1.0))
    records.forget_older(10)
    assert sorted(_ids(records.sets())) == ["new", "waits"]
    assert sorted(review.id for review in records.reviews(None)) == ["late", "undecided"]


def test_forgetting_lets_others_in_and_stops_when_told(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.records.store._FORGOTTEN_AT_ONCE", 2)
    for number in range(5):
        records.add_set(_set(f"run {number}", *_created("a"), at=1))
    rests: list[float] = []

    def rest(seconds: float) -> bool:
        rests.append(seconds)
        assert records.due(f"another writes {len(rests)}", at=1e9, every_seconds=1)
        return len(rests) == 2

    records.forget_older(10, rest=rest)
    assert len(rests) == 2
    assert all(seconds > 0 for seconds in rests)
    assert len(records.sets()) == 1
    records.forget_older(10, rest=rest)
    assert records.sets() == []


def test_what_is_due_once_a_day(records: Records) -> None:
    day = 86400.0
    assert [records.due("a", at=at, every_seconds=day) for at in (1e9, 1e9, 1e9 + day - 1, 1e9 + day)] == [
        True, False, False, True,
    ]  # fmt: skip
    assert records.due("b", at=1e9, every_seconds=day)
    assert records.due("a", at=1e9, every_seconds=day), "what is remembered lies in the future: the clock was wrong"


def test_values_that_are_not_json(records: Records, database: Database) -> None:
    if database.dialect == "postgresql":
        pytest.skip("PostgreSQL stores no other")
    records.add_review(_review())
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE reviews SET reasons = '[broken'")
    with pytest.raises(RecordsError, match="not JSON"):
        records.reviews()
