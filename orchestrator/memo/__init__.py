"""Recorded results of skills that declare themselves pure: asked for again, they need no sandbox.

key.py     which result it would be: a keyed digest over all that it may depend on
state.py   the granted part of the vault as a digest of stamps, or the word that it cannot be told
store.py   private files: bounded, sealed, gone when too old
memo.py    ``Memo``: look before a run, keep after it
"""

from orchestrator.memo.memo import Hit, Looked, Memo

__all__ = ["Hit", "Looked", "Memo"]
