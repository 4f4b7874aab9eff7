"""Both views, and a model of a file system in memory, agree on what any sequence of operations changed: kinds, sizes,
hashes, moves. And committing it makes the vault what the model is, and touches nothing else."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.sandbox.spec import VaultView
from orchestrator.vault.changes import Change
from orchestrator.vault.commit import commit
from orchestrator.vault.descriptors import opened
from orchestrator.vault.moves import with_moves
from orchestrator.vault.overlay import OPAQUE
from orchestrator.vault.reach import Reach
from tests.vault.model import Disk, Entries, Model, Operation, differences, done, entries_of
from tests.vault.world import OWNER, World

IS_ROOT = os.geteuid() == 0
VIEWS: tuple[VaultView, ...] = ("overlay", "copy") if IS_ROOT else ("copy",)  # mounting an overlay needs root
EXAMPLES = 200  # about 10 s

# Twins in content and in length, names that sort around a directory's, an empty directory and an empty note.
NOTES: Entries = {
    "Empty": None,
    "Inbox": None,
    "Inbox.md": b"alpha",
    "Inbox/a.md": b"alpha",
    "Inbox/blank.md": b"",
    "Inbox/sub": None,
    "Inbox/sub/b.md": b"beta",
    "Log": None,
    "Log/b.md": b"\xff\x00\xfe",
    "Log/old": None,
    "Log/old/a.md": b"alpha",
    "keep.md": b"kept",
}
TIMES_NS = {path: 10**18 + number for number, path in enumerate(NOTES)}
NAMES = st.sampled_from(["a.md", "b.md", "sub", "sub.md", "new"])
CONTENTS = st.sampled_from([b"", b"alpha", b"ALPHA", b"beta", b"\xff\x00\xfe"])
MODES = st.sampled_from([0, 0o400, 0o600, 0o755, 0o777])

# -- what a run does: each step gives operations, and sees what those before it left

Step = Callable[[st.DrawFn, Model], Iterator[Operation]]


def _place(draw: st.DrawFn, model: Model) -> str:
    """Somewhere in a directory that is there: free or taken."""
    return "/".join(filter(None, (draw(st.sampled_from(["", *model.directories()])), draw(NAMES))))


def _anything(draw: st.DrawFn, model: Model) -> str:
    return draw(st.sampled_from(sorted(model.entries) or ["nothing"]))


def _note(draw: st.DrawFn, model: Model) -> str:
    return draw(st.sampled_from(model.files() or ["nothing.md"]))


def _directory(draw: st.DrawFn, model: Model) -> str:
    return draw(st.sampled_from(model.directories() or ["Nothing"]))


def writes(draw: st.DrawFn, model: Model) -> Iterator[Operation]:
    yield "write", draw(st.one_of(st.just(_note(draw, model)), st.just(_place(draw, model)))), draw(CONTENTS)


def appends(draw: st.DrawFn, model: Model) -> Iterator[Operation]:
    yield "append", _note(draw, model), draw(CONTENTS)


def truncates(draw: st.DrawFn, model: Model) -> Iterator[Operation]:
    yield "truncate", _note(draw, model), draw(st.integers(0, 6))


def writes_it_back(draw: st.DrawFn, model: Model) -> Iterator[Operation]:
    note = _note(draw, model)
    yield "write", note, model.entries.get(note) or b""


def removes(draw: st.DrawFn, model: Model) -> Iterator[Operation]:
    path = _anything(draw, model)
    yield draw(st.sampled_from(["unlink", "rmdir", "rmtree"])), path


def makes_a_directory(draw: st.DrawFn, model: Model) -> Iterator[Operation]:
    yield "mkdir", _place(draw, model)


def renames_a_note(draw: st.DrawFn, model: Model) -> Iterator[Operation]:
    """Here or elsewhere, to a free name or over what is there."""
    yield "rename", _note(draw, model), draw(st.sampled_from([_place(draw, model), _note(draw, model)]))


def renames_notes_of_one_content(draw: st.DrawFn, model: Model) -> Iterator[Operation]:
    content = model.entries.get(_note(draw, model))
    for note in model.files():
        if model.entries.get(note) == content:
            yield "rename", note, draw(st.sampled_from([_place(draw, model), _note(draw, model)]))


def renames_a_directory(draw: st.DrawFn, model: Model) -> Iterator[Operation]:
    directory = _directory(draw, model)
    yield "rename", directory, draw(st.sampled_from([_place(draw, model), _directory(draw, model)]))


def makes_and_renames_a_directory(draw: st.DrawFn, model: Model) -> Iterator[Operation]:
    """To a free name, or to that of a directory which was removed: then it hides the lower one."""
    made = _place(draw, model)
    yield "mkdir", made
    yield "write", f"{made}/{draw(NAMES)}", draw(CONTENTS)
    to = draw(st.sampled_from([_place(draw, model), _directory(draw, model)]))
    if draw(st.booleans()):
        yield "rmtree", to
    yield "rename", made, to


def changes_modes_and_times(draw: st.DrawFn, model: Model) -> Iterator[Operation]:
    path = _anything(draw, model)
    yield draw(st.sampled_from([("chmod", path, draw(MODES)), ("utime", path, draw(st.integers(0, 2**61)))]))


def forges_a_time(draw: st.DrawFn, model: Model) -> Iterator[Operation]:
    """Other content, as long, under the old time."""
    note = _note(draw, model)
    yield "write", note, (model.entries.get(note) or b"").swapcase()
    yield "utime", note, TIMES_NS.get(note, 0)


def makes_a_tree_again(draw: st.DrawFn, model: Model) -> Iterator[Operation]:
    """Removes a directory and makes it anew, with some of what was in it, changed or not."""
    directory = _directory(draw, model)
    former = {path: model.entries[path] for path in model.below(directory)}
    yield "rmtree", directory
    yield "mkdir", directory
    for path, content in former.items():
        if draw(st.booleans()):
            yield ("mkdir", path) if content is None else ("write", path, draw(st.sampled_from([content, b"ALPHA"])))


def replaces_one_kind_by_the_other(draw: st.DrawFn, model: Model) -> Iterator[Operation]:
    path = _anything(draw, model)
    if model.entries.get(path) is None:
        yield "rmtree", path
        yield "write", path, draw(CONTENTS)
    else:
        yield "unlink", path
        yield "mkdir", path
        yield "write", f"{path}/{draw(NAMES)}", draw(CONTENTS)


STEPS: list[Step] = [
    writes, appends, truncates, writes_it_back, removes, makes_a_directory, renames_a_note, renames_a_directory,
    renames_notes_of_one_content, makes_and_renames_a_directory, changes_modes_and_times, forges_a_time,
    makes_a_tree_again, makes_a_tree_again, replaces_one_kind_by_the_other,
]  # fmt: skip


@st.composite
def histories(draw: st.DrawFn) -> list[Operation]:
    model, history = Model(NOTES), []
    for step in draw(st.lists(st.sampled_from(STEPS), min_size=1, max_size=8)):
        for operation in step(draw, model):
            done(model, operation)
            history.append(operation)
    return history


# -- what came of it

Look = tuple[int, int, int, int]  # mode, owner, inode, mtime (0 where entries came or went)


def _furnish(world: World) -> None:
    """``NOTES``, each with a mode and a time of its own."""
    for number, (path, content) in enumerate(NOTES.items()):
        note = world.notes / path
        if content is None:
            world.write(f"{path}/gone", "").unlink()
        else:
            world.write(path, "").write_bytes(content)
            note.chmod((0o600, 0o640, 0o664)[number % 3])
            os.utime(note, ns=(number, TIMES_NS[path]))
    assert entries_of(world.notes) == NOTES


def _looks(root: Path, changes: tuple[Change, ...] = ()) -> dict[str, Look]:
    busy = {change.path.rpartition("/")[0] for change in changes}
    found = {}
    for path in root.rglob("*"):
        entry, name = path.stat(), str(path.relative_to(root))
        time = 0 if name in busy else entry.st_mtime_ns
        found[name] = (stat.S_IMODE(entry.st_mode), entry.st_uid, entry.st_ino, time)
    return found


def _moves_told(world: World) -> tuple[Change, ...]:
    """Collect, tell moves and commit; the changes."""
    with world.collect() as collected, opened(world.vault.open()) as root:
        assert (collected.refusals, collected.conflicts) == ((), ())
        changes = with_moves(collected, Reach(root, world.vault.device))
        assert commit(world.vault, changes) == changes.changes
        return changes.changes


def _check_looks(root: Path, before: dict[str, Look], changes: tuple[Change, ...]) -> None:
    """What a run did not change is the same entry with the same mode, owner and time; what it changed keeps its mode
    and owner; what it made is as new notes are."""
    after = _looks(root, changes)
    changed = {change.path: change for change in changes if change.kind != "deleted"}
    for path, (mode, owner, inode, time) in after.items():
        if path not in changed:
            assert (mode, owner, inode) == before[path][:3], path
            assert time in {0, before[path][3]}, path
        elif changed[path].kind == "modified":
            assert (mode, owner) == before[path][:2], path
        else:
            expected = 0o755 if changed[path].directory else 0o644
            assert (mode, owner) == (expected, OWNER if IS_ROOT else os.geteuid()), path


def _marks(upper: Path) -> Iterator[str]:
    """What the kernel left in an upper layer: deletions, and directories that hide one of the vault."""
    for path in upper.rglob("*"):
        hides = NOTES.get(str(path.relative_to(upper)), b"") is None
        if path.is_char_device():
            yield "whiteout"
        elif hides and path.is_dir() and OPAQUE in os.listxattr(path):
            yield "opaque"


def _traits(changes: tuple[Change, ...]) -> Iterator[str]:
    yield from ("moved" if change.moved_from else change.kind for change in changes)
    kinds = Counter((change.path, change.directory) for change in changes)
    paths = Counter(path for path, _ in kinds)
    yield from ("another kind" for count in paths.values() if count == 2)
    if not changes:
        yield "nothing changed"


def _run(base: Path, view: VaultView, history: list[Operation], met: Counter[str]) -> None:
    base.mkdir()
    world = World(base, view)
    with ExitStack() as resources:
        resources.callback(world.close)
        _furnish(world)
        model, disk = Model(NOTES), Disk(world.begin())
        before = _looks(world.notes)
        for operation in history:
            possible = done(model, operation)
            assert done(disk, operation) == possible, (view, operation)
            met["possible" if possible else "impossible"] += 1
        met["directory copied"] += disk.copied
        expected = differences(NOTES, model.entries)
        world.end()
        met.update(_marks(world.raw) if view == "overlay" else _traits(expected))
        changes = _moves_told(world)
        assert changes == expected, view
        assert entries_of(world.notes) == model.entries, view
        _check_looks(world.notes, before, changes)
    assert not list((base / "state/slots").glob("*/*"))


def test_views_and_model_agree() -> None:
    met: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(history=histories())
    def agree(history: list[Operation]) -> None:
        base = Path(tempfile.mkdtemp(prefix="vault-test-"))
        try:
            for view in VIEWS:
                _run(base / view, view, history, met)
        finally:
            shutil.rmtree(base)

    agree()
    wanted = {"created", "modified", "deleted", "moved", "another kind", "nothing changed", "possible", "impossible"}
    wanted |= {"whiteout", "opaque", "directory copied"} if "overlay" in VIEWS else set()
    assert {trait for trait in wanted if met[trait] < EXAMPLES // 30} == set()  # or this test would show little
