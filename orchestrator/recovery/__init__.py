"""What happens after a run has failed, as its manifest's ``on_error`` asks.

plan.py    what to do next with a result: again, a fallback, or nothing. Pure
again.py   the attempts, with and without a sandbox
run.py     ``recovered``: attempts, then the fallback, then whoever is to be told
"""

from orchestrator.recovery.again import Ended, NotBegun, Repeats
from orchestrator.recovery.run import Means, recovered

__all__ = ["Ended", "Means", "NotBegun", "Repeats", "recovered"]
