"""Both views, and a model of a file system in memory, agree on what any sequence of operations changed."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.sandbox.spec import VaultView
from orchestrator.vault.commit import commit
from tests.vault.world import World, tree

VIEWS: list[VaultView] = ["overlay", "copy"]
PATHS = ["Inbox", "Inbox/a.md", "Inbox/sub", "Inbox/sub/b.md", "keep.md", "New", "New/x", "New/x/y.md", "Inbox/c.md"]
Operation = tuple[str, str, str]
OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["write", "append", "mkdir", "remove", "rename", "chmod"]),
        st.sampled_from(PATHS),
        st.sampled_from([*PATHS, "alpha", "other"]),
    ),
    max_size=10,
)


def _apply(root: Path, operation: Operation) -> None:
    """One operation, as a skill would do it; what is not possible does nothing, in every view alike."""
    verb, path, argument = operation
    target = root / path
    try:
        if verb == "write":
            target.write_text(argument)
        elif verb == "append":
            with target.open("a") as file:
                file.write(argument)
        elif verb == "mkdir":
            target.mkdir(parents=True)
        elif verb == "remove":
            shutil.rmtree(target) if target.is_dir() else target.unlink()
        elif verb == "chmod":
            target.chmod(0o700)
        elif not argument.startswith(path + "/") and not (root / argument).exists():
            # shutil.move: the overlay refuses to rename a lower directory (EXDEV), and then it copies
            shutil.move(target, root / argument)
    except OSError:
        pass


def _model(before: dict[str, str], after: dict[str, str]) -> list[str]:
    found = []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        if old is not None and (new is None or "/" in (old, new)):
            found.append(f"deleted {path}")
        if new is not None:
            found.append(f"{'created' if old is None or '/' in (old, new) else 'modified'} {path}")
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting an overlay needs root")
@settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(operations=OPERATIONS)
def test_views_and_model_agree(operations: list[Operation]) -> None:
    base = Path(tempfile.mkdtemp(prefix="vault-test-"))
    try:
        for view in VIEWS:
            (base / view).mkdir()
            world = World(base / view, view)
            before = tree(world.notes)
            inside = world.begin()
            for operation in operations:
                _apply(inside, operation)
            after = tree(inside)
            with world.collect() as changes:
                assert [f"{c.kind} {c.path}" for c in changes.changes] == _model(before, after), view
                commit(world.vault, changes)
            assert tree(world.notes) == after
            world.close()
            assert not list((base / view / "state/slots").glob("*/*"))
    finally:
        shutil.rmtree(base)
