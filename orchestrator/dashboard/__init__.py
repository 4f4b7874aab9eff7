"""The dashboard: how skills, reviews, runs, alerts and the pool stand, as a part of a note in the vault.

facts.py    what it shows, as plain values
sources.py  where the values come from; a source that fails leaves a gap that says why
page.py     values to Markdown. Pure
region.py   the place between the markers, in a file that people edit as well. Pure
seal.py     the last line there: when and by whom it was written, and a checksum. Pure
note.py     ``DashboardNote``: the file, written as a transaction of the vault
displaced.py  the former file, in case somebody still writes to it
board.py    ``Dashboard``: facts, page and note together
keeper.py   ``Keeper``: looks in the background, and writes at most once per interval
"""

from orchestrator.dashboard.board import Dashboard
from orchestrator.dashboard.facts import AlertRow, Facts, PoolRow, ReviewRow, RunRow, Section, SkillRow, TroubleRow
from orchestrator.dashboard.keeper import Keeper
from orchestrator.dashboard.note import DashboardNote, Written
from orchestrator.dashboard.seal import Writer
from orchestrator.dashboard.sources import Sources, gather, sources_of

__all__ = [
    "AlertRow",
    "Dashboard",
    "DashboardNote",
    "Facts",
    "Keeper",
    "PoolRow",
    "ReviewRow",
    "RunRow",
    "Section",
    "SkillRow",
    "Sources",
    "TroubleRow",
    "Writer",
    "Written",
    "gather",
    "sources_of",
]
