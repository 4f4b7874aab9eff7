"""What compiling a skill costs of a warm run: whether compiled code should be kept for the next one (ADR 0018).

    python -m tests.bench.compiling [ROUNDS]

Runs of one skill, which differ in how many ordinary lines stand beside its ``main``, compiled but never executed,
in turns on one warm pool. What a run with lines takes more than one without is all that compiling, sending and keeping
the text costs; kept code could save no more, and would still have to be sent and unmarshalled, which is measured beside
it.
"""

from __future__ import annotations

import marshal
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from orchestrator import Orchestrator, logs
from tests.bench.figures import Row, judged, percentile
from tests.bench.stage import SKILL, at_rest, run_once, stage
from tests.bench.validation import BENIGN

LINES: Final = (0, 20, 50, 150, 300)
USUAL: Final = 20  # near the corpus's median
WORTH_IT: Final = 0.1  # of a warm run


def skill_of(lines: int) -> dict[str, Any]:
    """The bench's skill and ``lines`` of the corpus: compiled, and not executed, as the condition is never true."""
    return {**SKILL, "code": code_of(lines)}


def code_of(lines: int) -> str:
    body = "".join(f"    {line}\n" if line.strip() else "\n" for line in _whole(lines))
    unused = f"\n\nif main is None:\n    pass\n{body}" if lines else ""
    return str(SKILL["code"]) + unused


def _whole(lines: int) -> list[str]:
    """Whole skills of the corpus of ordinary ones, up to ``lines``; none that has to stand alone."""
    found: list[str] = []
    for path in sorted(BENIGN.glob("*.py")):
        text = path.read_text()
        more = text.splitlines()
        if (
            not any(word in text for word in ("__future__", "import *", "vars(", "async", '"""'))
            and len(found) + len(more) <= lines
        ):
            found += more
    return found


def in_turns(orchestrator: Orchestrator, rounds: int) -> dict[int, list[float]]:
    """Milliseconds of warm runs by lines."""
    skills = {lines: skill_of(lines) for lines in LINES}
    found: dict[int, list[float]] = {lines: [] for lines in LINES}
    for number in range(-2, rounds):
        for lines, skill in skills.items():
            at_rest(orchestrator)
            began = time.perf_counter()
            run_once(orchestrator, skill)
            if number >= 0:
                found[lines].append((time.perf_counter() - began) * 1e3)
    return found


def row(orchestrator: Orchestrator, rounds: int) -> Row:
    """For `make bench`: the share of a warm run at the corpus's usual size, and at sizes beyond it."""
    measured = in_turns(orchestrator, rounds)
    shares = {lines: _more(measured, lines) / percentile(measured[lines], 0.5) for lines in LINES[1:]}
    usual = shares[USUAL]
    shown = ", ".join(f"{lines}: {share:.0%}" for lines, share in shares.items())
    return Row(
        "compiling in a warm run, by lines", shown, f"at {USUAL} lines less than {WORTH_IT:.0%}",
        verdict=judged(usual < WORTH_IT), facts={str(lines): round(share, 3) for lines, share in shares.items()},
    )  # fmt: skip


def _more(measured: dict[int, list[float]], lines: int) -> float:
    """Milliseconds that a run takes more for that many lines."""
    return percentile([one - other for one, other in zip(measured[lines], measured[0], strict=True)], 0.5)


def best(action: Callable[[], object], times: int = 200) -> float:
    """Milliseconds of the fastest: what the code costs, without the machine."""
    fastest = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        action()
        fastest = min(fastest, time.perf_counter() - began)
    return fastest * 1e3


def alone(lines: int) -> tuple[float, float]:
    """Compiling, and reading compiled code back, here: no sandbox, caches warm."""
    text = code_of(lines)
    kept = marshal.dumps(compile(text, "skill.py", "exec", dont_inherit=True))
    return best(lambda: compile(text, "skill.py", "exec", dont_inherit=True)), best(lambda: marshal.loads(kept))


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    logs.configure("silent")
    sizes = sorted(len(path.read_text().splitlines()) for path in BENIGN.glob("*.py"))
    print(f"{len(sizes)} ordinary skills: {sizes[len(sizes) // 2]} lines (median), {sizes[-1]} (largest)\n")
    with stage() as found, found.orchestrator(3) as orchestrator:
        measured = in_turns(orchestrator, rounds)
    print("| lines | warm run p50 | more than without lines | of a run | compile alone | unmarshal |")
    print("|---|---|---|---|---|---|")
    for lines, ms in measured.items():
        more = _more(measured, lines)
        whole, (compiling, reading) = percentile(ms, 0.5), alone(lines)
        figures = f"{whole:.2f} ms | {more:.2f} ms | {more / whole:.0%} | {compiling:.2f} ms | {reading:.2f} ms"
        print(f"| {lines} | {figures} |")
    print(f"\nworth keeping from {WORTH_IT:.0%} of a run at the usual size on")


if __name__ == "__main__":
    main()
