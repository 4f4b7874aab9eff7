"""What stays of the anchor file when it grows, or when somebody else writes into it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from loguru import logger

from orchestrator.audit import key as keys
from orchestrator.audit import records
from orchestrator.audit.anchors import MAX_BYTES, MAX_FAULTS, THIN_BYTES, Anchor
from orchestrator.audit.chain import Head
from orchestrator.audit.thinning import EACH_KEPT, FORKS_KEPT, NEWEST_KEPT, thinned
from tests.audit.conftest import Archive

MORE = NEWEST_KEPT + 500


def anchor(seq: int, history: str = "a") -> Anchor:
    return Anchor(0, seq, history)


def go_on(archive: Archive, count: int) -> None:
    """So many records, each with an anchor of its own."""
    with archive.trail() as trail:
        trail.append_all([
            records.event("more", trail.texts, principal="", session="", run_id="", skill="", facts={})
            for _ in range(count)
        ])  # fmt: skip
        key = keys.load(archive.key_path).newest
        for row in archive.rows(f"SELECT seq, mac FROM audit_records ORDER BY seq DESC LIMIT {count}")[::-1]:
            archive.anchors.append(key, Head(row.seq, row.mac, key.id), sync=False)


def thin(archive: Archive) -> None:
    with archive.trail() as trail:
        trail.thin_anchors(0)


# --- evidence ------------------------------------------------------------------------------------------------------


def test_a_restored_copy_is_found_however_long_it_is_gone_on_with(archive: Archive) -> None:
    archive.fill(5)
    restore = archive.copy_tables()
    archive.fill(105, first=5)
    restore()
    archive.fill(2, first=500)
    assert archive.faults() == [("restored", 11, 14), ("restored", 15, 220)]
    go_on(archive, 300)
    assert archive.faults() == [("restored", 11, 314)]
    go_on(archive, MORE)
    before = archive.verify().anchors
    for _ in range(3):
        thin(archive)
        assert archive.faults() == [("restored", 11, 314 + MORE)]
    assert archive.verify().anchors < before


def test_both_sides_of_a_place_where_numbers_fall_stay() -> None:
    """Histories of which no number was noted in both."""
    old = [anchor(n) for n in range(1, 100, 2)]
    new = [anchor(n, "b") for n in range(50, 20_000, 2)]
    kept = old + new
    for _ in range(3):
        kept = thinned(kept)
        assert {(99, "a"), (50, "b")} <= {(each.seq, each.mac) for each in kept}


def test_numbers_with_two_seals_stay() -> None:
    """Also where both histories were noted in turns, as by two processes on two copies."""
    turns = [anchor(n, history) for n in range(1, 4) for history in "ab"]
    after = [anchor(n) for n in range(4, 5000)]
    assert thinned(turns + after)[:6] == turns


def test_what_repeats_without_another_record_is_no_such_place() -> None:
    """As each end and the next start do."""
    quiet = [anchor(n) for n in range(1, 5000) for _ in range(2)]
    kept = thinned(quiet)
    assert len(kept) <= NEWEST_KEPT + len(quiet) // EACH_KEPT + 1
    assert kept[-NEWEST_KEPT:] == quiet[-NEWEST_KEPT:]


def test_very_many_such_places_are_bounded_and_that_is_told() -> None:
    told: list[str] = []
    sink = logger.add(told.append, format="{message}")
    logger.enable("orchestrator")
    try:
        swapped = [anchor(n + by) for n in range(1, 50_000, 2) for by in (1, 0)]  # two processes, always the wrong way
        double = [anchor(n, "b") for n in range(1, 50_000)]
        kept = thinned(swapped + double)
    finally:
        logger.remove(sink)
    assert len(kept) < NEWEST_KEPT + 100_000 // EACH_KEPT + 1 + 8 * FORKS_KEPT
    assert {(1, "a"), (1, "b"), (2, "a"), (2, "b")} <= {(each.seq, each.mac) for each in kept}
    assert (49_999, "a") in {(each.seq, each.mac) for each in kept}
    assert len([each for each in told if "first and last" in each]) == 2


# --- foreign lines -------------------------------------------------------------------------------------------------


def junk(archive: Archive, size: int) -> None:
    """One line; a hole in the file, so it takes no space."""
    with archive.anchors.path.open("r+b") as file:
        file.seek(0, 2)
        file.seek(size, 1)
        file.write(b"\n")


def aside(archive: Archive) -> list[Path]:
    return sorted(archive.home.glob("audit.anchors.faulty-*"))


def replaced(archive: Archive) -> list[dict[str, object]]:
    rows = archive.rows("SELECT body FROM audit_records WHERE status = 'audit.anchors_replaced' ORDER BY seq")
    return [json.loads(each.body)["facts"] for each in rows]


@pytest.mark.parametrize("size", [THIN_BYTES, MAX_BYTES])
def test_a_large_file_with_a_faulty_line_is_replaced_and_kept(archive: Archive, size: int) -> None:
    archive.fill(5)
    before = archive.anchors.path.read_bytes()
    junk(archive, size)
    archive.fill(1, first=5)
    (kept,) = aside(archive)
    assert kept.stat().st_size > size
    assert archive.anchors.size() < len(before) * 4, "nothing is read again and again"
    assert replaced(archive) == [{"faults": 1, "kept_as": kept.name}]
    verdict = archive.verify()
    assert [(str(each.fault), kept.name in each.meaning) for each in verdict.found] == [("anchors", True)]
    assert any(kept.name in note for note in verdict.notes)
    kept.rename(archive.home / "looked into")
    verdict = archive.verify()
    assert (verdict.ok, len(verdict.notes)) == (True, 1)
    archive.sql("DELETE FROM audit_records WHERE seq > 8", "DELETE FROM audit_head")
    assert ("restored", 9, 13) in archive.faults(), "the genuine lines were taken over"


def test_one_that_is_larger_than_what_is_read_can_still_be_verified(archive: Archive) -> None:
    archive.fill(5)
    junk(archive, MAX_BYTES)
    verdict = archive.verify()
    assert {str(each.fault) for each in verdict.found} == {"anchors"}
    assert "its middle was not read" in verdict.found[0].meaning
    key = keys.load(archive.key_path).newest
    head = archive.rows("SELECT seq, mac FROM audit_head")[0]
    archive.anchors.append(key, Head(head.seq, head.mac, key.id), sync=False)
    reading = archive.anchors.read(keys.load(archive.key_path))
    assert (reading.anchors[0].seq, reading.anchors[-1].seq) == (0, 10)
    assert not reading.torn


def test_very_many_faulty_lines_are_not_all_read(archive: Archive) -> None:
    archive.fill(1)
    with archive.anchors.path.open("ab") as file:
        file.write(b"\n" * 2**21)
    reading = archive.anchors.read(keys.load(archive.key_path))
    assert len(reading.faults) == MAX_FAULTS + 1
    assert "not read" in reading.faults[-1]


def test_a_small_file_with_a_faulty_line_is_left_for_who_looks_into_it(archive: Archive) -> None:
    archive.fill(5)
    junk(archive, 100)
    before = archive.anchors.path.read_bytes()
    thin(archive)
    assert archive.anchors.path.read_bytes().startswith(before)
    assert aside(archive) == []


def test_so_many_are_kept_and_no_more(archive: Archive) -> None:
    archive.fill(1)
    for _ in range(10):
        junk(archive, THIN_BYTES)
        archive.trail().close()
    assert len(aside(archive)) == 8
    assert [bool(each["kept_as"]) for each in replaced(archive)] == [True] * 8 + [False] * 2
