"""A small process that outlives a killed orchestrator by a moment and removes what it left.

A running sandbox needs no help: its supervisor sees stdin end and exits. But a container that was created and not yet
started when the orchestrator was killed would stay for ever. The janitor holds a pipe from its parent; ``b"."`` on it
means a clean end, its plain closing means death: then containers of that instance are removed, repeatedly for a
moment, since a create may still be under way in the engine, and slots are swept.

Run by path with ``-S -E`` and nothing imported but this file until the parent is dead: it costs a few MB.
"""

from __future__ import annotations

import os
import sys
import time

QUIET_SECONDS = 1.0  # nothing found for this long: a create in flight would have shown by now
LONGEST_SECONDS = 30.0


def clean_up(url: str, state_dir: str, instance_id: str) -> None:
    from pathlib import Path  # noqa: PLC0415 - imported only now: an idle janitor stays small

    from orchestrator.errors import OrchestratorError  # noqa: PLC0415
    from orchestrator.sandbox.docker_engine import DockerEngine  # noqa: PLC0415
    from orchestrator.sandbox.sweep import remove_owned  # noqa: PLC0415
    from orchestrator.vault.slots import sweep as sweep_slots  # noqa: PLC0415

    engine = DockerEngine(url)
    began = last_found = time.monotonic()
    while time.monotonic() - last_found < QUIET_SECONDS and time.monotonic() - began < LONGEST_SECONDS:
        try:
            if remove_owned(engine, instance_id):
                last_found = time.monotonic()
        except OrchestratorError:
            last_found = time.monotonic()  # the engine is away: try until LONGEST_SECONDS
        time.sleep(0.1)
    sweep_slots(Path(state_dir), lambda other: other != instance_id)
    (Path(state_dir) / "instances" / instance_id).unlink(missing_ok=True)


def main() -> None:
    url, state_dir, instance_id, *search_path = sys.argv[1:]
    if os.read(0, 1) == b"":
        sys.path[:] = search_path
        clean_up(url, state_dir, instance_id)


if __name__ == "__main__":
    main()
