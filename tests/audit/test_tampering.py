"""Each kind of tampering is found, and named. Whoever does it here can write to the database, but has no key."""

from __future__ import annotations

import pytest

from orchestrator.audit.verify import Fault, minus
from orchestrator.records import RecordsError
from tests.audit.conftest import Archive

COLUMNS = "seq, number, at_us, kind, run_id, skill, status, principal, session, code, manifest, body, key_id, prev, mac"
RUNS = 10  # 20 records


@pytest.fixture
def full(archive: Archive) -> Archive:
    archive.fill(RUNS)
    assert archive.verify().ok
    return archive


def test_an_honest_trail_verifies(full: Archive) -> None:
    verdict = full.verify()
    assert (verdict.found, verdict.notes) == ([], [])
    assert (verdict.records, verdict.first, verdict.last) == (20, 1, 20)


def test_an_empty_trail_verifies(archive: Archive) -> None:
    assert archive.verify().ok
    archive.trail().close()
    assert archive.verify().ok


@pytest.mark.parametrize(
    "change",
    [
        "at_us = at_us + 1", "kind = 'event'", "run_id = 'x'", "skill = 'sums@1.0.1'", "status = 'failed'",
        "principal = 'berta'", "session = 's'", "code = manifest", "manifest = code", "body = '{}'",
        "body = replace(body, 'true', 'null')", "key_id = 'feedfeedfeedfeed'", "mac = prev", "prev = mac",
    ],
)  # fmt: skip
def test_an_edit_of_any_column(full: Archive, change: str) -> None:
    full.sql(f"UPDATE audit_records SET {change} WHERE seq = 7")
    assert full.faults() == [("edited", 7, 7)]


def test_fields_cannot_be_shifted_into_each_other(full: Archive) -> None:
    full.sql("UPDATE audit_records SET principal = principal || session, session = '' WHERE seq = 7")
    assert full.faults() == []  # nothing was changed: the control
    full.sql("UPDATE audit_records SET principal = 'ann', session = 'a' WHERE seq = 7")
    assert full.faults() == [("edited", 7, 7)]


def test_an_edit_of_the_last_record(full: Archive) -> None:
    full.sql("UPDATE audit_records SET status = 'failed' WHERE seq = 20")
    assert full.faults() == [("edited", 20, 20)]


def test_deletion(full: Archive) -> None:
    full.sql("DELETE FROM audit_records WHERE seq IN (7, 8, 12)")
    assert full.faults() == [("deleted", 7, 8), ("deleted", 12, 12)]


def test_deletion_with_the_gap_closed(full: Archive) -> None:
    full.sql("DELETE FROM audit_records WHERE seq = 7")
    shift(full, 8, -1)
    assert full.faults() == [("deleted", 7, 7)]


def test_deletion_of_the_beginning(full: Archive) -> None:
    full.sql("DELETE FROM audit_records WHERE seq <= 4")
    assert full.faults() == [("deleted", 1, 4)]


def shift(archive: Archive, first: int, by: int) -> None:
    archive.sql(f"UPDATE audit_records SET seq = -seq WHERE seq >= {first}")
    archive.sql(f"UPDATE audit_records SET seq = -seq + {by} WHERE seq < 0")


def test_insertion_of_a_made_up_record(full: Archive) -> None:
    shift(full, 8, 1)
    full.sql(
        f"INSERT INTO audit_records ({COLUMNS}) SELECT 8, 8, at_us, kind, 'made-up', skill, status, principal, session,"
        " code, manifest, body, key_id, prev, mac FROM audit_records WHERE seq = 7"
    )
    assert full.faults() == [("inserted", 8, 8)]


def test_a_record_put_at_the_end(full: Archive) -> None:
    full.sql(
        f"INSERT INTO audit_records ({COLUMNS}) SELECT 21, 21, at_us, kind, 'made-up', skill, status, principal,"
        " session, code, manifest, body, key_id, mac, prev FROM audit_records WHERE seq = 20"
    )
    assert full.faults() == [("inserted", 21, 21)]


def test_a_copy_of_a_record(full: Archive) -> None:
    rest = COLUMNS.removeprefix("seq, ")
    full.sql(f"INSERT INTO audit_records ({COLUMNS}) SELECT 21, {rest} FROM audit_records WHERE seq = 5")
    assert full.faults() == [("inserted", 21, 21)]


@pytest.mark.parametrize(("one", "other"), [(7, 8), (3, 18), (19, 20)])
def test_reordering(full: Archive, one: int, other: int) -> None:
    full.sql(
        f"UPDATE audit_records SET seq = 1000 WHERE seq = {one}",
        f"UPDATE audit_records SET seq = {one} WHERE seq = {other}",
        f"UPDATE audit_records SET seq = {other} WHERE seq = 1000",
    )
    assert full.faults() == [("reordered", one, one), ("reordered", other, other)]


def test_truncation(full: Archive) -> None:
    full.sql("DELETE FROM audit_records WHERE seq > 15")
    assert full.faults() == [("truncated", 16, 20)]


def test_truncation_with_the_head_set_back(full: Archive) -> None:
    full.sql(
        "DELETE FROM audit_records WHERE seq > 15",
        "UPDATE audit_head SET seq = 15, mac = (SELECT mac FROM audit_records WHERE seq = 15)",
    )
    assert full.faults() == [("head", 0, 0), ("truncated", 16, 20)]


def test_everything_deleted(full: Archive) -> None:
    full.sql("DELETE FROM audit_records")
    assert full.faults()[0] == ("truncated", 1, 20)


def test_an_older_copy_restored(archive: Archive) -> None:
    archive.fill(5)
    restore = archive.copy_tables()
    archive.fill(5, first=5)
    restore()
    assert archive.faults() == [("restored", 11, 20)]


