"""``orchestrator run`` with a channel for alerts that takes its time: on the real engine, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from orchestrator.image.model import BuiltImage

PATIENCE = 60.0


def test_the_result_is_shown_before_alerts_are_waited_for(
    engine_url: str, state_dir: Path, image: BuiltImage, tmp_path: Path
) -> None:
    """The alert's command waits for the test, which has the result by then."""
    own, fifo, done = tmp_path / "state", tmp_path / "fifo", tmp_path / "done"
    own.mkdir(mode=0o700)
    (own / "image.json").write_bytes((state_dir / "image.json").read_bytes())
    os.mkfifo(fifo)
    skill = {"manifest_version": 1, "name": "a", "version": "1.0.0", "code": "def main():\n    1 / 0\n"}
    (tmp_path / "skill.json").write_text(json.dumps({**skill, "on_error": "alert"}))
    environment = {
        "DOCKER_HOST": engine_url,
        "ORCHESTRATOR_STATE_DIR": str(own),
        "ORCHESTRATOR_ALERT_COMMAND": json.dumps(["/bin/sh", "-c", f"read line < {fifo} && echo $line > {done}"]),
    }
    gate = os.open(fifo, os.O_RDWR)  # neither end waits for the other
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "orchestrator.cli", "run", str(tmp_path / "skill.json"), "-o", "json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment},
        ) as process:  # fmt: skip
            assert process.stdout is not None
            lines = [process.stdout.readline()]
            while lines[-1] not in ("}\n", ""):
                lines.append(process.stdout.readline())
            os.write(gate, b"seen\n")
            out, err = process.communicate(timeout=PATIENCE)
    finally:
        os.close(gate)
    assert (process.returncode, out, err) == (1, "", "")
    assert json.loads("".join(lines))["status"] == "failed"
    assert done.read_text() == "seen\n"
