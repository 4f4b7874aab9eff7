"""Runs 8 threads that record runs and say so on standard output, until somebody kills this process.

python -m tests.audit.killed_child WHERE HOME ROUND
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from orchestrator.audit.trail import AuditTrail
from orchestrator.records import Database
from tests.audit.conftest import allowed, result_of, skill_of
from tests.records.conftest import from_argument

THREADS = 8


def say(word: str, run_id: str) -> None:
    os.write(1, f"{word} {run_id}\n".encode())  # one write: lines of threads do not mix


def work(trail: AuditTrail, name: str) -> None:
    number = 0
    while True:
        run_id = f"{name}.{number}"
        trail.intent(run_id, skill_of(), {"x": number}, allowed(), principal="anna", image_id="sha256:1")
        say("started", run_id)
        trail.outcome(result_of(run_id))
        say("ended", run_id)
        number += 1


def main() -> None:
    where, home, turn = sys.argv[1:]
    trail = AuditTrail(Database(from_argument(where)), Path(home))
    threads = [threading.Thread(target=work, args=(trail, f"{turn}.{number}")) for number in range(THREADS)]
    for thread in threads:
        thread.start()


if __name__ == "__main__":
    main()
