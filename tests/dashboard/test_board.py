"""When the note is written: compared with the file as it is, for all processes together, and not too often."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.dashboard.board import Dashboard
from orchestrator.dashboard.facts import PoolRow, SkillRow
from orchestrator.dashboard.region import BEGIN, END
from orchestrator.dashboard.seal import Writer
from orchestrator.dashboard.sources import Sources
from tests.dashboard.test_note import Board, board  # noqa: F401 - the fixture
from tests.vault.conftest import base  # noqa: F401 - the fixture

HERE, THERE = "a" * 16, "b" * 16  # state directories
INTERVAL = 30


class World:
    """A note, the records, and a clock that all orchestrators share."""

    def __init__(self, board: Board) -> None:  # noqa: F811
        self.board, self.now = board, 1_000_000_000.5
        self.skills = [SkillRow("tidy@1.0.0")]
        self.living: set[str] = set()

    def open(self, instance: str, *, state: str = HERE) -> Open:
        return Open(self, Writer(state, instance * 16))

    def run(self) -> None:
        self.skills[0] = SkillRow("tidy@1.0.0", runs=self.skills[0].runs + 1)

    @property
    def text(self) -> str:
        return self.board.file.read_text()

    @property
    def runs_shown(self) -> int:
        row = next(line for line in self.text.splitlines() if line.startswith("| tidy&#64;"))
        return int(row.split("|")[2])


class Open:
    """An orchestrator that is open, with a pool of its own."""

    def __init__(self, world: World, writer: Writer) -> None:
        self._world, self._writer = world, writer
        self.pool = [PoolRow("standard", {"warm": 1})]
        world.living.add(writer.instance)
        self._dashboard = Dashboard(
            world.board.note,
            Sources(skills=lambda: list(world.skills), pool=lambda: list(self.pool)),
            writer=writer,
            alive=world.living.__contains__,
            interval_seconds=INTERVAL,
            now=lambda: world.now,
        )

    def refresh(self) -> str:
        return self._dashboard.refresh().state

    def close(self) -> str:
        """As the orchestrator does: the pool first."""
        self.pool = []
        state = self._dashboard.refresh(last=True).state
        self._world.living.discard(self._writer.instance)
        return state


@pytest.fixture
def world(board: Board) -> World:  # noqa: F811
    return World(board)


def _of_file(path: Path) -> tuple[int, int, int]:
    entry = path.stat()
    return entry.st_ino, entry.st_mtime_ns, entry.st_ctime_ns


def test_while_nothing_changes_the_file_is_not_touched(world: World) -> None:
    one = world.open("1")
    assert one.refresh() == "written"
    before = _of_file(world.board.file)
    for _ in range(3):
        world.now += INTERVAL
        assert one.refresh() == "unchanged"
    assert _of_file(world.board.file) == before


def test_what_another_process_did_shows_after_an_interval(world: World) -> None:
    one = world.open("1")
    one.refresh()
    world.run()  # whoever it was
    assert one.refresh() == "too_soon"
    assert world.runs_shown == 0
    world.now += INTERVAL
    assert one.refresh() == "written"
    assert world.runs_shown == 1


@pytest.mark.parametrize("edit", ["deleted", "between", "emptied", "seal"])
def test_a_note_that_somebody_spoilt_is_mended(world: World, edit: str) -> None:
    one = world.open("1")
    one.refresh()
    good = world.text
    if edit == "deleted":
        world.board.file.unlink()
    else:
        spoilt = {
            "between": good.replace("| tidy&#64;1.0.0 | 0 |", "| tidy&#64;1.0.0 | 7 |"),
            "emptied": f"{BEGIN}\n{END}\n",
            "seal": good.replace(" sum ", " sun "),
        }[edit]
        assert spoilt != good
        world.board.file.write_text(spoilt)
    world.now += INTERVAL
    assert one.refresh() == "written"
    assert world.runs_shown == 0
    assert one.refresh() == "unchanged"


def test_an_edit_around_it_is_no_reason_to_write(world: World) -> None:
    one = world.open("1")
    one.refresh()
    world.board.file.write_text(f"# Mine\r\n{world.text}mine".replace("\n", "\r\n"))
    world.now += INTERVAL
    before = _of_file(world.board.file)
    assert one.refresh() == "unchanged"
    assert _of_file(world.board.file) == before


def test_an_older_text_of_its_own_is_not_taken_for_the_present_one(world: World) -> None:
    """A backup or a synchroniser put it back: it is whole, and wrong."""
    one = world.open("1")
    one.refresh()
    old = world.text
    world.run()
    world.now += INTERVAL
    assert one.refresh() == "written"
    world.board.file.write_text(old)
    assert one.refresh() == "written"
    assert world.runs_shown == 1


def test_processes_one_after_another_keep_one_interval(world: World) -> None:
    """Short ones, as of a command line: only the first writes, and none waits. The next one has not forgotten."""
    states = []
    for number in range(4):
        one = world.open(str(number))
        world.run()
        world.now += 2
        states.append(one.close())
    assert states == ["written", "too_soon", "too_soon", "too_soon"]
    assert world.runs_shown == 1
    world.now += INTERVAL
    assert world.open("9").close() == "written"
    assert world.runs_shown == 4


def test_at_its_end_it_takes_back_what_it_said_of_its_pool(world: World) -> None:
    one = world.open("1")
    one.refresh()
    assert "1 warm" in world.text
    assert one.close() == "written", "however short it lived"
    assert "1 warm" not in world.text


def test_one_that_lived_for_an_interval_has_its_last_word(world: World) -> None:
    one = world.open("1")
    world.now += INTERVAL
    assert world.open("2").close() == "written"
    world.run()
    assert one.close() == "written"
    assert world.runs_shown == 1


def test_two_that_see_to_it_do_not_overwrite_each_other_for_ever(world: World) -> None:
    one, two = world.open("1"), world.open("2")
    two.pool = [PoolRow("standard", {"warm": 2})]
    states = []
    for _ in range(4):
        states.append((one.refresh(), two.refresh()))
        world.now += INTERVAL
    assert states[2:] == [("unchanged", "unchanged")] * 2
    world.run()
    for each in (one, two):
        each.refresh()
        world.now += INTERVAL
    assert world.runs_shown == 1


def test_the_other_one_s_figures_go_when_it_has_gone(world: World) -> None:
    one, two = world.open("1"), world.open("2")
    two.pool = [PoolRow("standard", {"warm": 2})]
    one.refresh()
    world.now += INTERVAL
    two.refresh()
    assert one.refresh() == "unchanged"
    world.living.discard("2" * 16)  # killed: it took nothing back
    world.now += INTERVAL
    assert one.refresh() == "written"
    assert "2 warm" not in world.text


def test_one_that_ends_leaves_the_living_one_s_figures(world: World) -> None:
    one, two = world.open("1"), world.open("2")
    one.refresh()
    world.now += INTERVAL
    assert two.close() == "unchanged"
    assert "1 warm" in world.text


@pytest.mark.parametrize("state", [HERE, THERE])
def test_another_one_s_text_that_somebody_spoilt_is_mended_too(world: World, state: str) -> None:
    one, two = world.open("1"), world.open("2", state=state)
    two.pool = [PoolRow("standard", {"warm": 2})]
    one.refresh()
    world.now += INTERVAL
    two.refresh()
    assert one.refresh() == "unchanged"
    world.board.file.write_text(world.text.replace("| tidy&#64;1.0.0 | 0 |", "| tidy&#64;1.0.0 | 7 |"))
    world.now += INTERVAL
    assert one.refresh() == "written"
    assert world.runs_shown == 0


def test_another_machine_s_text_is_left_until_something_changes_here(world: World) -> None:
    """The vault is synchronised: two that correct each other would never come to an end."""
    one, far = world.open("1"), world.open("2", state=THERE)
    far.pool = [PoolRow("standard", {"warm": 2})]
    one.refresh()
    world.now += INTERVAL
    assert far.refresh() == "written", "its first look"
    world.now += INTERVAL
    assert (one.refresh(), far.refresh()) == ("unchanged", "unchanged")
    one.pool = [PoolRow("standard", {"warm": 3})]
    assert one.refresh() == "written"


@pytest.mark.parametrize("clock", [1e10, -3600])
def test_a_wrong_clock_does_not_stop_it(world: World, clock: float) -> None:
    """A text from the future says nothing about when it was written."""
    right, world.now = world.now, world.now + clock
    one = world.open("1")
    one.refresh()
    world.now = right + (0 if clock > 0 else INTERVAL)
    world.run()
    assert one.refresh() == "written"
