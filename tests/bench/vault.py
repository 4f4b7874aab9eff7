"""What the vault's transactions cost: one note written in a large vault, and many notes committed at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from orchestrator import Orchestrator
from tests.bench.figures import Row, judged, median_ratio, ratio_row, spread
from tests.bench.stage import OWNER, SKILL, Stage, at_rest

LARGE: Final = 20_000  # notes
SMALL: Final = 1_000
NOTE_BYTES: Final = 4096
PER_DIRECTORY: Final = 500
COMMITTED: Final = 100  # notes of one commit
_GRANTS: Final = {"read": ["Notes"], "write": ["Notes/0"]}
NONE: Final[Mapping[str, Any]] = {**SKILL, "name": "writes-none", "vault": _GRANTS}
ONE: Final[Mapping[str, Any]] = {
    **NONE,
    "name": "writes-one",
    "code": "import time\n"
    "def main(number):\n"
    "    with open('/vault/Notes/0/note-7.md', 'w') as note:\n"
    f"        note.write(f'{{time.time()}} '.ljust({NOTE_BYTES}, '.'))\n"
    "    return {'number': number}\n",
}
MANY: Final[Mapping[str, Any]] = {
    **NONE,
    "name": "writes-many",
    "code": "import time\n"
    "def main(number):\n"
    f"    for index in range({COMMITTED}):\n"
    "        with open(f'/vault/Notes/0/note-{index}.md', 'w') as note:\n"
    f"            note.write(f'{{time.time()}} {{index}} '.ljust({NOTE_BYTES}, '.'))\n"
    "    return {'number': number}\n",
}


def make_notes(root: Path, count: int) -> Path:
    """A vault of ``count`` notes of 4 KB, in directories of 500."""
    for start in range(0, count, PER_DIRECTORY):
        directory = root / "Notes" / str(start // PER_DIRECTORY)
        directory.mkdir(parents=True)
        for index in range(PER_DIRECTORY):
            (directory / f"note-{index}.md").write_bytes(b"%d " % (start + index) + b"x" * (NOTE_BYTES - 8))
    if os.geteuid() == 0:
        for entry in (root, *root.rglob("*")):
            os.chown(entry, OWNER, OWNER)
    os.sync()
    return root


def rows(found: Stage, place: Path, rounds: int) -> list[Row]:
    """One of each a round: none and one in the large vault, one in the small one; many, and ``cp`` with ``sync``."""
    seconds: dict[str, list[float]] = {name: [] for name in ("none", "one", "small", "commit", "cp")}
    with ExitStack() as stack:
        large, small = (stack.enter_context(_orchestrator(found, place, count)) for count in (LARGE, SMALL))
        for number in range(-2, rounds):
            if number == 0:
                seconds = {name: [] for name in seconds}
            seconds["none"].append(_timed(large, NONE))
            seconds["one"].append(_timed(large, ONE))
            seconds["small"].append(_timed(small, ONE))
            seconds["commit"].append(_commit(large))
            seconds["cp"].append(_copied(place / str(LARGE) / "Notes/0", place / "copied"))
    grows = median_ratio(seconds["one"], seconds["small"])
    text = f"{spread(seconds['one'])['p50']:.1f} against {spread(seconds['small'])['p50']:.1f} ms"
    return [
        ratio_row(f"one note written / none, {LARGE} notes", seconds["one"], seconds["none"], 1.5),
        Row(f"one note written, {LARGE} / {SMALL} notes", text, "ratio at most 1.3", grows, judged(grows <= 1.3)),
        ratio_row(f"commit of {COMMITTED} notes / cp + sync", seconds["commit"], seconds["cp"], 4.0),
    ]


def _orchestrator(found: Stage, place: Path, count: int) -> Orchestrator:
    vault = make_notes(place / str(count), count)
    return replace(found, settings=found.settings.model_copy(update={"vault": vault})).orchestrator(2)


def _timed(orchestrator: Orchestrator, skill: Mapping[str, Any]) -> float:
    at_rest(orchestrator)
    began = time.perf_counter()
    result = orchestrator.run(skill, {"number": 7})
    seconds = time.perf_counter() - began
    if not result.ok or not result.warm:
        raise RuntimeError(f"the skill did not run warm: {result.status}: {result.reason}")
    return seconds


def _commit(orchestrator: Orchestrator) -> float:
    """The commit stage alone: collecting, checking, journal, renames, records, kept content."""
    at_rest(orchestrator)
    result = orchestrator.run(MANY, {"number": 7})
    if not result.ok or len(result.changes) != COMMITTED:
        raise RuntimeError(f"the skill did not write: {result.status}: {result.reason}")
    return result.timings.commit


def _copied(source: Path, target: Path) -> float:
    """``cp`` of as many notes, and ``sync``."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    files = [str(source / f"note-{index}.md") for index in range(COMMITTED)]
    began = time.perf_counter()
    subprocess.run(["cp", *files, str(target)], check=True)
    os.sync()
    return time.perf_counter() - began
