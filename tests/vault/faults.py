"""What the fault tests stand on: a vault with a rich change set ready, children that die at a point, and disks that
lose what was not synced."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import stat
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from orchestrator.vault import durable, journal
from orchestrator.vault.changes import ChangeSet
from orchestrator.vault.commit import commit
from orchestrator.vault.descriptors import opened
from orchestrator.vault.recovery import recover
from orchestrator.vault.root import Vault
from orchestrator.vault.slots import sweep_vault
from tests.vault.world import World

Hook = Callable[[str], None]
Snapshot = dict[str, tuple[str, int, int, int]]  # path: content, mode, uid, gid

MANY = 12  # more than are synced one by one
WRITTEN = {
    "Inbox/a.md": "changed",
    "Inbox/c.md": "changed as well",
    "Inbox/sub": "a file now",
    "New/deep/n.md": "new",
    "top.md": "top",
    "was.md/in.md": "in a directory now",
}
MADE = ("New", "New/deep", "was.md")
REMOVED = ("Inbox/sub/b.md", "keep.md", "Old/deep/y.md", "Old/deep", "Old/x.md", "Old", "was.md", "Inbox/sub")


class Case:
    """A vault of its own with changes that are ready to be committed; what the tree may be afterwards."""

    def __init__(self, base: Path, *, many: bool = False) -> None:
        self.base = Path(tempfile.mkdtemp(dir=base))
        self.base.chmod(0o755)
        self.world = World(self.base, "copy")
        self.notes = self.world.notes
        for path in ("Inbox/c.md", "Old/x.md", "Old/deep/y.md", "was.md"):
            self.world.write(path, f"old {path}")
        (self.notes / "Inbox/a.md").chmod(0o640)
        (self.notes / "Old/deep").chmod(0o750)
        self.written = dict(WRITTEN, **({f"many-{n}.md": f"{n}" for n in range(MANY)} if many else {}))
        self.old = snapshot(self.notes)
        self.old_files = {(entry.st_dev, entry.st_ino) for entry in _files(self.notes).values()}
        self.new = self._expected()
        self._change(self.world.begin())
        self.changes: ChangeSet = self.world.collect()
        assert not self.changes.refusals + self.changes.conflicts

    def _change(self, inside: Path) -> None:
        for path in REMOVED:
            (inside / path).rmdir() if (inside / path).is_dir() else (inside / path).unlink()
        for path in MADE:
            (inside / path).mkdir()
        for path, text in self.written.items():
            (inside / path).write_text(text)

    def _expected(self) -> Snapshot:
        """A changed note keeps its mode and owner, what is new gets the vault owner's."""
        vault = self.world.vault
        kept = {path: entry for path, entry in self.old.items() if path not in REMOVED}
        for path in MADE:
            kept[path] = ("/", 0o755, vault.uid, vault.gid)
        for path, text in self.written.items():
            _, mode, uid, gid = kept.get(path, ("", 0o644, vault.uid, vault.gid))
            kept[path] = (text, mode, uid, gid)
        return dict(sorted(kept.items()))

    def commit(self) -> None:
        commit(self.world.vault, self.changes)

    def now(self) -> Snapshot:
        return snapshot(self.notes)

    def journals(self) -> list[Path]:
        return [path for name in journal.NAMES for path in (self.base / "state").rglob(name)]

    def recover(self) -> None:
        """As the next start does it: nothing is remembered."""
        recover(Vault(self.notes, self.base / "state"))

    def settle(self) -> Snapshot:
        """Recover, and require that nothing is left over and that doing it again changes nothing."""
        self.recover()
        assert self.journals() == []
        vault = Vault(self.notes, self.base / "state")
        sweep_vault(vault, lambda _: False)
        assert list(vault.staging_area.iterdir()) == []
        settled = _stamps(self.notes)
        assert recover(vault) == ()
        assert _stamps(self.notes) == settled
        return self.now()

    def state(self) -> str:
        """ "old" or "new"; or, for a message, how it is neither."""
        now = self.now()
        if now in (self.old, self.new):
            return "old" if now == self.old else "new"
        return f"mixed: not old in {_differing(now, self.old)}, not new in {_differing(now, self.new)}"

    def crash(self, hook: Hook, *, fine: bool = False) -> bool:
        """Commit in a child with ``hook``; whether that killed it."""
        return killed(self.commit, hook, fine=fine)

    def close(self) -> None:
        if self.changes.staging is not None:
            self.changes.staging.leave()
        shutil.rmtree(self.base)


