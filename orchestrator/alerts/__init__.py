"""Telling the operator: of runs that failed and asked for it, and of what is wrong with the installation.

model.py      ``Alert``, and the document that leaves this process
inbox.py      alerts that nobody looked at yet
admission.py  which alerts are sent: alike ones once in a while, and so many an hour
journal.py    by what all processes sent, in the records; ``recent`` reads it. clerk.py: its work, in a thread
throttle.py   by what this process sent, while the database is away
outbox.py     one channel's queue and thread
channels.py   webhook (bounded.py), command, apprise; note.py: a note in the vault
alerts.py     ``Alerts``: all of it together
"""

from orchestrator.alerts.alerts import Alerts
from orchestrator.alerts.model import Alert

__all__ = ["Alert", "Alerts"]
