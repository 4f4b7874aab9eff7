"""What somebody made large: told of, and not read; and much of it does not take much memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from orchestrator.audit import rows
from tests.audit.conftest import Archive

MB = 10**6


@contextmanager
def at_most(most: int) -> Iterator[None]:
    """Bytes that Python holds at one time, besides those from before."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


@pytest.fixture
def full(archive: Archive) -> Archive:
    archive.fill(20)  # 40 records
    assert archive.verify().ok  # and what is imported, is
    return archive


def measured(archive: Archive, most: int) -> list[tuple[str, int, int]]:
    """The faults; without the anchor file, which is read at once."""
    archive.anchors.path.rename(kept := archive.anchors.path.with_name("kept"))
    with at_most(most):
        found = archive.faults()
    kept.rename(archive.anchors.path)
    return [each for each in found if each[0] != "anchors"]


def test_many_large_records(full: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_AT_ONCE_BYTES", MB // 2)
    full.sql("UPDATE audit_records SET body = :body", body="x" * (MB // 4))
    assert measured(full, 4 * MB) == [("edited", 1, 40)]


def test_one_huge_record(full: Archive) -> None:
    full.sql("UPDATE audit_records SET principal = :text WHERE seq = 7", text="x" * (20 * MB))
    assert measured(full, 4 * MB) == [("edited", 7, 7)]


def test_many_large_blobs(full: Archive) -> None:
    insert = "INSERT INTO audit_blobs (sha256, content) VALUES (:name, :content)"
    for number in range(30):
        full.sql(insert, name=f"{number:064x}", content=b"x" * MB)
    faults = measured(full, 6 * MB)
    assert set(faults) == {("blob", 0, 0)}
    assert len(faults) == 21
    assert "10 contents more" in full.verify().found[-1].meaning


def test_one_huge_blob(full: Archive) -> None:
    full.sql("UPDATE audit_blobs SET content = :content WHERE sha256 = (SELECT code FROM audit_records WHERE seq = 1)",
             content=b"x" * (20 * MB))  # fmt: skip
    assert measured(full, 4 * MB) == [("blob", 0, 0)]
    assert "not read" in full.verify().found[0].meaning


@pytest.mark.parametrize("large", [(1,), (40,), (7, 8), (1, 20, 40), tuple(range(1, 41))])
def test_only_the_large_ones_are_left_out(full: Archive, large: tuple[int, ...]) -> None:
    full.sql(f"UPDATE audit_records SET body = :body WHERE seq IN ({str(list(large))[1:-1]})", body="x" * 9000)
    with full.database.reading() as connection:
        with closing(rows.records(connection, 5000)) as found:
            read = list(found)
        assert connection.exec_driver_sql("SELECT max(length(body || body)) FROM audit_records").scalar() == 18_000
    assert [each.seq for each in read] == list(range(1, 41))
    assert tuple(each.seq for each in read if not each.fit) == large
    assert all(each.mac and all(each.fields[-2:]) for each in read if each.fit)
    assert sum(last - first + 1 for _, first, last in full.faults()) == len(large)


def test_large_blobs_are_left_out(full: Archive) -> None:
    with full.database.reading() as connection:
        with closing(rows.blobs(connection)) as found:
            whole = {each.name: each.content for each in found}
        most = sorted(len(content or b"") for content in whole.values())[1]
        with closing(rows.blobs(connection, most)) as found:
            read = {each.name: each.content for each in found}
    assert len(whole) == 3
    assert read == {name: content if len(content or b"") <= most else None for name, content in whole.items()}


@pytest.mark.parametrize(
    ("sizes", "portions"),
    [
        ([], []),
        ([3, 3, 4], [(1, 3)]),
        ([3, 3, 5], [(1, 2), (3, 3)]),
        ([3, 99, 3, 3], [(1, 1), (2, None), (3, 4)]),
        ([99, 9, 9, 99], [(1, None), (2, 2), (3, 3), (4, None)]),
    ],
)
def test_what_is_fetched_from_a_server_together(
    sizes: list[int], portions: list[tuple[int, int | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_AT_ONCE_BYTES", 10)
    assert list(rows._portions(list(enumerate(sizes, 1)), 50)) == portions
