"""What a transaction still has to do behind the answer: a crash, a broken disk or a locked database there take nothing
back and lose no record."""

from __future__ import annotations

import errno
import os
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from loguru import logger

from orchestrator.errors import VaultError
from orchestrator.records import Database, Records
from orchestrator.vault import durable
from orchestrator.vault.history import History, RunFacts, objects_of
from orchestrator.vault.recovery import recover
from orchestrator.vault.root import Vault
from tests.vault.faults import Case, at, case_in, die, killed, names_of

RUN = RunFacts("run-1", "skill@1.0.0")
INSTANCE = "test-instance"


@pytest.fixture
def memory(base: Path) -> Iterator[Path]:
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK):
        yield base
        return
    with tempfile.TemporaryDirectory(prefix="vault-test-", dir=shared) as path:
        yield Path(path)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logger.disable("orchestrator.vault")
    yield
    durable.reached = durable._nothing
    logger.enable("orchestrator.vault")


@contextmanager
def history_of(case: Case, *, busy_seconds: float = 5.0) -> Iterator[History]:
    vault = Vault(case.notes, case.base / "state")
    with Database(case.base / "records.db", busy_seconds=busy_seconds) as database:
        found = History(vault, Records(database), objects_of(vault), instance=INSTANCE)
        with closing(found):
            yield found


def _land(case: Case) -> None:
    with history_of(case) as history:
        history.land(case.changes, RUN)


def _recorded(case: Case) -> list[str]:
    """The runs on record after the next start."""
    with history_of(case) as history:
        recover(history.vault, history.keep)
        return [stored.run_id for stored in history.sets()]


def _in_finisher(act: Callable[[str], None]) -> Callable[[str], None]:
    """A hook for what is done behind the answer only."""
    return lambda point: act(point) if threading.current_thread().name.startswith("finish") else None


def _wait(event: threading.Event) -> None:
    assert event.wait(30)


def test_killed_at_any_point(memory: Path) -> None:
    """Recorded exactly if it is in the vault, and once."""
    with case_in(memory) as case:
        points = names_of(lambda: _land(case))
    happened = points.index("journal: publish") + 1
    assert "journal: journal.taken becomes journal.done" in points
    for number, point in enumerate(points):
        with case_in(memory) as case:
            assert killed(lambda case=case: _land(case), at(number, die))  # type: ignore[misc]
            assert _recorded(case) == _recorded(case) == (["run-1"] if number >= happened else []), point
            assert case.state() == ("new" if number >= happened else "old"), point
            assert case.journals() == []


def test_an_edit_after_the_answer_is_no_reason_to_undo(memory: Path) -> None:
    """Its author has seen the whole change; recovery finishes the rest of it. Before the answer all is undone."""
    states = {}
    for cut in ("journal: journal becomes journal.taken", "sync directories"):
        with case_in(memory) as case:
            where = names_of_land(memory).index(cut)
            assert killed(lambda case=case: _land(case), at(where, die))  # type: ignore[misc]
            note = case.notes / "was.md/in.md"  # the last step's
            (case.base / "aside").write_text("a person's")
            (case.base / "aside").rename(note)
            recorded = _recorded(case)
            assert note.read_text() == "a person's"
            states[cut] = (recorded, (case.notes / "Inbox/a.md").read_text())
    assert states["sync directories"] == (["run-1"], "changed")
    assert states["journal: journal becomes journal.taken"] == ([], "alpha")


def names_of_land(memory: Path) -> list[str]:
    with case_in(memory) as case:
        return names_of(lambda: _land(case))


@pytest.mark.parametrize("point", ["sync directories", "journal: journal.taken becomes journal.done"])
def test_a_disk_that_breaks_behind_the_answer(memory: Path, point: str) -> None:
    """The change stays, nothing else lands while the disk is broken, and then it is recorded."""

    def broken(reached: str) -> None:
        if reached == point:
            raise OSError(errno.EIO, "broken")

    with case_in(memory) as case, history_of(case) as history:
        durable.reached = broken
        history.land(case.changes, RUN)
        with pytest.raises(VaultError, match="broken"):
            history.finished()
        with pytest.raises(VaultError, match="broken"):
            history.land(case.changes, RUN)
        assert case.state() == "new"
        durable.reached = durable._nothing
        assert [stored.run_id for stored in history.sets()] == ["run-1"]
        assert case.journals() == []


def test_a_database_that_is_locked(memory: Path) -> None:
    with case_in(memory) as case, history_of(case, busy_seconds=0.05) as history:
        with closing(sqlite3.connect(case.base / "records.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            history.land(case.changes, RUN)
            with pytest.raises(Exception, match="locked"):
                history.finished()
            other.execute("ROLLBACK")
        assert case.state() == "new"
        assert [stored.run_id for stored in history.sets()] == ["run-1"]


def test_who_asks_waits(memory: Path) -> None:
    """The record of a change that was answered is never missing from what the same process is told."""
    release = threading.Event()
    with case_in(memory) as case, history_of(case) as history:
        durable.reached = _in_finisher(lambda _point: _wait(release))
        history.land(case.changes, RUN)
        case.changes.discard()  # as whoever made the set does: what is still to be done does not need it any more
        assert case.state() == "new"  # it is there, though nothing of the rest is done
        assert case.journals() != []
        found: list[str] = []
        asking = threading.Thread(target=lambda: found.extend(stored.run_id for stored in history.sets()))
        asking.start()
        release.set()
        asking.join()
        assert found == ["run-1"]


def test_another_process_waits(memory: Path) -> None:
    """Whoever opens the vault recovers first, under the lock that the rest of the transaction still holds."""
    release = threading.Event()
    with case_in(memory) as case, history_of(case) as history:
        durable.reached = _in_finisher(lambda _point: _wait(release))
        history.land(case.changes, RUN)
        settled: list[int] = []
        other = threading.Thread(target=lambda: settled.append(len(recover(Vault(case.notes, case.base / "state")))))
        other.start()
        release.set()
        other.join()
        assert settled == [0]
        assert [stored.run_id for stored in history.sets()] == ["run-1"]


def test_a_fault_of_ours_does_not_keep_the_vault_locked(memory: Path) -> None:
    def broken(point: str) -> None:
        if point == "sync directories":
            raise ValueError(point)

    with case_in(memory) as case, history_of(case) as history:
        durable.reached = _in_finisher(broken)
        history.land(case.changes, RUN)
        assert [stored.run_id for stored in history.sets()] == ["run-1"]  # recovery took the lock, and finished it
        assert case.journals() == []
