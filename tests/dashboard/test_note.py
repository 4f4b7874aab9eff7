"""The dashboard's file in a real vault: what people and hostile trees do to it, and what a crash leaves."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.dashboard.board import Dashboard
from orchestrator.dashboard.facts import SkillRow
from orchestrator.dashboard.note import MAX_BYTES, DashboardNote
from orchestrator.dashboard.region import BEGIN, END, replaced
from orchestrator.dashboard.seal import Writer
from orchestrator.dashboard.sources import Sources
from orchestrator.errors import VaultError
from orchestrator.records import Database, Records
from orchestrator.vault import commit as committing
from orchestrator.vault.changes import ChangeSet
from orchestrator.vault.history import History, objects_of
from orchestrator.vault.recovery import recover
from orchestrator.vault.root import Vault
from orchestrator.vault.slots import sweep_vault
from tests.vault.conftest import base  # noqa: F401 - the fixture
from tests.vault.faults import at, die, killed, names_of
from tests.vault.world import OWNER

ME = Writer("a" * 16, "1" * 16)
Act = Callable[[Path], object]


def _facts(path: Path) -> tuple[int, ...]:
    """All but when it was read."""
    entry = path.lstat()
    return entry.st_ino, entry.st_mode, entry.st_uid, entry.st_size, entry.st_mtime_ns, entry.st_ctime_ns


class Board:
    """A vault, and a dashboard in it."""

    def __init__(self, root: Path, history: History, path: str) -> None:
        self.root, self.history = root, history
        self.file = root / "notes" / path
        self.note = DashboardNote(history, path)

    def write(self, body: str = "body\n") -> str:
        return self.note.write(body).state

    def write_new(self) -> None:
        self.write("new\n")

    @property
    def vault(self) -> Path:
        return self.root / "notes"


@contextmanager
def board_in(base: Path, path: str = "Dashboard.md") -> Iterator[Board]:  # noqa: F811 - the fixture's value
    (base / "notes").mkdir()
    if os.geteuid() == 0:
        os.chown(base / "notes", OWNER, OWNER)
    vault = Vault(base / "notes", base / "state")
    with Database(base / "records.db") as database:
        history = History(vault, Records(database), objects_of(vault), instance="0" * 16)
        yield Board(base, history, path)
        history.close()


@pytest.fixture
def board(base: Path) -> Iterator[Board]:  # noqa: F811
    with board_in(base) as made:
        yield made


def test_it_is_made_changed_and_not_rewritten_for_nothing(board: Board) -> None:
    assert board.write() == "written"
    first = board.file.read_text()
    assert first == f"{BEGIN}\nbody\n{END}\n"
    entry = board.file.stat()
    assert (stat.S_IMODE(entry.st_mode), entry.st_uid) == (0o644, board.vault.stat().st_uid)
    assert board.write() == "unchanged"
    assert board.file.stat().st_ino == entry.st_ino
    assert board.write("other\n") == "written"
    assert "other" in board.file.read_text()


def test_what_a_person_wrote_around_it_stays_with_mode_and_owner(board: Board) -> None:
    head, tail = b"\xef\xbb\xbf# Mine\r\n\r\n", b"\r\nand this, without a line end"
    board.file.write_bytes(head + BEGIN.encode() + b"\r\nx\r\n" + END.encode() + tail)
    board.file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(board.file, 1234, 4321)
    before = board.file.stat()
    assert board.write() == "written"
    after = board.file.stat()
    assert board.file.read_bytes() == head + BEGIN.encode() + b"\r\nbody\r\n" + END.encode() + tail
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_it_is_in_no_history_and_leaves_nothing_behind(board: Board) -> None:
    board.write()
    board.write("again\n")
    assert board.history.sets() == []
    assert list((board.root / "state" / "objects").iterdir()) == [], "no content is kept"
    sweep_vault(board.history.vault, lambda _: False)
    assert list(board.history.vault.staging_area.iterdir()) == []


def test_its_directories_are_made(base: Path) -> None:  # noqa: F811
    with board_in(base, "Meta/Boards/Now.md") as board:
        (board.vault / "Meta").mkdir()
        assert board.write() == "written"
        assert board.write("again\n") == "written"
        assert "again" in board.file.read_text()


def _broken(file: Path) -> None:
    file.write_text(f"{BEGIN}\nmine\n")


def _latin(file: Path) -> None:
    file.write_bytes(b"caf\xe9\n")


def _link(file: Path) -> None:
    (file.parent / "other.md").write_text("other")
    file.symlink_to("other.md")


def _link_out(file: Path) -> None:
    (file.parents[1] / "outside.md").write_text("outside")
    file.symlink_to(file.parents[1] / "outside.md")


def _dangling(file: Path) -> None:
    file.symlink_to(file.parents[1] / "not-there")


def _hard_link(file: Path) -> None:
    (file.parent / "other.md").write_text("other")
    os.link(file.parent / "other.md", file)


def _huge(file: Path) -> None:
    with file.open("wb") as stream:
        stream.truncate(MAX_BYTES * 1000)


def _just_too_large(file: Path) -> None:
    file.write_bytes(b"x" * (MAX_BYTES - 1))


@pytest.mark.parametrize(
    "plant",
    [_broken, _latin, _link, _link_out, _dangling, _hard_link, _huge, _just_too_large, Path.mkdir, os.mkfifo],
)
def test_what_is_not_ours_to_rewrite_is_left_alone(board: Board, plant: Act) -> None:
    plant(board.file)
    before = {path: _facts(path) for path in board.root.rglob("*") if "state" not in path.parts}
    written = board.note.write("body\n")
    assert (written.state, bool(written.reason)) == ("left_alone", True)
    assert {path: _facts(path) for path in before} == before
    if plant is not _just_too_large:
        assert board.note.fault() == written.reason


@pytest.mark.parametrize("plant", ["link", "file"])
def test_a_directory_that_leads_elsewhere_is_not_followed(base: Path, plant: str) -> None:  # noqa: F811
    (base / "outside").mkdir()
    with board_in(base, "Meta/Now.md") as board:
        if plant == "link":
            (board.vault / "Meta").symlink_to(base / "outside")
        else:
            (board.vault / "Meta").write_text("a file")
        assert board.write() in ("left_alone", "conflict")
        assert board.note.fault()
        assert list((base / "outside").iterdir()) == []


@pytest.mark.parametrize("by_rename", [True, False])
@pytest.mark.parametrize("moment", ["orchestrator.dashboard.note.replaced", "orchestrator.vault.commit.begin"])
def test_an_edit_meanwhile_is_kept(board: Board, moment: str, by_rename: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between our reading and our writing somebody saves: theirs stays, and the next time ours goes around it."""
    board.write("first\n")
    theirs = f"theirs\n{BEGIN}\n{END}\n"
    real: Any = {"replaced": replaced, "begin": committing.begin}[moment.rpartition(".")[2]]

    def edit_first(*given: Any, **named: Any) -> Any:
        target = board.file.with_suffix(".tmp") if by_rename else board.file
        target.write_text(theirs)
        if by_rename:
            target.replace(board.file)
        return real(*given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(moment, edit_first)
        assert board.write("second\n") == "conflict"
    assert board.file.read_text() == theirs
    assert board.write("second\n") == "written"
    assert board.file.read_text() == f"theirs\n{BEGIN}\nsecond\n{END}\n"


def test_somebody_who_makes_the_file_first_keeps_it(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    real = committing.begin

    def make_first(vault: Vault, changes: ChangeSet, **given: object) -> object:
        board.file.write_text("theirs")
        return real(vault, changes, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(committing, "begin", make_first)
    assert board.write() == "conflict"
    assert board.file.read_text() == "theirs"


def test_killed_at_any_point_it_is_the_old_or_the_new_file(base: Path) -> None:  # noqa: F811
    old = f"# Mine\n{BEGIN}\nold\n{END}\nmine\n"
    with board_in(base) as board:
        board.file.write_text(old)
        points = len(names_of(board.write_new))
        assert points > 5
        seen = set()
        for number in range(points):
            board.file.write_text(old)
            assert killed(board.write_new, at(number, die))
            recover(Vault(board.vault, base / "state"))
            sweep_vault(board.history.vault, lambda _: False)
            text = board.file.read_text()
            assert text in (old, old.replace("old", "new"))
            seen.add(text)
            assert sorted(path.name for path in board.vault.iterdir()) == ["Dashboard.md"]
        assert len(seen) == 2, "some points lie before the one that counts, some behind"


def test_a_vault_that_is_gone_is_an_error_and_comes_back(board: Board) -> None:
    aside = board.vault.with_name("aside")
    board.vault.rename(aside)
    with pytest.raises(VaultError):
        board.write()
    aside.rename(board.vault)
    assert board.write() == "written"


def test_the_same_facts_are_written_once(board: Board) -> None:
    rows, clock = [SkillRow("tidy@1.0.0", runs=1)], iter(range(10**9, 2 * 10**9, 60))
    dashboard = Dashboard(board.note, Sources(skills=lambda: rows), writer=ME, now=lambda: float(next(clock)))
    assert dashboard.refresh().state == "written"
    first = board.file.read_text()
    assert dashboard.refresh().state == "unchanged", "though time went on"
    assert board.file.read_text() == first
    rows[0] = SkillRow("tidy@1.0.0", runs=2)
    assert dashboard.refresh().state == "written"
    assert board.file.read_text() != first


def test_after_a_conflict_the_same_facts_are_written_again(board: Board) -> None:
    dashboard = Dashboard(board.note, Sources(), writer=ME, now=lambda: 1e9)
    _broken(board.file)
    assert dashboard.refresh().state == "left_alone"
    board.file.unlink()
    assert dashboard.refresh().state == "written"
