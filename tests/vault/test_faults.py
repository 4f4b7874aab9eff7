"""Whatever ends a commit - a kill, a power cut, a broken disk - all of it is in the vault afterwards, or none of it.

Faults come at the points that ``durable.reached`` names, and (``fine``) just after each call that changes something on
the disk. The tests that end with ``control`` show that the requirement is one: without the journal it does not hold.
"""

from __future__ import annotations

import errno
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from orchestrator.errors import VaultError
from orchestrator.manifest.model import VaultGrants
from orchestrator.vault import durable, journal, steps
from orchestrator.vault.changes import ChangeSet
from orchestrator.vault.commit import _Preparation, commit
from orchestrator.vault.durable import Place
from orchestrator.vault.journal import Journal
from orchestrator.vault.rules import ChangesRefused
from tests.vault.faults import REMOVED, Case, Disk, Editor, Report, Snapshot, at, case_in, die, killed, names_of
from tests.vault.world import World

NewCase = Callable[[], AbstractContextManager[Case]]
PERSON = "a person was here, and wrote more than there was before"


def _without_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.vault.durable._function", lambda: None)


@pytest.fixture
def memory(base: Path) -> Iterator[Path]:
    """A directory on a file system in memory, where there is one: a kill takes nothing from either, and thousands of
    commits need not wait for a disk."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK):
        yield base
        return
    with tempfile.TemporaryDirectory(prefix="vault-test-", dir=shared) as path:
        yield Path(path)


def _variant(memory: Path, variant: str, monkeypatch: pytest.MonkeyPatch) -> NewCase:
    if variant == "plain renames":
        _without_flags(monkeypatch)
    return lambda: case_in(memory, many=variant == "many files")


@pytest.fixture(params=["renameat2", "plain renames", "many files"])
def new_case(request: pytest.FixtureRequest, memory: Path, monkeypatch: pytest.MonkeyPatch) -> NewCase:
    return _variant(memory, request.param, monkeypatch)


@pytest.fixture(params=["renameat2", "plain renames"])
def small_case(request: pytest.FixtureRequest, memory: Path, monkeypatch: pytest.MonkeyPatch) -> NewCase:
    """Without the many files, which make a difference to syncing only."""
    return _variant(memory, request.param, monkeypatch)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Thousands of recoveries, each of which says so."""
    logger.disable("orchestrator.vault")
    yield
    logger.enable("orchestrator.vault")


def _points(new_case: NewCase) -> list[str]:
    with new_case() as case:
        return names_of(case.commit)


def _published(points: list[str]) -> int:
    """The number of the first point at which the transaction has happened."""
    return points.index("journal: publish") + 1


# -- the points


def test_the_points_are_many(new_case: NewCase) -> None:
    with new_case() as case:
        points = names_of(case.commit)
        assert case.state() == "new"
        print(len(points), "points:", ", ".join(points))
        assert len(points) > 20
        assert {f"step: {action}" for action in ("replace", "create", "remove", "mkdir", "rmdir")} <= set(points)
        plain = durable._function() is None
        assert ("exchange: one moved aside" in points) == plain
        assert ("exchange: other in place" in points) == plain


# -- killed


def test_killed_at_any_point(new_case: NewCase) -> None:
    points = _points(new_case)
    found = {}
    for number, point in enumerate(points):
        with new_case() as case:
            assert case.crash(at(number, die))
            case.settle()
            found[f"{number} {point}"] = case.state()
    happened = _published(points)
    assert found == {f"{n} {point}": "new" if n >= happened else "old" for n, point in enumerate(points)}


def test_killed_after_any_call(new_case: NewCase) -> None:
    """Between the points as well: a directory may be made and not yet have its mode."""
    found = set()
    for number in count():
        with new_case() as case:
            if not case.crash(at(number, die), fine=True):
                break
            expected = "new" if case.journals() else case.state()
            case.settle()
            found.add((expected, case.state()))
    print(number, "points with those after each call")
    assert found == {("old", "old"), ("new", "new")}