@contextmanager
def case_in(base: Path, *, many: bool = False) -> Iterator[Case]:
    made = Case(base, many=many)
    try:
        yield made
    finally:
        made.close()


def snapshot(root: Path) -> Snapshot:
    found = {}
    for path in sorted(root.rglob("*")):
        entry = path.lstat()
        content = "/" if path.is_dir() else path.read_text()
        found[str(path.relative_to(root))] = (content, stat.S_IMODE(entry.st_mode), entry.st_uid, entry.st_gid)
    return found


def _stamps(root: Path) -> dict[str, tuple[int, int, int]]:
    entries = {path: path.lstat() for path in (root, *root.rglob("*"))}
    return {str(path): (entry.st_ino, entry.st_mtime_ns, entry.st_ctime_ns) for path, entry in entries.items()}


def _files(root: Path) -> dict[Path, os.stat_result]:
    entries = {path: path.lstat() for path in root.rglob("*")}
    return {path: entry for path, entry in entries.items() if stat.S_ISREG(entry.st_mode)}


def _differing(one: Snapshot, other: Snapshot) -> list[str]:
    return sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))


# -- points


def names_of(action: Callable[[], None]) -> list[str]:
    """The points that ``action`` passes."""
    passed: list[str] = []
    before, durable.reached = durable.reached, passed.append
    try:
        action()
    finally:
        durable.reached = before
    return passed


def at(number: int, act: Callable[[], None]) -> Hook:
    """A hook that does ``act`` at the point of this number, counted from 0."""
    left = number

    def hook(_point: str) -> None:
        nonlocal left
        left -= 1
        if left == -1:
            act()

    return hook


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed(action: Callable[[], None], hook: Hook, *, fine: bool = False) -> bool:
    """Do ``action`` in a child with ``hook``; whether it was killed. With ``fine``, each call that changes something
    on the disk is a point as well, just after it. Any other failure of the child is one of the test."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        try:
            durable.reached = hook
            if fine:
                _refine(hook)
            action()
            os._exit(0)
        except BaseException:  # noqa: BLE001 - handed to the parent as a status, whatever it is
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.waitstatus_to_exitcode(status) == 0
    return False


def _refine(hook: Hook) -> None:
    """Only in a child: nothing is put back."""
    for name in ("mkdir", "rmdir", "unlink", "rename", "fchmod", "fchown", "utime", "write", "fsync"):
        setattr(os, name, _then(getattr(os, name), hook, name))
    renameat2 = durable._renameat2
    durable._renameat2 = _then(renameat2, hook, "renameat2")


def _then(real: Callable[..., Any], hook: Hook, name: str) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        value = real(*arguments, **options)
        hook(f"after {name}")
        return value

    return call


# -- a disk that loses what was not synced


class Disk:
    """Lives in the child: notes how much of each file was put on disk, and says so in ``record`` as the power goes."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self.record = case.base / "synced"
        self._synced: dict[int, int] = {}

    def install(self) -> None:
        """Nothing is put back: the child ends with it."""
        setattr(os, "fsync", self._fsync)  # noqa: B010 - an assignment would have to repeat typeshed's names
        setattr(durable, "sync_file_system", self._sync_all)  # noqa: B010

    def _fsync(self, descriptor: Any) -> None:
        entry = os.fstat(descriptor)
        self._on_disk(entry)

    def _sync_all(self, _descriptor: int) -> None:
        for entry in _files(self._case.base).values():
            self._on_disk(entry)

    def _on_disk(self, entry: os.stat_result) -> None:
        """Threads sync side by side: what one saw may be less than what another has put there meanwhile."""
        self._synced[entry.st_ino] = max(entry.st_size, self._synced.get(entry.st_ino, 0))

    def power_off(self) -> None:
        self.record.write_text(json.dumps(list(self._synced.items())))
        die()

    def lose(self) -> int:
        """In the parent: cut each file that is not as old as the vault to what was put on disk. How many lost some."""
        synced: dict[int, int] = dict(json.loads(self.record.read_text()))
        lost = 0
        for root in (self._case.notes, self._case.base / "state" / "staging"):
            for path, entry in _files(root).items():
                kept = synced.get(entry.st_ino, 0)
                if (entry.st_dev, entry.st_ino) not in self._case.old_files and kept < entry.st_size:
                    os.truncate(path, kept)
                    lost += 1
        return lost


