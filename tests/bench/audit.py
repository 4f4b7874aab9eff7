"""What the audit trail costs a run, and how fast it is verified. SQLite, synced to the temporary directory's disk."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Final

from orchestrator.audit import key, records
from orchestrator.audit.trail import AuditTrail
from orchestrator.audit.verify import verify
from orchestrator.manifest import SkillManifest
from orchestrator.policy.decision import Decision
from orchestrator.records import Database
from orchestrator.results.model import RunResult, Status
from tests.bench.figures import Row, judged, percentile

MOST_MS: Final = 1.0
LEAST_PER_SECOND: Final = 50_000
VERIFIED: Final = 50_000  # records
THREADS: Final = 8
RUNS: Final = 40  # of one round


def rows(place: Path, rounds: int, asked: tuple[SkillManifest, Decision]) -> list[Row]:
    """``place`` is an empty private directory; ``asked``: the skill and its decision, as ``check`` has it."""
    with Database(place / "records.db") as database, AuditTrail(database, place) as trail:
        alone = [_run(trail, asked, f"{turn}.{number}") for turn in range(rounds) for number in range(RUNS)]
        together = [_together(trail, asked, turn) for turn in range(max(3, rounds // 4))]
        _fill(trail)
        found = [verify(database, place / key.NAME, trail.anchors) for _ in range(5)]
    if not all(each.ok for each in found):
        raise RuntimeError("the audit trail does not verify")
    return [_cost(alone), _shared(together), _speed([each.records / each.seconds for each in found])]


def _run(trail: AuditTrail, asked: tuple[SkillManifest, Decision], run_id: str) -> float:
    """Milliseconds of both records of one run."""
    skill, decision = asked
    name = f"{skill.name}@{skill.version}"
    result = RunResult(run_id, name, "standard", Status.SUCCEEDED, "ran to its end", output={"n": 1}, stdout="x" * 200)
    began = time.perf_counter()
    trail.intent(run_id, skill, {"text": "hello", "n": 3}, decision, principal="bench", image_id="sha256:" + "1" * 64)
    trail.outcome(result)
    return (time.perf_counter() - began) * 1e3


def _together(trail: AuditTrail, asked: tuple[SkillManifest, Decision], turn: int) -> float:
    """Milliseconds a run, of all threads together."""

    def work(name: str) -> None:
        for number in range(RUNS):
            _run(trail, asked, f"{name}.{number}")

    threads = [threading.Thread(target=work, args=(f"t{turn}.{number}",)) for number in range(THREADS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (time.perf_counter() - began) * 1e3 / (THREADS * RUNS)


def _fill(trail: AuditTrail) -> None:
    """Records by the thousand in one transaction each, through the queue that threads share."""
    body = records.canonical({"filler": "x" * 700})
    for _ in range(VERIFIED // 1000):
        drafts = [records.Draft("event", body, run_id=f"{number:016x}") for number in range(1000)]
        trail.append_all(drafts)


def _cost(ms: list[float]) -> Row:
    best, median, p95 = min(ms), percentile(ms, 0.5), percentile(ms, 0.95)
    facts = {"best_ms": round(best, 3), "p50_ms": round(median, 3), "p95_ms": round(p95, 3), "runs": len(ms)}
    measured = f"best {best:.2f}, p50 {median:.2f}, p95 {p95:.2f} ms of {len(ms)} runs"
    return Row("audit trail: intent and outcome of a run", measured, f"p50 at most {MOST_MS:g} ms",
               verdict=judged(median <= MOST_MS), facts=facts)  # fmt: skip


def _shared(ms: list[float]) -> Row:
    median = percentile(ms, 0.5)
    measured = f"{median:.2f} ms a run, {1000 / median:.0f} runs a second"
    return Row(f"audit trail: {THREADS} threads share transactions", measured, facts={"ms_a_run": round(median, 3)})


def _speed(rates: list[float]) -> Row:
    best, median = max(rates), percentile(rates, 0.5)
    measured = f"best {best:,.0f}, median {median:,.0f} records a second"
    facts = {"best": round(best), "median": round(median)}
    return Row(f"audit verify of {VERIFIED:,} records", measured, f"at least {LEAST_PER_SECOND:,} a second",
               verdict=judged(median >= LEAST_PER_SECOND), facts=facts)  # fmt: skip