@pytest.mark.parametrize("cut", ["step: rmdir", "step: replace", "sync directories", "journal: remove"])
def test_killed_during_recovery(small_case: NewCase, cut: str) -> None:
    where = _points(small_case).index(cut)
    for number in count():
        with small_case() as case:
            assert case.crash(at(where, die))
            again = killed(case.recover, at(number, die), fine=True)
            case.settle()
            assert case.state() == "new", f"recovery killed at {number}"
        if not again:
            break
    assert number > 10


def test_killed_while_recovery_undoes(small_case: NewCase) -> None:
    """A person was quicker than the last step, so the others are taken back; and that is cut off, too."""
    points = _points(small_case)
    where = max(number for number, point in enumerate(points) if point == "step: create")
    for number in count():
        with small_case() as case:
            assert case.crash(at(where, die))
            person = case.world.write(_missing(case), PERSON)
            again = killed(case.recover, at(number, die), fine=True)
            case.settle()
            assert person.read_text() == PERSON
            assert _others(case, str(person.relative_to(case.notes))) == "old", f"recovery killed at {number}"
        if not again:
            break
    assert number > 10


def _missing(case: Case) -> str:
    """The path that the cut off transaction was about to create."""
    return next(path for path in case.new if path not in case.now())


def _unjournaled(self: Journal, staging: int, on_disk: Callable[[], None]) -> None:
    """Instead of ``Journal.write``: as if there were none."""


_write, _remove = Journal.write, journal.remove


def _removed_too_early(self: Journal, staging: int, on_disk: Callable[[], None]) -> None:
    _write(self, staging, on_disk)
    _remove(staging)


