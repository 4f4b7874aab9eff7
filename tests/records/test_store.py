"""The records keep what they were given, for several threads and processes, and say clearly when they cannot."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.records import (
    Records,
    RecordsError,
    Review,
    SetState,
    Snapshot,
    SnapshotEntry,
    StoredChange,
    StoredSet,
)

ODD = 'Inbox/100%_é\u202e\n"; drop table changes;--\U0001f600.md'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.db"


@pytest.fixture
def records(path: Path) -> Iterator[Records]:
    with Records(path) as opened:
        yield opened


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
        manifest={"name": "tidy", "code": "print('\ud800')", "grants": {"read": ["."], "n": [1, 2.5, None, True]}},
        created_at=at,
        expires_at=at + 60,
    )


def _created(*paths: str) -> tuple[StoredChange, ...]:
    return tuple(StoredChange("created", path) for path in paths)


def _ids(sets: list[StoredSet]) -> list[str]:
    return [stored.run_id for stored in sets]


# Round trips


def test_a_set_comes_back_as_it_was(records: Records, path: Path) -> None:
    full = StoredChange(
        "modified", ODD, "old/ä.md", False, 2**40, "ab", "cd", 0o100640, 2**32 - 1, 4321, 1_700_000_000_123_456_789
    )
    changes = (full, StoredChange("created", "New", directory=True), StoredChange("deleted", "a", before_mode=0))
    stored = replace(_set("run", *changes), note="why", undoes="earlier", vault="/notes/\u00e9")
    records.add_set(stored)
    assert records.set_of("run") == stored
    assert records.set_of("other") is None
    records.close()
    with Records(path) as again:
        assert again.sets() == [stored]


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


def test_forgetting_a_set(records: Records, path: Path) -> None:
    records.add_set(_set("run", *_created("a", "b")))
    records.add_set(_set("other", *_created("a")))
    records.forget_set("run")
    records.forget_set("run")
    assert _ids(records.sets()) == ["other"]
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT run_id FROM changes").fetchall() == [("other",)]


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


def test_history_uses_the_indexes(records: Records, path: Path) -> None:
    """A vault's history grows for years."""
    with closing(sqlite3.connect(path)) as raw:
        below = "({0} = 'a' OR ({0} >= 'a/' AND {0} < 'a0'))"
        query = f"SELECT run_id FROM changes WHERE {below.format('path')} OR {below.format('moved_from')}"
        plan = str(raw.execute(f"EXPLAIN QUERY PLAN {query}").fetchall())
    assert "ix_changes_path" in plan
    assert "ix_changes_moved_from" in plan
    assert "SCAN changes" not in plan


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
from pathlib import Path
from orchestrator.records import Records
with Records(Path(sys.argv[1])) as records:
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


def test_two_processes_decide(records: Records, path: Path) -> None:
    names = [f"r{number}" for number in range(25)]
    for name in names:
        records.add_review(_review(name))
    children = {who: _child(DECIDER, str(path), who) for who in ("ann", "bob")}
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


# The file


def test_several_create_it_at_once(path: Path) -> None:
    """One database wins, the others use it, and nothing half made is left behind."""
    barrier = threading.Barrier(8)
    failed: list[BaseException] = []

    def create(number: int) -> None:
        barrier.wait(30)
        try:
            with Records(path) as mine:
                mine.add_set(_set(f"run {number}"))
        except RecordsError as error:
            failed.append(error)

    _in_threads(*[lambda number=number: create(number) for number in range(8)])
    assert failed == []
    with Records(path) as records:
        assert sorted(_ids(records.sets())) == [f"run {number}" for number in range(8)]
    assert list(path.parent.iterdir()) == [path]


def test_it_is_private_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        with Records(path) as records:
            records.add_set(_set("run"))
            with closing(sqlite3.connect(path)) as other:  # so that the other files stay
                other.execute("SELECT * FROM meta").fetchall()
                records.add_set(_set("another"))
                files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert files == dict.fromkeys(("records.db", "records.db-wal", "records.db-shm"), 0o600)


