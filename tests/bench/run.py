"""`make bench`: the figures that README and docs/performance.md quote, from one process.

    python -m tests.bench.run [--quick] [--json FILE]

What is compared is measured in turns within one process (ours, theirs, ours, theirs ...), and the median of the
per-round ratios is reported: whatever else the machine does hits both sides. It is no test: a missed target is shown
and the exit code is 0; only an error gives another one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator import logs
from orchestrator.errors import OrchestratorError
from tests.bench import audit, compiling, endurance, latency, machine, throughput, validation, vault
from tests.bench.docker_run import DockerRun
from tests.bench.figures import Row, document, table
from tests.bench.stage import JSON_SKILL, LEVEL, Stage, spec_of, stage
from tests.bench.throughput import Windows


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    rounds: int
    steady_runs: int
    in_a_row: int
    windows: Windows


FULL = Effort(40, 150, 500, Windows(lead=0.7, sweep=3.0, final=5.0, turns=5))
QUICK = Effort(8, 30, 60, Windows(lead=0.4, sweep=1.0, final=2.0, turns=1))
POOL = 3


@dataclass(frozen=True)
class Measured:
    rows: list[Row]
    stages: str
    facts: dict[str, Any]


def measure(found: Stage, effort: Effort) -> Measured:
    """Everything, in an order in which nothing disturbs what follows."""
    python = machine.bare_python()
    facts = {**machine.facts(found.engine), "image": found.image_id, "bare_python": python}
    with found.orchestrator(POOL) as warm, found.orchestrator(0) as cold:
        spec = spec_of(warm)
        facts["vault_view"], facts["warm_target"] = spec.vault_view, POOL
        docker = DockerRun(found.engine.url, spec, found.state_dir)
        say("one by one")
        rounds = latency.interleaved(warm, cold, docker, python, effort.rounds)
        rows = [*latency.rows(rounds), endurance.idle_memory(found, warm)]
        stages = latency.stage_table(rounds.warm_results, rounds.cold_results)
        say("validation")
        with tempfile.TemporaryDirectory(prefix="bench-scans-") as name:
            rows += validation.rows(warm, Path(name), effort.rounds)
        say("audit trail")
        with tempfile.TemporaryDirectory(prefix="bench-audit-") as name:
            rows += audit.rows(Path(name), effort.rounds, warm.check(JSON_SKILL))
        say("compiling")
        rows.append(compiling.row(warm, max(8, effort.rounds // 2)))
        say("sustained rate")
        sustained = throughput.sustained(warm, docker, effort.windows)
        say("steady rate and bursts")
        pool = max(throughput.POOLS)
        warm.resize(LEVEL, pool)
        rate = sustained.ours * latency.RATE_SHARE
        rows += [*sustained.rows, latency.steady(warm, rate, effort.steady_runs, pool), endurance.burst(warm, pool)]
        say(f"{effort.in_a_row} in a row")
        rows.append(endurance.endurance(found, warm, effort.in_a_row))
    say("large vaults")
    with tempfile.TemporaryDirectory(prefix="bench-vault-") as name:
        place = Path(name)
        place.chmod(0o755)
        rows += vault.rows(found, place, max(8, effort.rounds // 2))
    return Measured(rows, stages, {**facts, "load_at_end": machine.load()})


def say(what: str) -> None:
    sys.stderr.write(f"bench: {what} ...\n")


def show(heading: str, facts: dict[str, Any], *parts: str) -> None:
    described = "\n".join(f"{name}: {value}" for name, value in facts.items())
    print(f"{heading}\n\n{described}", *parts, sep="\n\n")


def options(description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a fifth of the measuring: for a first look")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    return parser.parse_args()


def main() -> None:
    chosen = options("Measure warm, cold and sustained runs against docker run and a bare python -c.")
    logs.configure("silent")
    began = time.monotonic()
    try:
        with stage() as found:
            measured = measure(found, QUICK if chosen.quick else FULL)
    except (OrchestratorError, RuntimeError) as error:
        raise SystemExit(f"bench: {error}") from error
    facts = {**measured.facts, "seconds": round(time.monotonic() - began)}
    show("# make bench", facts, table(measured.rows), measured.stages)
    if chosen.json:
        chosen.json.write_text(json.dumps(document(measured.rows, machine=facts), indent=2) + "\n")


if __name__ == "__main__":
    main()