@pytest.mark.parametrize("write", [_unjournaled, _removed_too_early])
def test_killed_without_a_journal_control(
    memory: Path, write: Callable[[Journal, int, Callable[[], None]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Journal, "write", write)
    for name in ("rename", "remove"):  # of a journal that is not there
        monkeypatch.setattr(journal, name, lambda *_: None)
    found = set()
    for number in count():
        with case_in(memory) as case:
            if not case.crash(at(number, die)):
                break
            case.settle()
            found.add(case.state().partition(":")[0])
    assert found == {"old", "mixed", "new"}


# -- errors


class _Broken:
    """A disk that fails at one point, or from there on."""

    def __init__(self, number: int, code: int, *, stays: bool) -> None:
        self._number, self._code, self._stays = number, code, stays
        self._passed = 0

    def __call__(self, _point: str) -> None:
        self._passed += 1
        if self._passed == self._number + 1 or (self._stays and self._passed > self._number):
            raise OSError(self._code, os.strerror(self._code))


@pytest.mark.parametrize("stays", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS], ids=errno.errorcode.get)
def test_an_error_at_any_point(small_case: NewCase, code: int, stays: bool) -> None:
    points = _points(small_case)
    found = {
        f"{number} {point}": problem
        for number, point in enumerate(points)
        if (problem := _problem(small_case, _Broken(number, code, stays=stays)))
    }
    assert found == {}


def _problem(new_case: NewCase, disk: _Broken) -> str:
    """What is wrong with a commit on this disk and the recovery on one that works again; "" for nothing."""
    with new_case() as case:
        said = _said(case, disk)
        at_once = case.state()
        if case.changes.staging is not None:
            case.changes.discard()
        case.settle()
        then = case.state()
    expected = {"": ("new",), "nothing was committed": ("old",)}.get(said)
    if expected and at_once not in expected:
        return f"said {said!r}, at once {at_once}"
    if then not in (expected or ("old", "new")):
        return f"said {said!r}, after recovery {then}"
    return ""


def _said(case: Case, disk: _Broken) -> str:
    """How the commit's error begins; "" when there is none. Anything but a ``VaultError`` fails the test."""
    durable.reached = disk
    try:
        case.commit()
    except VaultError as error:
        return str(error).partition(":")[0]
    finally:
        durable.reached = durable._nothing
    return ""


# -- the power goes


def _cut(case: Case, number: int) -> bool:
    """Commit on a disk whose power goes at this point; False when the commit was quicker."""
    disk = Disk(case)

    def act() -> None:
        disk.install()
        case.commit()

    if not killed(act, at(number, disk.power_off)):
        return False
    disk.lose()
    return True


def test_the_power_goes_at_any_point(new_case: NewCase) -> None:
    points = _points(new_case)
    found = {}
    for number, point in enumerate(points):
        with new_case() as case:
            assert _cut(case, number)
            case.settle()
            found[f"{number} {point}"] = case.state()
    happened = _published(points)
    assert found == {f"{n} {point}": "new" if n >= happened else "old" for n, point in enumerate(points)}


def test_the_power_goes_over_unsynced_content_control(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Preparation, "_sync", lambda self: None)
    found = set()
    for number in count():
        with case_in(memory) as case:
            if not _cut(case, number):
                break
            case.settle()
            found.add(case.state().partition(":")[0])
    assert "mixed" in found


class _Directories:
    """Which directories have changed since they were last put on disk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dirty: set[int] = set()
        for name in ("mkdir", "rmdir"):
            monkeypatch.setattr(os, name, self._marking(getattr(os, name)))
        monkeypatch.setattr(os, "rename", self._renaming(os.rename))
        monkeypatch.setattr(os, "fsync", self._syncing(os.fsync))
        monkeypatch.setattr(durable, "_renameat2", self._moving(durable._renameat2))

    def _marking(self, real: Callable[..., None]) -> Callable[..., None]:
        def call(path: Any, *arguments: Any, dir_fd: int | None = None) -> None:
            real(path, *arguments, dir_fd=dir_fd)
            if dir_fd is not None:
                self._mark(dir_fd)

        return call

    def _renaming(self, real: Callable[..., None]) -> Callable[..., None]:
        def call(source: Any, target: Any, *, src_dir_fd: int, dst_dir_fd: int) -> None:
            real(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
            self._mark(src_dir_fd, dst_dir_fd)

        return call

    def _moving(self, real: Callable[..., bool]) -> Callable[..., bool]:
        def call(source: Place, target: Place, flags: int) -> bool:
            done = real(source, target, flags)
            if done:
                self._mark(source[0], target[0])
            return done

        return call

    def _syncing(self, real: Callable[..., None]) -> Callable[..., None]:
        def call(descriptor: int) -> None:
            real(descriptor)
            self.dirty.discard(os.fstat(descriptor).st_ino)

        return call

    def _mark(self, *descriptors: int) -> None:
        self.dirty.update(os.fstat(each).st_ino for each in descriptors)


def test_the_journal_outlives_what_it_stands_for(new_case: NewCase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is on disk before the first step, and the names that the steps changed are before it goes."""
    seen: dict[str, set[Path]] = {}
    with new_case() as case:
        directories = _Directories(monkeypatch)

        def look(point: str) -> None:
            if point.startswith(("step: ", "journal: journal.taken becomes", "journal: remove")):
                roots = [case.world.vault.staging_area] if point.startswith("step") else [case.notes]
                there = {path for root in roots for path in (root, *root.rglob("*")) if path.is_dir()}
                seen.setdefault(point.partition(" ")[0], {p for p in there if p.stat().st_ino in directories.dirty})

        monkeypatch.setattr(durable, "reached", look)
        case.commit()
        assert case.state() == "new"
    assert seen == {"step:": set(), "journal:": set()}


@pytest.mark.parametrize("text", [b"", b"garbage", b'{"version": 1'])
def test_what_was_not_published_is_no_journal(memory: Path, text: bytes) -> None:
    with case_in(memory) as case:
        assert case.crash(_die_at("journal: publish"))
        (unpublished,) = (case.base / "state").rglob("journal.new")
        unpublished.write_bytes(text)
        case.settle()
        assert case.state() == "old"


def _die_at(wanted: str) -> Callable[[str], None]:
    def hook(point: str) -> None:
        if point == wanted:
            die()

    return hook


# -- a person edits between the crash and the recovery


def _in_place(note: Path) -> None:
    note.write_text(PERSON)


def _by_rename(note: Path) -> None:
    spare = note.with_name("spare")
    spare.write_text(PERSON)
    spare.rename(note)


def _others(case: Case, edited: str) -> str:
    """ "old" or "new": how all stands that the person's edit of ``edited`` has nothing to do with."""

    def without(paths: Snapshot) -> Snapshot:
        return {path: entry for path, entry in paths.items() if not (_below(path, edited) or _below(edited, path))}

    now = without(case.now())
    if now in (without(case.old), without(case.new)):
        return "old" if now == without(case.old) else "new"
    return f"mixed ({case.state()})"


def _below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory}/")


