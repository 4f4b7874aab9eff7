"""Closing while runs are under way, closing in a forked child, and using what is closed: nothing is harmed or lost."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator, PoolClosed, Settings, Status, VaultError
from orchestrator.sandbox.docker_engine import DockerEngine
from orchestrator.vault.collect import _Frame, _Walk
from tests.core.conftest import manifest
from tests.core.test_teardown import containers, wait_until

NOTES = {"Inbox/a.md": "# A\n", **{f"Inbox/sub/{number}.md": "precious\n" for number in range(20)}}
IDLE = "def main():\n    return 1\n"

MakeSettings = Callable[..., Settings]
MakeVault = Callable[..., Path]


def tree(vault: Path) -> dict[str, str]:
    return {str(path.relative_to(vault)): path.read_text() for path in vault.rglob("*") if path.is_file()}


class Landing:
    """A run in a thread of its own whose collector stops before it reads ``Inbox/sub``, until ``resume`` is true."""

    def __init__(self, orchestrator: Orchestrator, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ended: list[Any] = []
        self.resume: Callable[[int], bool] = lambda view: True  # given the descriptor of the view's Inbox/sub
        self._orchestrator = orchestrator
        self._reached = threading.Event()
        self._thread = threading.Thread(target=self._run)
        real = _Walk._scan

        def scan(walk: _Walk, frame: _Frame) -> None:
            if frame.prefix == "Inbox/sub/":
                self._reached.set()
                wait_until(lambda: self.resume(frame.descriptor))
            real(walk, frame)

        monkeypatch.setattr(_Walk, "_scan", scan)

    def _run(self) -> None:
        try:
            self.ended.append(self._orchestrator.run(manifest(IDLE, vault={"write": ["Inbox"]})))
        except VaultError as error:
            self.ended.append(error)

    def close_meanwhile(self) -> Any:
        """Close without patience while the run lands; how the run ended."""
        self._thread.start()
        assert self._reached.wait(20)
        self._orchestrator.close(timeout=0)
        self._thread.join()
        return self.ended[0]


def test_close_lets_a_landing_run_land(
    make_settings: MakeSettings, make_vault: MakeVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its view stays until its changes are in the vault, however little patience the caller has."""
    vault = make_vault(NOTES)
    orchestrator = Orchestrator(make_settings(vault=vault, vault_view="copy"))
    landing = Landing(orchestrator, monkeypatch)
    landing.resume = lambda view: orchestrator._closing.is_set()
    result = landing.close_meanwhile()
    assert getattr(result, "status", result) in (Status.SUCCEEDED, Status.CANCELLED)
    assert result.changes == ()
    assert tree(vault) == NOTES


def test_a_view_that_close_removed_is_no_deletion(
    make_settings: MakeSettings, make_vault: MakeVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Landing may outlast all patience. What our own remover took from the copy was not deleted by the run."""
    monkeypatch.setattr("orchestrator.core._LANDING_SECONDS", 0.0)
    vault = make_vault(NOTES)
    orchestrator = Orchestrator(make_settings(vault=vault, vault_view="copy"))
    landing = Landing(orchestrator, monkeypatch)
    landing.resume = lambda view: not os.listdir(view)  # noqa: PTH208 - a descriptor
    assert isinstance(landing.close_meanwhile(), VaultError)
    assert tree(vault) == NOTES


def _close_in_child(orchestrator: Orchestrator, answers: Any) -> None:
    try:
        orchestrator.close()
        answers.send("closed")
    except BaseException as error:  # noqa: BLE001 - handed to the parent, whatever it is
        answers.send(repr(error))
    os._exit(0)


def _fork_and_close(orchestrator: Orchestrator) -> str:
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    with receiver, sender:
        child = context.Process(target=_close_in_child, args=(orchestrator, sender))
        child.start()
        answer = str(receiver.recv()) if receiver.poll(30) else "no answer"
        child.join(30)
        child.close()
    return answer


def test_close_in_a_forked_child_leaves_the_parents_things_alone(
    make_settings: MakeSettings, make_vault: MakeVault, real_engine: DockerEngine
) -> None:
    vault = make_vault()
    answers: list[str] = []
    code = "import time\n\ndef main():\n    print('on')\n    time.sleep(0.5)\n    return 'done'\n"
    with Orchestrator(
        make_settings(vault=vault, warm_targets={"strict": 0, "standard": 2, "relaxed": 0})
    ) as orchestrator:
        orchestrator.prime()
        installation = orchestrator._installation
        instance, state = installation.instance.id, installation.settings.state_dir

        def held() -> tuple[set[str], set[str], bool]:
            slots = {path.name for path in (state / "slots" / instance).iterdir()}
            return set(containers(real_engine, instance)), slots, (state / "instances" / instance).exists()

        before = held()
        assert before[2]
        assert len(before[0]) == len(before[1]) == 2
        answers.append(_fork_and_close(orchestrator))
        assert held() == before

        def on_event(event: Any) -> None:
            if event.kind == "stdout" and "on" in event.text:  # the end of the line may come by itself
                answers.append(_fork_and_close(orchestrator))

        assert orchestrator.run(manifest(code), on_event=on_event).output == "done"
        note = "from pathlib import Path\n\ndef main():\n    Path('/vault/Out/x.md').write_text('x')\n"
        orchestrator.run(manifest(note, vault={"write": ["Out"]})).raise_for_status()
    assert answers == ["closed", "closed"]
    assert (vault / "Out/x.md").read_text() == "x"
    assert containers(real_engine, instance) == []


@pytest.mark.parametrize("used", [False, True])
def test_arun_after_close(make_settings: MakeSettings, used: bool) -> None:
    """The same refusal as ``run``'s, whether or not there were threads for it, and no new thread."""

    async def scenario() -> None:
        orchestrator = Orchestrator(make_settings())
        try:
            if used:
                assert (await orchestrator.arun(manifest(IDLE))).output == 1
        finally:
            orchestrator.close()
        with pytest.raises(PoolClosed):
            await orchestrator.arun(manifest(IDLE))

    asyncio.run(scenario())
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("arun")] == []
