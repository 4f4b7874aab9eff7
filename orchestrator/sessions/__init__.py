"""Several runs on one budget, which outlives the process.

rules.py    the rules SES...
model.py    budget, what was spent, a session's state: plain values
sharing.py  what the next run may have, and what one has cost (pure)
store.py    ``Sessions``: all of that in the records
session.py  ``Session`` and ``Place``, which a run has while it lasts
"""

from orchestrator.sessions.model import Budget, SessionState, Spent
from orchestrator.sessions.session import Place, Session
from orchestrator.sessions.store import Owner, Sessions

__all__ = ["Budget", "Owner", "Place", "Session", "SessionState", "Sessions", "Spent"]