# -- an editor that never rests


@dataclass(slots=True)
class Report:
    """``edits``: how many were written. ``lost``: those that no newer one of the editor's has replaced."""

    edits: int
    lost: list[str]


class Editor:
    """A process that rewrites notes by a temporary file and a rename, in a loop, until ``close``.

    Each version is what the note held and one line of the editor's own, so a version that is lost takes a line with
    it, and only the editor knows the line. It looks twice: before each rewrite the note must hold all of its lines (for
    a moment it may not, while a commit that will be refused has the note in its hands); and what its rename replaced,
    which an exchange hands out, must hold them as well - unless that ends in the line of a run that was refused.
    """

    def __init__(self, notes: list[Path], desk: Path) -> None:
        """``desk`` is made: where it writes aside."""
        self._notes, self._desk = notes, desk
        self._lines: dict[Path, list[str]] = {note: [] for note in notes}
        self._lost: list[str] = []
        self._overtaken: list[tuple[str, str]] = []  # the last line of what was replaced, and what it lacked
        self._child = 0

    def __enter__(self) -> Self:
        self._desk.mkdir()
        self._child = os.fork()
        if self._child == 0:
            try:
                self._work()
                os._exit(0)
            except BaseException:  # noqa: BLE001 - handed to the parent as a status, whatever it is
                traceback.print_exc()
                sys.stderr.flush()
                os._exit(1)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._child:
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)

    def close(self, committed: set[str]) -> Report:
        """``committed``: the lines of the runs whose commit succeeded."""
        (self._desk / "stop").touch()
        status = os.waitpid(self._child, 0)[1]
        self._child = 0
        assert status == 0
        document = json.loads((self._desk / "report").read_text())
        overtaken = [f"{lacked} by {last}" for last, lacked in document["overtaken"] if last in committed]
        return Report(document["edits"], document["lost"] + overtaken)

    def _work(self) -> None:
        chance = random.Random(5)
        edits = 0
        while not (self._desk / "stop").exists():
            self._edit(chance.choice(self._notes), f"edit {edits}")
            edits += 1
            time.sleep(chance.uniform(0, 0.008))
        for note in self._notes:
            self._settled(note)
        document = {"edits": edits, "lost": self._lost, "overtaken": self._overtaken}
        (self._desk / "report").write_text(json.dumps(document))

    def _edit(self, note: Path, line: str) -> None:
        text = self._settled(note)
        aside = self._desk / note.name
        aside.write_text(f"{text}{line}\n")
        shutil.copystat(note, aside)
        os.utime(aside)
        os.chown(aside, note.stat().st_uid, note.stat().st_gid)
        _swap(aside, note)
        replaced = aside.read_text().splitlines()
        aside.unlink()
        for lacked in self._lacking(note, replaced):
            self._overtaken.append((replaced[-1], f"{note.name}: {lacked}"))
        self._lines[note].append(line)

    def _settled(self, note: Path) -> str:
        """What the note holds, once it holds all of our lines; those that do not come back are lost."""
        patience = time.monotonic() + 0.5
        while missing := self._lacking(note, (text := note.read_text()).splitlines()):
            if time.monotonic() > patience:
                self._lost += [f"{note.name}: {line}" for line in missing]
                self._lines[note] = [line for line in self._lines[note] if line not in missing]
        return text

    def _lacking(self, note: Path, lines: list[str]) -> list[str]:
        there = set(lines)
        return [line for line in self._lines[note] if line not in there]


def _swap(one: Path, other: Path) -> None:
    with opened(os.open(one.parent, os.O_RDONLY)) as source, opened(os.open(other.parent, os.O_RDONLY)) as target:
        durable.exchange((source, one.name.encode()), (target, other.name.encode()))
