"""Opening: what is refused before any skill can run, and what is found where."""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator import EngineUnavailable, ImageError, Orchestrator, PoolClosed, Settings, SettingsError, VaultError
from orchestrator.sandbox.discovery import candidates, engine_url, private_engine
from orchestrator.sandbox.ownership import Instance, private_directory, state_id
from tests.core.conftest import manifest

MakeSettings = Callable[..., Settings]


def test_no_engine(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="does not answer"):
        Orchestrator(Settings(docker_host=f"unix://{tmp_path}/none.sock", state_dir=tmp_path / "state"))


def test_no_image(engine_url: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError) as raised:
        Orchestrator(Settings(docker_host=engine_url, state_dir=tmp_path / "state"))
    assert "image build" in raised.value.hint


def test_an_image_must_be_pinned_by_id(make_settings: MakeSettings) -> None:
    with pytest.raises(ImageError):
        Orchestrator(make_settings(image="skill-orchestrator/sandbox:latest"))


def test_a_lost_image(make_settings: MakeSettings, tmp_path: Path, state_dir: Path) -> None:
    remembered = json.loads((state_dir / "image.json").read_text())
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "image.json").write_text(json.dumps({**remembered, "image_id": "sha256:" + "1" * 64}))
    (state / "image.json").chmod(0o600)
    with pytest.raises(ImageError, match="lost"):
        Orchestrator(make_settings(state_dir=state))


def test_a_vault_that_is_not_there(make_settings: MakeSettings, tmp_path: Path) -> None:
    with pytest.raises(VaultError):
        Orchestrator(make_settings(vault=tmp_path / "none"))


def test_a_failed_opening_leaves_no_claim(make_settings: MakeSettings, tmp_path: Path, state_dir: Path) -> None:
    before = set((state_dir / "instances").iterdir()) if (state_dir / "instances").exists() else set()
    with pytest.raises(VaultError):
        Orchestrator(make_settings(vault=tmp_path / "none"))
    assert set((state_dir / "instances").iterdir()) == before


def test_the_state_directory_must_be_ours(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(SettingsError):
        private_directory(tmp_path / "link")
    (tmp_path / "open").mkdir(mode=0o777)
    assert private_directory(tmp_path / "open").stat().st_mode & 0o777 == 0o700


def test_a_damaged_state_id_is_refused(tmp_path: Path) -> None:
    state_id(tmp_path)
    (tmp_path / "id").write_text("not an id")
    with pytest.raises(SettingsError, match="damaged"):
        state_id(tmp_path)


def test_a_claim_lives_as_long_as_its_process(tmp_path: Path) -> None:
    mine, other = Instance(tmp_path), Instance(tmp_path)
    assert mine.alive(other.id)
    assert mine.alive("somebody-else's")
    other.release()
    assert not mine.alive(other.id)
    assert mine.others() == []
    stale = tmp_path / "instances" / ("ab" * 8)
    stale.touch()
    assert not mine.alive(stale.name)
    mine.clear(stale.name)
    assert not stale.exists()
    mine.release()


def test_the_private_engine_is_found_through_its_record(tmp_path: Path) -> None:
    assert private_engine(tmp_path) is None
    (tmp_path / "engine.json").write_text(json.dumps({"socket": "unix:///run/somewhere.sock", "pid": None}))
    settings = Settings(state_dir=tmp_path, runtime_dir=Path("/run/user/1"), docker_host=None)
    assert candidates(settings)[-1] == Path("/run/somewhere.sock")
    assert Path("/run/user/1/docker.sock") in candidates(settings)
    for damaged in ("", "[]", "{}", '{"socket": 7}', '{"socket": "tcp://x"}'):
        (tmp_path / "engine.json").write_text(damaged)
        assert private_engine(tmp_path) is None


def test_docker_host_wins(tmp_path: Path) -> None:
    assert engine_url(Settings(docker_host="tcp://host:1", state_dir=tmp_path)) == "tcp://host:1"


def _use_in_child(orchestrator: Orchestrator, answers: Any) -> None:
    try:
        orchestrator.run(manifest("def main():\n    return 1\n"))
    except PoolClosed as error:
        answers.send(str(error))
    os._exit(0)


def test_a_forked_child_neither_uses_nor_harms_the_parents_sandboxes(make_settings: MakeSettings) -> None:
    with Orchestrator(make_settings(warm_targets={"standard": 1})) as orchestrator:
        orchestrator.prime()
        context = multiprocessing.get_context("fork")
        receiver, sender = context.Pipe(duplex=False)
        child = context.Process(target=_use_in_child, args=(orchestrator, sender))
        child.start()
        assert receiver.poll(30)
        assert "forked" in receiver.recv()
        child.join(30)
        assert orchestrator.run(manifest("def main():\n    return 2\n")).output == 2


def test_policies_come_into_force_when_accepted(make_settings: MakeSettings, tmp_path: Path) -> None:
    """A changed file changes nothing until it is accepted; a broken one never does; old sandboxes are retired."""
    import shutil

    from orchestrator.policy import PolicyStore, default_policy_dir

    policies, state = tmp_path / "policies", make_settings().state_dir
    shutil.copytree(default_policy_dir(), policies)
    code = manifest("def main():\n    return 1\n", limits={"memory_mb": 512})
    with Orchestrator(make_settings(policy_dir=policies, warm_targets={"standard": 1})) as orchestrator:
        orchestrator.prime()
        assert orchestrator.run(code).ok
        text = (policies / "standard.toml").read_text()
        (policies / "standard.toml").write_text(text.replace("memory_mb = 512", "memory_mb = 256"))
        threading.Event().wait(1.2)  # the store looks once a second
        assert orchestrator.run(code).ok
        PolicyStore(policies, state).accept()
        threading.Event().wait(1.2)
        assert orchestrator.run(code).status == "denied"
        (policies / "standard.toml").write_text("this is not toml")
        threading.Event().wait(1.2)
        assert orchestrator.run(manifest("def main():\n    return 1\n")).ok
    (policies / "standard.toml").unlink()
