"""What no query finds: types, indexes, tables; and what is named only inside a body, or by the anchors of the end."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.audit import records
from orchestrator.audit.anchors import AnchorFile
from orchestrator.audit.query import Reader
from orchestrator.audit.verify import ANCHORED_SECONDS, MOST_UNANCHORED, verify
from orchestrator.records import RecordsError
from tests.audit.conftest import Archive, allowed, skill_of
from tests.audit.test_tampering import COLUMNS

RUNS = 10  # 20 records
TYPED = [name for name in COLUMNS.split(", ") if name != "seq"]  # which is a number in any case
LATER_US = (ANCHORED_SECONDS + 10) * 10**6


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Archive]:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    found = Archive(home / "records.db", home)
    found.fill(RUNS)
    yield found
    found.close()


# --- types ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", TYPED)
def test_equal_bytes_of_another_type(embedded: Archive, column: str) -> None:
    embedded.sql(f"UPDATE audit_records SET {column} = CAST({column} AS BLOB) WHERE seq = 7")
    assert embedded.faults() == [("edited", 7, 7)]


@pytest.mark.parametrize("column", ["mac", "key_id", "seal"])
def test_the_head_of_another_type(embedded: Archive, column: str) -> None:
    embedded.sql(f"UPDATE audit_head SET {column} = CAST({column} AS BLOB)")
    assert [fault for fault, _, _ in embedded.faults()] == ["head"]


@pytest.mark.parametrize("change", ["content = CAST(content AS TEXT)", "sha256 = CAST(sha256 AS BLOB)"])
def test_a_blob_of_another_type(embedded: Archive, change: str) -> None:
    embedded.sql(f"UPDATE audit_blobs SET {change} WHERE sha256 = (SELECT code FROM audit_records WHERE seq = 1)")
    assert {fault for fault, _, _ in embedded.faults()} == {"blob"}
    Reader(embedded.database).show(f"{0:016x}")  # whatever it finds


# --- lists of rules ------------------------------------------------------------------------------------------------

RULESET = "SELECT sha256 FROM audit_blobs WHERE sha256 NOT IN (SELECT code FROM audit_records)" \
          " AND sha256 NOT IN (SELECT manifest FROM audit_records)"  # fmt: skip


def test_a_deleted_list_of_rules(archive: Archive) -> None:
    archive.fill(RUNS)
    archive.sql(f"DELETE FROM audit_blobs WHERE sha256 IN ({RULESET})")
    assert archive.faults() == [("blob", 1, 1)]
    assert "list of rules that looked of 10 records" in archive.verify().found[0].meaning


def test_a_changed_list_of_rules(archive: Archive) -> None:
    archive.fill(RUNS)
    archive.sql(f"UPDATE audit_blobs SET content = :content WHERE sha256 IN ({RULESET})", content=b"{}")
    assert archive.faults() == [("blob", 0, 0)]


def test_many_names_are_looked_up_in_portions(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.audit.walk.MAX_NAMED", 3)
    with archive.trail() as trail:
        for number in range(RUNS):
            trail.intent("r", skill_of(f"x = {number}\n"), {}, allowed(), principal="", image_id="")
    assert archive.verify().ok
    archive.sql("DELETE FROM audit_blobs WHERE sha256 IN (SELECT code FROM audit_records WHERE seq IN (2, 9))")
    assert archive.faults() == [("blob", 2, 2)]
    assert "of 2 records" in archive.verify().found[0].meaning


# --- indexes and tables --------------------------------------------------------------------------------------------


def test_an_index_that_leaves_a_run_out(embedded: Archive) -> None:
    run_id, name = f"{3:016x}", "ix_audit_records_run_id"
    embedded.close()
    with closing(sqlite3.connect(embedded.home / "records.db", isolation_level=None)) as raw:
        whole = raw.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0]
        raw.execute(f"DROP INDEX {name}")
        raw.execute(f"CREATE INDEX {name} ON audit_records (run_id) WHERE run_id <> '{run_id}'")
        raw.execute("PRAGMA writable_schema = ON")
        raw.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (whole, name))
    again = Archive(embedded.home / "records.db", embedded.home)
    assert Reader(again.database).show(run_id) is None  # the control: it is hidden
    verdict = again.verify()
    assert {each.fault.value for each in verdict.found} == {"index"}
    assert name in verdict.found[0].meaning
    again.close()


@pytest.mark.parametrize("name", ["audit_records", "audit_head", "audit_blobs"])
def test_a_dropped_table(archive: Archive, name: str) -> None:
    archive.fill(1)
    archive.sql(f"DROP TABLE {name}")
    assert archive.faults() == [("tables", 0, 0)]
    assert name in archive.verify().found[0].meaning
    archive.key_path.unlink()
    assert archive.faults() == [("tables", 0, 0)]


def test_a_view_in_a_tables_place(embedded: Archive) -> None:
    embedded.sql("ALTER TABLE audit_records RENAME TO other", "CREATE VIEW audit_records AS SELECT * FROM other")
    assert embedded.faults() == [("tables", 0, 0)]


def test_a_table_of_another_shape(embedded: Archive) -> None:
    """Places that are no numbers: nothing to judge, and no defect of ours."""
    embedded.sql(
        f"CREATE TABLE other ({COLUMNS})", f"INSERT INTO other ({COLUMNS}) SELECT {COLUMNS} FROM audit_records",
        "UPDATE other SET seq = 'x' WHERE seq = 5", "DROP TABLE audit_records",
        "ALTER TABLE other RENAME TO audit_records",
    )  # fmt: skip
    with pytest.raises(RecordsError, match="audit_records was replaced"):
        embedded.verify()


def test_a_record_before_all_others(archive: Archive) -> None:
    archive.fill(1)
    first, rest = -(2**63), COLUMNS.removeprefix("seq, ")
    archive.sql(f"INSERT INTO audit_records ({COLUMNS}) SELECT {first}, {rest} FROM audit_records WHERE seq = 1")
    assert ("inserted", first, first) in archive.faults()


def test_an_emptied_trail(archive: Archive) -> None:
    archive.fill(1)
    archive.sql("DELETE FROM audit_records", "DELETE FROM audit_head", "DELETE FROM audit_blobs")
    archive.anchors.path.write_bytes(b"")
    assert archive.faults() == [("head", 0, 0)]


# --- anchors of the end --------------------------------------------------------------------------------------------


def cut_anchors(archive: Archive, kept: int) -> None:
    """All that tell of later records than ``kept``."""
    lines = archive.anchors.path.read_bytes().splitlines(keepends=True)
    archive.anchors.path.write_bytes(b"".join(line for line in lines if json.loads(line)["seq"] <= kept))


def fill_slowly(archive: Archive, count: int = 2 * RUNS) -> None:
    """Events ten seconds apart, each with an anchor."""
    with archive.trail() as trail:
        newest = archive.rows("SELECT max(at_us) AS at_us FROM audit_records")[0].at_us or 1_700_000_000_000_000
        for number in range(1, count + 1):
            draft = records.Draft("event", records.canonical({"n": number}), at_us=newest + number * 10**7)
            trail.settled(trail.append(draft))


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Archive]:
    home = tmp_path / "slow"
    home.mkdir(mode=0o700)
    found = Archive(home / "records.db", home)
    fill_slowly(found)
    yield found
    found.close()


def minutes_later(archive: Archive) -> int:
    return int(archive.rows("SELECT max(at_us) AS at_us FROM audit_records")[0].at_us) + LATER_US


def test_a_cut_end_of_the_anchor_file(slow: Archive) -> None:
    later = minutes_later(slow)
    assert slow.verify(now_us=later).found == []
    cut_anchors(slow, 16)
    assert slow.faults(now_us=later) == [("anchors", 17, 20)]
    verdict = slow.verify(now_us=later - LATER_US)
    assert verdict.found == [], "they may have been written this moment"
    assert any("17 to 20" in note for note in verdict.notes)


def test_what_a_killed_process_leaves_is_no_fault(slow: Archive) -> None:
    cut_anchors(slow, 20 - MOST_UNANCHORED)
    verdict = slow.verify(now_us=minutes_later(slow))
    assert verdict.found == []
    assert any("no anchor yet" in note for note in verdict.notes)
    cut_anchors(slow, 20 - MOST_UNANCHORED - 1)
    assert slow.faults(now_us=minutes_later(slow)) == [("anchors", 18, 20)]


def test_a_busy_process_may_leave_more_of_its_last_moment(embedded: Archive) -> None:
    cut_anchors(embedded, 10)
    verdict = embedded.verify(now_us=minutes_later(embedded))
    assert verdict.found == []
    assert any("11 to 20 have no anchor yet" in note for note in verdict.notes)


def test_records_put_in_at_the_end_need_no_anchor(embedded: Archive) -> None:
    rest = COLUMNS.removeprefix("seq, ")
    for seq in range(21, 30):
        embedded.sql(f"INSERT INTO audit_records ({COLUMNS}) SELECT {seq}, {rest} FROM audit_records WHERE seq = 5")
    assert embedded.faults(now_us=minutes_later(embedded)) == [("inserted", seq, seq) for seq in range(21, 30)]


def test_all_anchors_cut(embedded: Archive) -> None:
    embedded.anchors.path.write_bytes(b"")
    assert embedded.faults(now_us=minutes_later(embedded)) == [("anchors", 0, 0)]


def test_another_machine_has_anchors_of_its_own(archive: Archive, tmp_path: Path) -> None:
    """On one server two orchestrators write, each with an anchor file: neither tells of the other's records."""
    archive.fill(1)
    elsewhere = AnchorFile(tmp_path / "elsewhere")
    elsewhere.path.touch(mode=0o600)
    elsewhere.path.write_bytes(archive.anchors.path.read_bytes())
    fill_slowly(archive)
    verdict = verify(archive.database, archive.key_path, elsewhere, now_us=minutes_later(archive))
    assert verdict.ok is (archive.database.dialect == "postgresql")


def test_an_older_copy_with_its_anchors_passes_but_for_those_elsewhere(slow: Archive) -> None:
    """The limit that verify's docstring names."""
    outside, restore = slow.anchors.path.read_bytes, slow.copy_tables()
    fill_slowly(slow)
    all_lines = outside()
    cut_anchors(slow, 20)
    assert slow.faults(now_us=minutes_later(slow)) == [("anchors", 21, 40)]
    restore()
    assert slow.faults(now_us=minutes_later(slow)) == []
    assert slow.faults(more=all_lines) == [("restored", 21, 40)]


def test_faulty_anchor_files_that_were_replaced_are_told_of(embedded: Archive) -> None:
    kept = embedded.anchors.path.with_name("audit.anchors.faulty-20260101T000000Z-00000000")
    kept.write_bytes(b"x")
    assert embedded.faults() == [("anchors", 0, 0)]
    assert kept.name in embedded.verify().found[0].meaning
