"""What validation costs: of a skill that is known, and of code that was never seen."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from orchestrator import Orchestrator
from orchestrator.manifest import SkillManifest, load_manifest
from orchestrator.validation.scanner import Scanner
from tests.bench.figures import Row, judged, percentile
from tests.bench.stage import JSON_SKILL, LEVEL

BENIGN: Final = Path(__file__).resolve().parents[1] / "corpus" / "benign"
LINES: Final = 300
CALLS: Final = 200  # of one round of cached validation
CACHED_MS: Final = 0.2
FIRST_MS: Final = 25.0


def ordinary_code(lines: int = LINES) -> str:
    """Whole skills of the corpus of ordinary ones, one after the other, and comments up to ``lines``."""
    found: list[str] = []
    for path in sorted(BENIGN.glob("*.py")):
        text = path.read_text().splitlines()
        if "from __future__" not in path.read_text() and len(found) + len(text) <= lines:
            found += text
    return "\n".join([*found, *["#"] * (lines - len(found))]) + "\n"


def rows(orchestrator: Orchestrator, place: Path, rounds: int) -> list[Row]:
    """``place`` is an empty directory for the cache. The minimum is what the code costs; the rest is the machine's."""
    cached = [_cached(orchestrator) for _ in range(rounds)]
    first = _first(place, rounds)
    return [
        _row(f"cached validation, mean of {CALLS} calls", cached, CACHED_MS),
        _row(f"first scan of {LINES} ordinary lines, warm process", first, FIRST_MS),
    ]


def _row(name: str, ms: list[float], most: float) -> Row:
    best, median = min(ms), percentile(ms, 0.5)
    facts = {"best_ms": round(best, 3), "p50_ms": round(median, 3), "p95_ms": round(percentile(ms, 0.95), 3)}
    measured = f"best {best:.2f}, p50 {median:.2f} ms of {len(ms)} rounds"
    return Row(name, measured, f"best at most {most:g} ms", verdict=judged(best <= most), facts=facts)


def _cached(orchestrator: Orchestrator) -> float:
    """From the manifest as a dict to the decision: everything before a sandbox is taken, but for the inputs."""
    if not orchestrator.check(JSON_SKILL)[1].allowed:
        raise RuntimeError("the skill is denied")
    began = time.perf_counter()
    for _ in range(CALLS):
        orchestrator.check(JSON_SKILL)
    return (time.perf_counter() - began) * 1e3 / CALLS


def _first(place: Path, rounds: int) -> list[float]:
    """To the kept inspection: process, both caches."""
    code, found = ordinary_code(), []
    with Scanner(place) as scanner:
        for number in range(-1, rounds):  # the first one waits for the process to start
            skill = _skill(f"{code}# {number}\n")
            began = time.perf_counter()
            if not scanner.inspect(skill).finished:
                raise RuntimeError("the scan did not finish")
            found.append((time.perf_counter() - began) * 1e3)
    return found[1:]


def _skill(code: str) -> SkillManifest:
    return load_manifest({**JSON_SKILL, "security_level": LEVEL, "code": code, "entrypoint": None})
