"""What may be a vault, and which views and ids it allows."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from orchestrator.errors import VaultError
from orchestrator.vault.root import NOBODY, Vault
from tests.vault.conftest import NEEDS_ROOT
from tests.vault.world import OWNER, as_owner


@pytest.fixture
def notes(base: Path) -> Path:
    path = base / "notes"
    path.mkdir()
    if os.geteuid() == 0:
        os.chown(path, OWNER, OWNER)
    return path


def test_a_directory(notes: Path, base: Path) -> None:
    vault = Vault(notes, base / "state")
    assert vault.root == notes
    assert vault.state_dir.stat().st_mode & 0o777 == 0o700
    assert vault.warnings == ()
    assert vault.staging_area == base / "state/staging"


@pytest.mark.parametrize("root", ["missing", "file", "/"])
def test_not_fit(base: Path, root: str) -> None:
    (base / "file").write_text("")
    with pytest.raises(VaultError) as error:
        Vault(base / root, base / "state")
    assert error.value.hint


def test_a_link_is_resolved_once(notes: Path, base: Path) -> None:
    link = base / "link"
    link.symlink_to(notes)
    vault = Vault(link, base / "state")
    link.unlink()
    link.symlink_to("/etc")
    assert vault.root == notes
    os.close(vault.open())


def test_a_vault_that_was_swapped_is_refused(notes: Path, base: Path) -> None:
    vault = Vault(notes, base / "state")
    notes.rename(base / "old")
    notes.mkdir()
    with pytest.raises(VaultError, match="not the directory"):
        vault.open()
    notes.rmdir()
    notes.symlink_to(base / "old")
    with pytest.raises(VaultError, match="cannot be opened"):
        vault.open()


def test_the_state_directory_stays_apart(notes: Path, base: Path) -> None:
    with pytest.raises(VaultError, match="among the vault's notes"):
        Vault(notes, notes / "state")
    with pytest.raises(VaultError, match="in the state directory"):
        Vault(notes, base)
    vault = Vault(notes, notes / ".orchestrator")
    assert vault.usable_views(engine_remote=False, overlay_works=True) == ("copy",)


def test_a_state_directory_that_others_may_write_is_refused(notes: Path, base: Path) -> None:
    (base / "state").mkdir()
    (base / "state").chmod(0o777)
    with pytest.raises(VaultError, match="writable by others"):
        Vault(notes, base / "state")


def test_a_home_directory_is_warned_about(notes: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(notes))
    assert Vault(notes, base / "state").warnings


def test_views(notes: Path, base: Path) -> None:
    vault = Vault(notes, base / "state")
    assert vault.usable_views(engine_remote=True, overlay_works=True) == ("none",)
    assert vault.usable_views(engine_remote=False, overlay_works=False) == ("copy",)
    assert vault.usable_views(engine_remote=False, overlay_works=None) == ("overlay", "copy")


@pytest.mark.parametrize("name", ["a,nosuid", "a:b", "a\\b", 'a"b', "a\nb", "x" * 250])
def test_paths_that_mount_options_cannot_carry(base: Path, name: str) -> None:
    root = base / name
    for _ in range(5 if len(name) > 200 else 1):
        root.mkdir()
        root /= name
    root.mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(root, OWNER, OWNER)
    assert Vault(root, base / "state").usable_views(engine_remote=False, overlay_works=True) == ("copy",)


@NEEDS_ROOT
def test_ids(notes: Path, base: Path) -> None:
    assert Vault(notes, base / "state").sandbox_ids() == (OWNER, OWNER)
    os.chown(notes, OWNER, 0)
    assert Vault(notes, base / "state").sandbox_ids() == (OWNER, NOBODY)
    os.chown(notes, 0, 0)
    vault = Vault(notes, base / "state")
    assert vault.sandbox_ids() == (NOBODY, NOBODY)
    assert vault.usable_views(engine_remote=False, overlay_works=True) == ("copy",)


@NEEDS_ROOT
def test_a_vault_of_somebody_else(notes: Path, base: Path) -> None:
    """Without root, the sandbox runs as us, on a copy."""
    os.chown(notes, 4321, 4321)
    base.chmod(0o777)

    def look() -> tuple[object, ...]:
        vault = Vault(notes, base / "mine")
        return vault.sandbox_ids(), vault.usable_views(engine_remote=False, overlay_works=True)

    assert as_owner(look) == ((OWNER, OWNER), ("copy",))


def test_staging_lies_on_the_vaults_own_mount(notes: Path) -> None:
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK) or shared.stat().st_dev == notes.stat().st_dev:
        pytest.skip("needs a second file system")
    state = shared / f"vault-test-{os.getpid()}"
    try:
        assert Vault(notes, state).staging_area == notes / ".orchestrator/staging"
    finally:
        shutil.rmtree(state)