def test_a_mode_others_could_read_is_corrected(path: Path) -> None:
    Records(path).close()
    path.chmod(0o644)
    Records(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_how_connections_are_set_up(records: Records) -> None:
    with records._reading() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}


def test_an_odd_file_name(tmp_path: Path) -> None:
    for name in ("a?mode=memory", "b%41#c", "file:d", "é \n"):
        with Records(tmp_path / name) as records:
            records.add_set(_set("run"))
        with Records(tmp_path / name) as records:
            assert _ids(records.sets()) == ["run"]


def test_a_fork_does_not_disturb(records: Records) -> None:
    records.add_set(_set("run"))
    child = os.fork()
    if child == 0:
        status = 1
        try:
            records.add_set(_set("of the child"))
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert sorted(_ids(records.sets())) == ["of the child", "run"]


# Refusals


def test_a_newer_version_is_refused(path: Path) -> None:
    Records(path).close()
    for version, sentence in (("2", "are of version 2"), ("x", "no valid schema version"), ("0", "no valid")):
        with closing(sqlite3.connect(path)) as raw:
            raw.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (version,))
            raw.commit()
        with pytest.raises(RecordsError, match=sentence) as caught:
            Records(path)
        assert caught.value.hint
        assert caught.value.exit_code == 6


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"garbage" * 1000, "are not a database"), (b"", "do not have the tables"), (b"x", "do not have the tables")],
)
def test_a_file_that_is_no_database(path: Path, content: bytes, sentence: str) -> None:
    path.write_bytes(content)
    with pytest.raises(RecordsError, match=sentence) as caught:
        Records(path)
    assert "backup" in caught.value.hint
    assert path.read_bytes() == content


def test_a_damaged_database(path: Path) -> None:
    with Records(path) as records:
        for number in range(50):
            records.add_set(_set(f"run {number}", *_created(*(f"{name}" * 50 for name in range(20)))))
    content = path.read_bytes()
    path.write_bytes(content[:8192] + b"\xff" * (len(content) - 8192))
    with pytest.raises(RecordsError, match=r"damaged"), Records(path) as records:
        records.sets()


@pytest.mark.parametrize("dangling", [False, True])
def test_a_symbolic_link_is_refused(tmp_path: Path, path: Path, dangling: bool) -> None:
    target = tmp_path / "target.db"
    if not dangling:
        Records(target).close()
    path.symlink_to(target)
    with pytest.raises(RecordsError, match="are a symbolic link"):
        Records(path)
    assert target.exists() is not dangling


def test_other_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match="no regular file"):
        Records(tmp_path)
    with pytest.raises(RecordsError, match="No such file or directory"):
        Records(tmp_path / "missing/records.db")


def test_a_locked_database(path: Path) -> None:
    with Records(path, busy_seconds=0.05) as records, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(RecordsError, match="are locked by another process") as caught:
            records.add_set(_set("run"))
        assert caught.value.hint
        assert records.sets() == []  # reading needs no lock
        other.execute("ROLLBACK")
        records.add_set(_set("run"))


def test_a_full_database(records: Records) -> None:
    """The engine's own limit on pages stands for the file system's: the error is the same."""

    def fill() -> None:
        with records._writing() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
            connection.exec_driver_sql("INSERT INTO meta VALUES ('filler', ?)", ("x" * 1_000_000,))

    with pytest.raises(RecordsError, match="no space is left"):
        fill()
    assert records.sets() == []


def test_a_file_that_vanished_is_not_made_anew(records: Records, path: Path) -> None:
    path.unlink()
    with pytest.raises(RecordsError, match="cannot be opened"):
        records.sets()
    assert not path.exists()


def test_values_that_are_not_json(records: Records, path: Path) -> None:
    records.add_review(_review())
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("UPDATE reviews SET reasons = '[broken'")
        raw.commit()
    with pytest.raises(RecordsError, match="not JSON"):
        records.reviews()


def test_closed(records: Records) -> None:
    records.close()
    records.close()
    with pytest.raises(RecordsError, match="are closed"):
        records.sets()
