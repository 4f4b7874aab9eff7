"""The README's example is run as it stands there: its manifest, its code, its three lines, on the real engine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from orchestrator.image.model import BuiltImage
from tests.conftest import MakeVault
from tests.docs.pages import README, ROOT, Block, blocks

_FILE = re.compile(r"`(skills/[\w.-]+)`")


def block_after(words: str, language: str) -> Block:
    return next(block for block in blocks(README) if block.language == language and words in block.code)


def write_files(directory: Path) -> list[str]:
    """Every block whose caption names a file, written to that file."""
    written = []
    for block in blocks(README):
        if named := _FILE.search(block.caption):
            target = directory / named[1]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.code, "utf-8")
            written.append(named[1])
    return written


def test_the_example_runs(
    tmp_path: Path, make_vault: MakeVault, engine_url: str, image: BuiltImage, state_dir: Path
) -> None:
    vault = make_vault({"Inbox/a.md": "one two\n", "Inbox/b.md": "three\n", "Inbox/c.txt": "no note\n"})
    assert write_files(tmp_path) == ["skills/summarise-inbox.json", "skills/summarise_inbox.py"]
    kept = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ORCHESTRATOR_STATE_DIR": str(state_dir)}
    done = subprocess.run(
        [sys.executable, "-c", block_after("with Orchestrator(", "python").code],
        cwd=tmp_path, env={**kept, "ORCHESTRATOR_DOCKER_HOST": engine_url}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    printed = re.fullmatch(r"succeeded \{'notes': 2, 'words': 3\} (\d+)\n", done.stdout)
    assert printed is not None, done.stdout
    assert int(printed[1]) > 2**20
    assert (vault / "Summaries" / "inbox.md").read_text() == "2 notes, 3 words\n"


def test_the_example_is_the_packages_own() -> None:
    """The same lines are in the package's docstring, and in one of its skills' manifests."""
    lines = block_after("with Orchestrator(", "python").code.splitlines()
    documented = (ROOT / "orchestrator" / "__init__.py").read_text("utf-8")
    assert [line for line in lines if line not in documented] == []
    manifest = json.loads(block_after("manifest_version", "json").code)
    assert (ROOT / "orchestrator" / "examples" / "skills" / f"{manifest['name']}.json").is_file()
