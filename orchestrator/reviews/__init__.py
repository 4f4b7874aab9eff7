"""The manual queue: what waits for a person, shown, edited and decided; and, if configured, as notes in the vault.

queue.py   ``Reviews``: asking, looking, editing, deciding
notes.py   ``ReviewNotes``: an item as a note in the vault, and what keeps it from harming anybody's edits
page.py    the text of such a note. Pure
"""

from orchestrator.reviews.notes import ReviewNotes
from orchestrator.reviews.queue import Reviews

__all__ = ["ReviewNotes", "Reviews"]
