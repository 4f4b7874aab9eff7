"""How a trail begins, and what is said where one was emptied or its anchors were taken away."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from orchestrator.audit import key as keys
from orchestrator.audit.anchors import AnchorFile
from orchestrator.audit.beginning import begin_anew
from orchestrator.records import Database, RecordsError
from tests.audit.conftest import Archive


def emptied(archive: Archive) -> None:
    archive.sql("DELETE FROM audit_records", "DELETE FROM audit_head", "DELETE FROM audit_blobs")


def anchored(archive: Archive) -> list[int]:
    return [json.loads(line)["seq"] for line in archive.anchors.path.read_bytes().splitlines()]


def events(archive: Archive) -> dict[str, dict[str, Any]]:
    rows = archive.rows("SELECT status, body FROM audit_records WHERE kind = 'event' ORDER BY seq")
    return {each.status: json.loads(each.body)["facts"] for each in rows}


# --- a new one -----------------------------------------------------------------------------------------------------


def test_a_trail_has_a_head_and_an_anchor_before_its_first_record(archive: Archive) -> None:
    archive.trail().close()
    assert [each.seq for each in archive.rows("SELECT seq FROM audit_head")] == [0]
    assert set(anchored(archive)) == {0}
    assert archive.verify().ok
    archive.fill(2)
    verdict = archive.verify()
    assert (verdict.found, verdict.notes, verdict.records) == ([], [], 4)


def test_several_that_begin_at_once_make_one(archive: Archive) -> None:
    together = threading.Barrier(4)

    def work(number: int) -> None:
        with Database(archive.where) as database:
            together.wait(30)
            opened = archive.trail(database=database)
            archive.fill(2, first=10 * number, trail=opened)
            opened.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert (archive.verify().found, archive.verify().records) == ([], 16)
    assert events(archive) == {}


@pytest.mark.parametrize("after", ["key", "head"])
def test_a_crash_in_the_middle_of_the_beginning(archive: Archive, after: str) -> None:
    from orchestrator.audit.ledger import begin

    def crash(ring: keys.Keyring) -> None:
        if after == "head":
            with archive.database.writing() as connection:
                begin(connection, ring.newest)
        raise KeyboardInterrupt

    with keys.locked(archive.key_path), pytest.raises(KeyboardInterrupt):
        keys.make(archive.key_path, crash)
    assert not archive.key_path.exists()
    archive.fill(2)
    assert (archive.verify().found, archive.verify().records) == ([], 4)
    assert sorted(path.name for path in archive.home.glob("audit.*")) == ["audit.anchors", "audit.key"]


def test_another_key_is_not_taken_for_a_trail_that_has_one(archive: Archive) -> None:
    """Of another machine, say, that writes to the same server. It has no record yet."""
    archive.trail().close()
    archive.key_path.unlink()
    with pytest.raises(RecordsError, match="missing"):
        archive.trail()
    assert not archive.key_path.exists()


# --- an emptied one ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("anchors", ["missing", "empty"])
def test_an_emptied_trail_is_found_and_not_gone_on_with(archive: Archive, anchors: str) -> None:
    archive.fill(3)
    emptied(archive)
    if anchors == "missing":
        archive.anchors.path.unlink()
    else:
        archive.anchors.path.write_bytes(b"")
    assert archive.faults() == [("head", 0, 0)]
    with pytest.raises(RecordsError, match="was emptied") as caught:
        archive.trail()
    assert "orchestrator audit begin" in caught.value.hint
    assert archive.faults() == [("head", 0, 0)], "nor does a start that was refused mend it"


def test_an_emptied_trail_is_not_gone_on_with_though_its_anchors_are_there(archive: Archive) -> None:
    archive.fill(3)
    emptied(archive)
    assert archive.faults() == [("restored", 1, 6)]
    with pytest.raises(RecordsError, match="was emptied"):
        archive.trail()


def test_one_that_is_emptied_while_it_is_written_is_not_gone_on_with(archive: Archive) -> None:
    with archive.trail() as trail:
        archive.fill(3, trail=trail)
        emptied(archive)
        archive.anchors.path.unlink()
        with pytest.raises(RecordsError, match="lost its head"):
            archive.fill(3, first=10, trail=trail)
    assert archive.faults() == [("head", 0, 0)]


def test_an_owner_who_wants_that_begins_anew(archive: Archive) -> None:
    archive.fill(3)
    former = archive.anchors.path.read_bytes()
    emptied(archive)
    kept = begin_anew(archive.database, archive.key_path, archive.anchors)
    assert (archive.home / kept).read_bytes() == former
    archive.fill(2)
    verdict = archive.verify()
    assert (verdict.found, verdict.records) == ([], 5)
    assert verdict.notes == ["record 1: the trail was begun anew on purpose; what was before is not in it"]
    assert archive.faults(more=former) == [("restored", 1, 5), ("restored", 6, 6)], "the former anchors still tell"


def test_a_key_of_an_earlier_release_without_a_record_is_begun_with(archive: Archive) -> None:
    archive.trail().close()
    emptied(archive)
    archive.anchors.path.unlink()
    assert begin_anew(archive.database, archive.key_path, archive.anchors) == ""
    archive.fill(1)
    assert archive.verify().ok


def test_nothing_is_begun_over_a_trail_or_without_a_key(archive: Archive) -> None:
    with pytest.raises(RecordsError, match="missing"):
        begin_anew(archive.database, archive.key_path, archive.anchors)
    for runs in (0, 1):
        archive.fill(runs)
        before = archive.anchors.path.read_bytes()
        with pytest.raises(RecordsError, match="not empty"):
            begin_anew(archive.database, archive.key_path, archive.anchors)
        assert archive.anchors.path.read_bytes() == before
    archive.sql("DELETE FROM audit_head")
    with pytest.raises(RecordsError, match="not empty"):
        begin_anew(archive.database, archive.key_path, archive.anchors)


# --- one whose anchors are gone ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_start_without_the_anchors_is_on_record(archive: Archive, how: str) -> None:
    archive.fill(3)
    if how == "missing":
        archive.anchors.path.unlink()
    else:
        archive.anchors.path.write_bytes(b"")
    assert "anchors" in {fault for fault, _, _ in archive.faults()}
    archive.trail().close()
    assert events(archive) == {"audit.anchors_begun": {"from": 6}}
    verdict = archive.verify()
    assert verdict.ok
    assert verdict.notes == ["record 7: the anchor file was missing, and was begun again with record 6"]
    archive.fill(1, first=10)
    assert len(events(archive)) == 1, "once"


def test_so_is_one_that_goes_while_a_trail_is_open(archive: Archive) -> None:
    with archive.trail() as trail:
        archive.fill(1, trail=trail)
        archive.anchors.path.unlink()
        archive.fill(1, first=1, trail=trail)
    assert events(archive)["audit.anchors_begun"] == {"from": 3}
    verdict = archive.verify()
    assert (verdict.found, len(verdict.notes)) == ([], 1)


def test_and_one_that_goes_before_the_end(archive: Archive) -> None:
    with archive.trail() as trail:
        archive.fill(1, trail=trail)
        archive.anchors.path.unlink()
    assert events(archive) == {"audit.anchors_begun": {"from": 2}}
    verdict = archive.verify()
    assert (verdict.found, verdict.last) == ([], 3)
    assert anchored(archive)[-1] == 3, "the event has an anchor as well"


def test_what_cannot_be_put_on_record_is_tried_again(archive: Archive) -> None:
    """Another process holds the database's lock while the anchor file is begun again."""
    archive.fill(1)
    archive.anchors.path.unlink()
    with Database(archive.where, busy_seconds=0.05) as impatient:
        with archive.database.writing():
            trail = archive.trail(database=impatient)
        assert events(archive) == {}
        archive.fill(1, first=1, trail=trail)
        trail.close()
    assert events(archive) == {"audit.anchors_begun": {"from": 2}}
    assert archive.verify().ok


def test_all_gone_is_like_a_new_installation(archive: Archive) -> None:
    """What the threat model says. Anchors that lie elsewhere tell of it."""
    archive.fill(3)
    elsewhere = archive.anchors.path.read_bytes()
    emptied(archive)
    archive.anchors.path.unlink()
    archive.key_path.unlink()
    archive.fill(1)
    assert archive.verify().ok
    assert archive.faults(more=elsewhere)[0][0] == "anchors"


def test_a_link_in_the_place_of_the_anchors_is_not_taken_for_a_missing_file(archive: Archive) -> None:
    archive.fill(1)
    archive.anchors.path.rename(archive.home / "real")
    archive.anchors.path.symlink_to(archive.home / "nowhere")
    with pytest.raises(RecordsError):
        archive.trail()
    with pytest.raises(RecordsError):
        AnchorFile(archive.anchors.path).read(keys.load(archive.key_path))