def _possible(case: Case, path: str) -> bool:
    """Whether a person can write a file there: no directory is in the way, and no file where one should be."""
    note = case.notes / path
    return not note.is_dir() and not any((case.notes / above).is_file() for above in Path(path).parents)


EDITED = sorted({*REMOVED, "Inbox/a.md", "Inbox/c.md", "New/deep/n.md", "New", "top.md", "was.md/in.md"})


def test_a_person_edits_before_the_recovery(memory: Path) -> None:
    """Any path that the transaction names - not reached yet, already written, to be created - at any point of it."""
    points = _points(lambda: case_in(memory))
    found, edits = {}, 0
    for number in range(_published(points), len(points)):
        for index, path in enumerate(EDITED):
            edit = (_in_place, _by_rename)[(number + index) % 2]
            problem = _problem_of_edit(memory, number, path, edit)
            edits += problem is not None
            if problem:
                found[f"{number} {points[number]}, {path} {edit.__name__}"] = problem
    print(edits, "edits")
    assert edits > 150
    assert found == {}


@pytest.mark.parametrize("edit", [_in_place, _by_rename])
def test_a_person_edits_in_the_middle_of_plain_renames(
    memory: Path, edit: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a name is missing for a moment, and the person's editor makes it anew."""
    _without_flags(monkeypatch)
    points = _points(lambda: case_in(memory))
    middle = [number for number, point in enumerate(points) if point.startswith("exchange")]
    found = {
        f"{number} {points[number]}, {path}": problem
        for number in middle
        for path in EDITED
        if (problem := _problem_of_edit(memory, number, path, edit))
    }
    assert found == {}


def _problem_of_edit(memory: Path, number: int, path: str, edit: Callable[[Path], None]) -> str | None:
    """What is wrong after a crash at this point, the edit and the recovery; None where nobody could edit that."""
    with case_in(memory) as case:
        assert case.crash(at(number, die))
        if not _possible(case, path):
            return None
        (case.notes / path).parent.mkdir(parents=True, exist_ok=True)
        edit(case.notes / path)
        return _problem_after_edit(case, path)


def _problem_after_edit(case: Case, path: str) -> str:
    try:
        case.settle()
    except VaultError as error:
        return str(error)
    if not (case.notes / path).is_file() or (case.notes / path).read_text() != PERSON:
        return "the person's edit is lost"
    others = _others(case, path)
    return "" if others in ("old", "new") else others


@pytest.mark.parametrize("path", ["Inbox/a.md", "keep.md"])
def test_a_person_edits_and_recovery_is_killed(small_case: NewCase, path: str) -> None:
    """What a recovery had taken out of the vault but not looked at yet may be the person's."""
    for number in count():
        with small_case() as case:
            assert case.crash(_die_at("journal: sync directory"))
            _by_rename(case.notes / path)
            again = killed(case.recover, at(number, die), fine=True)
            problem = _problem_after_edit(case, path)
            assert not problem, f"recovery killed at {number}"
        if not again:
            break


# -- a person edits in the middle of a step


def _edit_before_each(name: str, note: Path, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a person rewrite ``note`` just before each of the first ``most`` exchanges or moves of it."""
    real: Callable[[Place, Place], None] = getattr(steps, name)
    calls = 0

    def act(source: Place, target: Place) -> None:
        nonlocal calls
        if calls < most and os.fsencode(note.name) in (source[1], target[1]):
            calls += 1
            _by_rename(note)
            note.write_text(f"{PERSON}, {calls}")
        real(source, target)

    monkeypatch.setattr(steps, name, act)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_an_edit_while_an_earlier_one_is_put_back_is_kept(
    small_case: NewCase, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit takes the note, sees that it is not as it was and puts it back: onto an edit that is newer still."""
    with small_case() as case:
        note = case.notes / "Inbox/a.md"
        _edit_before_each("exchange", note, most, monkeypatch)
        with pytest.raises(ChangesRefused):
            case.commit()
        assert note.read_text() == f"{PERSON}, {most}"
        assert _others(case, "Inbox/a.md") == "old"


@pytest.mark.parametrize(("name", "path"), [("exchange", "Inbox/a.md"), ("move", "New/deep/n.md")])
def test_an_edit_just_before_a_step_is_taken_back_is_kept(
    small_case: NewCase, name: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was looked at, and found to be ours; then the person was quicker than the rename."""
    with small_case() as case:
        note = case.notes / path

        def fail(point: str) -> None:
            if point == "sync directories":
                _edit_before_each(name, note, 1, monkeypatch)
                durable.reached = durable._nothing
                raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(durable, "reached", fail)
        with suppress(VaultError, ChangesRefused):
            case.commit()
        case.changes.discard()
        case.settle()
        assert note.read_text() == f"{PERSON}, 1"
        assert _others(case, path) in ("old", "new")


@pytest.mark.parametrize(("name", "path"), [("exchange", "Inbox/a.md"), ("move", "New/deep/n.md")])
def test_an_edit_that_a_crash_left_in_our_hands_goes_back(small_case: NewCase, name: str, path: str) -> None:
    """As above, and the process dies before it looks at what it has taken out."""
    with small_case() as case:
        note = case.notes / path

        def fail(point: str) -> None:
            if point == "sync directories":
                real = getattr(steps, name)

                def last(source: Place, target: Place) -> None:
                    ours = os.fsencode(note.name) in (source[1], target[1])
                    if ours:
                        spare = note.with_name("spare")
                        spare.write_text(PERSON)
                        spare.rename(note)
                    real(source, target)
                    if ours:
                        die()

                setattr(steps, name, last)  # in the child alone
                raise OSError(errno.EIO, os.strerror(errno.EIO))

        assert case.crash(fail)
        case.settle()
        assert note.read_text() == PERSON
        assert _others(case, path) in ("old", "new")


# -- an editor that never rests


def _runs(base: Path, carry_out: Callable[[World, ChangeSet], object]) -> tuple[int, int, Report]:
    """(commits, conflicts, what the editor saw) of 200 runs over the notes that an editor keeps rewriting."""
    world = World(base, "copy")
    names = [f"note-{number}.md" for number in range(3)]
    notes = [world.write(name, "# note\n") for name in names]
    chance = random.Random(7)
    committed: set[str] = set()
    conflicts = 0
    with Editor(notes, base / "desk") as editor:
        for number in range(200):
            tag = f"run {number}"
            if _run(world, chance.sample(names, chance.randint(1, 3)), tag, carry_out):
                committed.add(tag)
            else:
                conflicts += 1
        report = editor.close(committed)
    world.close()
    return len(committed), conflicts, report


def _run(world: World, names: list[str], tag: str, carry_out: Callable[[World, ChangeSet], object]) -> bool:
    """A run appends its line to what it sees, as a skill would; whether it was committed."""
    inside = world.begin(VaultGrants(write=(".",)))
    for name in names:
        with (inside / name).open("a") as note:
            note.write(f"{tag}\n")
    changes = world.collect()
    world.slot.remove()
    world.prepare()
    try:
        with changes:
            if changes.conflicts:
                return False
            time.sleep(0.002)  # so that many edits fall between collecting and committing
            carry_out(world, changes)
    except ChangesRefused:
        return False
    return True


def _careless(world: World, changes: ChangeSet) -> None:
    """Instead of ``commit``: what is staged goes where it belongs, whatever is there by now."""
    assert changes.staging is not None
    for entry in changes.entries:
        (changes.staging.path / entry.staged).rename(world.notes / entry.change.path)


def test_no_edit_is_lost_to_runs(base: Path) -> None:
    commits, conflicts, report = _runs(base, lambda world, changes: commit(world.vault, changes))
    print(f"{commits} commits, {conflicts} conflicts, {report.edits} edits")
    assert report.lost == []
    assert commits > 0
    assert conflicts > 0
    assert report.edits > 100


def test_edits_are_lost_to_careless_runs_control(base: Path) -> None:
    commits, _, report = _runs(base, _careless)
    print(f"{commits} commits, {len(report.lost)} of {report.edits} edits lost")
    assert commits > 0
    assert report.lost