def test_an_empty_copy_restored(full: Archive) -> None:
    full.sql("DELETE FROM audit_records", "DELETE FROM audit_head")
    assert full.faults() == [("restored", 1, 20)]


def test_an_older_copy_restored_and_gone_on_with(archive: Archive) -> None:
    archive.fill(5)
    restore = archive.copy_tables()
    archive.fill(5, first=5)
    restore()
    archive.fill(8, first=100)
    assert archive.faults() == [("restored", 11, 26)]


def test_a_part_restored_from_a_copy(archive: Archive) -> None:
    """Genuine records of a history that was thrown away, put in the place of later ones."""
    archive.fill(2)
    restore = archive.copy_tables()
    archive.fill(2, first=2)
    archive.sql("CREATE TABLE lost AS SELECT * FROM audit_records WHERE seq IN (6, 7)")
    restore()
    archive.anchors.path.unlink()  # or they would tell at once
    archive.fill(4, first=100)
    archive.sql("DELETE FROM audit_records WHERE seq IN (6, 7)", "INSERT INTO audit_records SELECT * FROM lost")
    assert {fault for fault, _, _ in archive.faults()} == {"restored"}
    archive.anchors.path.unlink()  # the chain alone shows both seams
    assert [each for each in archive.faults() if each[0] != "anchors"] == [("restored", 6, 6), ("restored", 8, 8)]


def test_without_anchors_a_restored_copy_would_pass(archive: Archive) -> None:
    """The control: it is the anchors that find it; and their absence is found too."""
    archive.fill(5)
    restore, before = archive.copy_tables(), archive.anchors.path.read_bytes()
    archive.fill(5, first=5)
    restore()
    after = archive.anchors.path.read_bytes()
    archive.anchors.path.write_bytes(before)
    assert archive.faults() == []
    assert archive.faults(more=after) == [("restored", 11, 20)]  # a copy that lies elsewhere
    archive.anchors.path.unlink()
    assert archive.faults() == [("anchors", 0, 0)]


def test_everything_written_anew_without_the_key(full: Archive) -> None:
    """Consistent in itself, sealed with another key."""
    forger = full.home / "forger"
    forger.mkdir()
    full.key_path.rename(forger / "kept")
    full.sql("DELETE FROM audit_records", "DELETE FROM audit_head")
    full.fill(RUNS)
    assert full.faults()[0][0] == "anchors"  # not sealed with this key
    (forger / "kept").rename(full.key_path)
    faults = full.faults()
    assert ("key", 1, 20) in faults
    assert ("key", 0, 0) in faults


@pytest.mark.parametrize("change", ["seq = 19", "mac = 'x'", "seal = mac", "key_id = 'x'"])
def test_the_head_changed(full: Archive, change: str) -> None:
    full.sql(f"UPDATE audit_head SET {change}")
    assert full.faults()[0][0] in ("head", "key")
    with pytest.raises(RecordsError):
        full.fill(1, first=100)


def test_the_head_deleted(full: Archive) -> None:
    full.sql("DELETE FROM audit_head")
    assert full.faults() == [("head", 0, 0)]
    with pytest.raises(RecordsError):
        full.fill(1, first=100)


@pytest.mark.parametrize("change", [lambda raw: raw.replace(b'"seq":5', b'"seq":6'), lambda raw: raw[300:], None])
def test_the_anchor_file_changed(full: Archive, change: object) -> None:
    raw = full.anchors.path.read_bytes()
    lines = raw.splitlines(keepends=True)
    full.anchors.path.write_bytes(change(raw) if callable(change) else b"".join(lines[:4] + lines[5:]))
    assert {fault for fault, _, _ in full.faults()} == {"anchors"}


def test_a_torn_anchor_line_is_no_tampering(full: Archive) -> None:
    raw = full.anchors.path.read_bytes()
    full.anchors.path.write_bytes(raw[:-40])
    verdict = full.verify()
    assert verdict.ok
    assert any("cut off" in note for note in verdict.notes)
    full.fill(1, first=100)
    assert (full.verify().found, full.verify().notes) == ([], [])


def test_the_key_file_missing(full: Archive) -> None:
    full.key_path.unlink()
    assert full.faults() == [("key", 0, 0)]
    with pytest.raises(RecordsError, match="missing"):
        full.trail()


def test_blobs(full: Archive) -> None:
    full.sql("UPDATE audit_blobs SET content = :content WHERE sha256 = (SELECT code FROM audit_records WHERE seq = 1)",
             content=b"something else")  # fmt: skip
    assert full.faults() == [("blob", 0, 0)]
    full.sql("DELETE FROM audit_blobs")
    assert full.faults() == [("blob", 1, 1)] * 3


def test_several_at_once(full: Archive) -> None:
    full.sql(
        "UPDATE audit_records SET status = 'x' WHERE seq = 3",
        "DELETE FROM audit_records WHERE seq BETWEEN 8 AND 9",
        "DELETE FROM audit_records WHERE seq > 17",
    )
    assert full.faults() == [("edited", 3, 3), ("deleted", 8, 9), ("truncated", 18, 20)]


def test_each_finding_says_what_it_means(full: Archive) -> None:
    full.sql("UPDATE audit_records SET status = 'x' WHERE seq = 3")
    found = full.verify().found[0]
    assert found.fault is Fault.EDITED
    assert "changed after it was written" in found.meaning


def test_minus() -> None:
    assert minus([(1, 10)], [(3, 4), (7, 20)]) == [(1, 2), (5, 6)]
    assert minus([(1, 2), (5, 6)], []) == [(1, 2), (5, 6)]
    assert minus([(1, 2)], [(0, 5)]) == []
