"""The whole flow as an ordinary user who may use the engine's socket: as most installations are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.conftest import OWNER
from tests.support.relay import relayed

SCRIPT = """
import sys
from orchestrator import Orchestrator, Settings
code = '''
from pathlib import Path

def main():
    note = Path("/vault/Inbox/a.md")
    Path("/vault/Summaries/a.md").write_text(note.read_text().upper())
    (Path("/vault/Inbox") / "b.md").unlink()
'''
manifest = {"manifest_version": 1, "name": "probe", "version": "1.0.0", "code": code,
            "vault": {"write": ["Inbox", "Summaries"]}}
url, state, vault, view = sys.argv[1:]
with Orchestrator(Settings(docker_host=url, state_dir=state, vault=vault, vault_view=view,
                           warm_targets={"strict": 0, "standard": 0, "relaxed": 0})) as orchestrator:
    result = orchestrator.run(manifest).raise_for_status()
print(sorted((change.kind, change.path) for change in result.changes))
"""


def reachable_python() -> str | None:
    """An interpreter of this version that another user may execute (a pyenv below /root is not)."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, shutil.which(f"python{version}", path="/usr/bin")):
        if candidate is None:
            continue
        done = subprocess.run(
            [candidate, "-c", "import orchestrator.core"], user=OWNER, group=OWNER, extra_groups=[], env=environment(),
            cwd="/", capture_output=True, check=False,
        ) if executable_by_others(candidate) else None  # fmt: skip
        if done is not None and done.returncode == 0:
            return candidate
    return None


def executable_by_others(path: str) -> bool:
    real = Path(path).resolve()
    return all(part.stat().st_mode & 0o001 for part in (real, *real.parents))


def environment() -> dict[str, str]:
    root = Path(__file__).parents[2]
    return {"PYTHONPATH": f"{root}:{sysconfig.get_path('purelib')}", "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def public_dir() -> Iterator[Path]:
    """A directory that others may enter: pytest keeps its own ones private."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="the whole suite runs as an ordinary user already")
@pytest.mark.parametrize("view", ["overlay", "copy"])
def test_the_whole_flow(view: str, engine_url: str, image: object, state_dir: Path, public_dir: Path) -> None:
    python = reachable_python()
    if python is None or not engine_url.startswith("unix://"):
        pytest.skip("no interpreter that an ordinary user may execute, or no local socket")
    vault, state = public_dir / "notes", public_dir / "state"
    (vault / "Inbox").mkdir(parents=True)
    (vault / "Inbox/a.md").write_text("quiet\n")
    (vault / "Inbox/b.md").write_text("b\n")
    state.mkdir()
    shutil.copy(state_dir / "image.json", state)
    for path in (vault, *vault.rglob("*"), state, state / "image.json"):
        os.chown(path, OWNER, OWNER)
    with relayed(Path(engine_url.removeprefix("unix://")), public_dir / "engine.sock") as url:
        done = subprocess.run(
            [python, "-c", SCRIPT, url, str(state), str(vault), view],
            user=OWNER, group=OWNER, extra_groups=[], env=environment(), cwd="/",
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "('created', 'Summaries/a.md')" in done.stdout
    assert (vault / "Summaries/a.md").read_text() == "QUIET\n"
    assert not (vault / "Inbox/b.md").exists()
    assert list((state / "slots").iterdir()) == []
