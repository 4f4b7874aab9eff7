"""What the audit trail costs a run, and how fast it is verified. SQLite, synced to the temporary directory's disk."""

from __future__ import annotations

import hashlib
import itertools
import threading
import time
from dataclasses import replace
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
INPUTS: Final = {"text": "hello", "n": 3}
IMAGE: Final = "sha256:" + "1" * 64
SKILLS: Final = 100  # with a code of its own each


def rows(place: Path, rounds: int, asked: tuple[SkillManifest, Decision]) -> list[Row]:
    """``place`` is an empty private directory; ``asked``: the skill and its decision, as ``check`` has it."""
    with Database(place / "records.db") as database, AuditTrail(database, place) as trail:
        alone = [_run(trail, asked, f"{turn}.{number}") for turn in range(rounds) for number in range(RUNS)]
        together = [_together(trail, asked, turn) for turn in range(max(3, rounds // 4))]
        _fill(trail, asked)
        found = [verify(database, place / key.NAME, trail.anchors) for _ in range(5)]
    if not all(each.ok for each in found):
        raise RuntimeError("the audit trail does not verify")
    return [_cost(alone), _shared(together), _speed([each.records / each.seconds for each in found])]


def _run(trail: AuditTrail, asked: tuple[SkillManifest, Decision], run_id: str) -> float:
    """Milliseconds of both records of one run."""
    skill, decision = asked
    name = f"{skill.name}@{skill.version}"
    result = _result(run_id, name)
    began = time.perf_counter()
    trail.intent(run_id, skill, INPUTS, decision, principal="bench", image_id=IMAGE)
    trail.outcome(result)
    return (time.perf_counter() - began) * 1e3


def _result(run_id: str, skill: str) -> RunResult:
    return RunResult(run_id, skill, "standard", Status.SUCCEEDED, "ran to its end", output={"n": 1}, stdout="x" * 200)


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


def _fill(trail: AuditTrail, asked: tuple[SkillManifest, Decision]) -> None:
    """Intents and outcomes as runs leave them, with what they name, a thousand in one transaction."""
    runs = itertools.count()
    for number in range(SKILLS):
        code = f"{asked[0].code}\n# {number}\n"
        skill = replace(asked[0], code=code, code_digest=hashlib.sha256(code.encode()).hexdigest())
        kept = records.Kept(
            records.code_blob(skill.code, trail.texts), records.manifest_blob(skill, trail.texts), trail.rules
        )
        claim = records.Asked("bench", image_id=IMAGE, instance="0" * 16)
        intent = records.intent("", skill, INPUTS, asked[1], asked=claim, kept=kept, texts=trail.texts)
        outcome = records.outcome(_result("", f"{skill.name}@{skill.version}"), trail.texts)
        ids = [f"{next(runs):016x}" for _ in range(VERIFIED // SKILLS // 2)]
        trail.append_all([replace(each, run_id=run_id) for run_id in ids for each in (intent, outcome)])


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
