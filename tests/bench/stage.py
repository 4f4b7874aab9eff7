"""Where the measuring takes place: a state directory, a vault and an image of its own, and the skill that is run."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orchestrator import Orchestrator, RunResult, Settings
from orchestrator.image.build import ensure_image
from orchestrator.sandbox.discovery import engine_url
from orchestrator.sandbox.docker_engine import DockerEngine
from orchestrator.sandbox.options import LABEL, LABEL_STATE
from orchestrator.sandbox.ownership import state_id
from orchestrator.sandbox.spec import SandboxSpec

LEVEL: Final = "standard"
_ENGINE_SECONDS: Final = 0.03  # what the engine still does after its answer to the last removal
OWNER: Final = 1000  # of the vault, when we are root: the overlay view needs an owner that is not

# Trivial on purpose, with everything on: both schemas, read and write grants (so Landlock and the vault's view), the
# default limits, guards and second seccomp stage of the standard policy.
SKILL: Final[dict[str, Any]] = {
    "manifest_version": 1,
    "name": "trivial",
    "version": "1.0.0",
    "description": "Answers with what it was given.",
    "code": "def main(number):\n    return {'number': number}\n",
    "inputs_schema": {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]},
    "output_schema": {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]},
    "vault": {"read": ["Inbox"], "write": ["Summaries"]},
}

# The same, and it imports what bare Python, `docker run` and the peers are given to import.
JSON_SKILL: Final[dict[str, Any]] = {
    **SKILL,
    "code": "import json\n\ndef main(number):\n    return {'number': json.loads(json.dumps(number))}\n",
}


@dataclass(frozen=True)
class Stage:
    engine: DockerEngine
    state_dir: Path
    settings: Settings
    image_id: str

    def orchestrator(self, warm: int, **changes: Any) -> Orchestrator:
        """One that keeps ``warm`` sandboxes of the standard level, and none of the others."""
        targets = {"strict": 0, "relaxed": 0, LEVEL: warm}
        return Orchestrator(self.settings.model_copy(update={"warm_targets": targets, **changes}))

    def containers(self) -> list[str]:
        """Ids of the containers that exist, of this stage only."""
        return [row.id for row in self.engine.list({LABEL: "", LABEL_STATE: state_id(self.state_dir)})]


@contextmanager
def stage() -> Iterator[Stage]:
    """Raises OrchestratorError when engine or image are not to be had."""
    found = Settings()
    engine = DockerEngine(engine_url(found))
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        state_dir, vault = Path(name) / "state", Path(name) / "vault"
        _make_vault(vault)
        image = ensure_image(engine, state_dir, found.cache_dir)
        settings = Settings(docker_host=engine.url, state_dir=state_dir, vault=vault)
        yield Stage(engine, state_dir, settings, image.image_id)
    engine.close()


def _make_vault(root: Path) -> None:
    for directory in (root, root / "Inbox", root / "Summaries"):
        directory.mkdir()
        if os.geteuid() == 0:
            os.chown(directory, OWNER, OWNER)
    for number in range(20):
        note = root / "Inbox" / f"note-{number}.md"
        note.write_text(f"# Note {number}\n")


def run_once(orchestrator: Orchestrator, skill: Mapping[str, Any] = SKILL) -> RunResult:
    """One run of a skill; anything but success ends the measuring."""
    result = orchestrator.run(skill, {"number": 7})
    if not result.ok or result.output != {"number": 7}:
        raise RuntimeError(f"the skill did not run: {result.status}: {result.reason}")
    return result


def at_rest(orchestrator: Orchestrator) -> None:
    """Wait until the pool is full and everything used is gone: nothing of ours competes with what comes next."""
    orchestrator.prime()
    while (stats := orchestrator.stats()).removing or stats.starting:
        time.sleep(0.005)
    time.sleep(_ENGINE_SECONDS)


def spec_of(orchestrator: Orchestrator) -> SandboxSpec:
    """What the policy makes the skill's sandboxes of."""
    decision = orchestrator.check(SKILL)[1]
    if decision.spec is None:
        raise RuntimeError(f"the skill is denied: {decision.violations}")
    return decision.spec
