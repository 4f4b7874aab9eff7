"""Telling the operator: of runs that failed and asked for it, and of what is wrong with the installation.

model.py     ``Alert``, and the document that leaves this process
throttle.py  which alerts are sent: alike ones once in a while, and so many an hour
outbox.py    one channel's queue and thread
channels.py  webhook, command, apprise; note.py: a note in the vault
alerts.py    ``Alerts``: all of it together
"""

from orchestrator.alerts.alerts import Alerts
from orchestrator.alerts.model import Alert

__all__ = ["Alert", "Alerts"]
