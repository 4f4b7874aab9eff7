"""`make bench-peers`: the same payload, one run at a time, here and under peers of this project.

    python -m tests.bench.peers [--quick] [--json FILE]

Each round has one run of each, so that noise hits all alike; ratios are medians over the rounds. What a peer does not
enforce stands beside its figure, and one that cannot be had here is named with the reason.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from orchestrator import Orchestrator, logs
from orchestrator.errors import OrchestratorError
from tests.bench import machine, rivals
from tests.bench.docker_run import DockerRun
from tests.bench.figures import Row, document, median_ratio, shown, spread, table
from tests.bench.rivals import Absent, Command, LlmSandbox, Rival
from tests.bench.run import options, say, show
from tests.bench.stage import JSON_SKILL, Stage, at_rest, run_once, spec_of, stage

ROUNDS, QUICK_ROUNDS = 30, 8
POOL = 3


def gather(found: Stage, warm: Orchestrator, place: Path, stack: ExitStack) -> tuple[list[Rival], list[Row]]:
    """The rivals that can be had, and a row for each that cannot."""
    spec, host = spec_of(warm), found.engine.url
    python = machine.bare_python()
    docker = DockerRun(host, spec, found.state_dir)
    rootfs = rivals.export(host, found.image_id, place / "rootfs")
    present: list[Rival] = [
        Command("docker run --rm", "the same restrictions and image; no pool", docker.command("-c", rivals.PAYLOAD)),
        Command(f"{python}, bare", "no sandbox at all", [python, "-c", rivals.PAYLOAD]),
    ]
    offers: dict[str, Callable[[], Rival]] = {
        "bubblewrap": lambda: rivals.bubblewrap(rootfs, spec),
        "bare runc": lambda: rivals.runc(rootfs, spec, place),
        LlmSandbox.name: lambda: stack.enter_context(
            LlmSandbox.pool(host, rivals.export(host, found.image_id, place / "files"), spec, found.settings.cache_dir)
        ),
    }
    absent: list[Row] = []
    for name, offer in offers.items():
        try:
            rival = offer()
            rival.once()
            present.append(rival)
        except (Absent, OSError, subprocess.SubprocessError) as error:
            absent.append(Row(name, "not measured", str(error)))
    return present, absent


def measure(found: Stage, rounds: int) -> tuple[list[Row], dict[str, Any]]:
    with found.orchestrator(POOL) as warm, tempfile.TemporaryDirectory(prefix="peers-") as name, ExitStack() as stack:
        Path(name).chmod(0o755)  # bubblewrap's user has to reach its root
        present, absent = gather(found, warm, Path(name), stack)
        say(f"{rounds} rounds of {len(present) + 1}")
        ours: list[float] = []
        theirs: dict[str, list[float]] = {rival.name: [] for rival in present}
        for _ in range(rounds):
            at_rest(warm)
            ours.append(_seconds(warm))
            for rival in present:
                at_rest(warm)
                theirs[rival.name].append(rival.once())
        rows = [
            Row("this project, warm", shown(ours), "a container of its own, used once", 1.0, facts=dict(spread(ours)))
        ]
        for rival in present:
            seconds = theirs[rival.name]
            ratio = median_ratio(seconds, ours)
            rows.append(Row(rival.name, shown(seconds), rival.remark, ratio, facts=dict(spread(seconds))))
        return [*rows, *absent], {**machine.facts(found.engine), "image": found.image_id, "rounds": rounds}


def _seconds(warm: Orchestrator) -> float:
    began = time.perf_counter()
    run_once(warm, JSON_SKILL)
    return time.perf_counter() - began


def main() -> None:
    chosen = options("Measure one run here and under llm-sandbox, bubblewrap and runc.")
    logs.configure("silent")
    try:
        with stage() as found:
            rows, facts = measure(found, QUICK_ROUNDS if chosen.quick else ROUNDS)
    except (OrchestratorError, RuntimeError) as error:
        raise SystemExit(f"bench-peers: {error}") from error
    titles = ("peer", "p50 / p95 / p99", "what it is", "times ours", "")
    show("# make bench-peers", facts, table(rows, titles))
    if chosen.json:
        chosen.json.write_text(json.dumps(document(rows, machine=facts), indent=2) + "\n")


if __name__ == "__main__":
    main()
