"""``ReviewNotes``: review items as notes in the vault, where people look.

A note tells of an item; deciding goes through the queue, whatever somebody writes into the note. What a person did to
a note is never undone: it is rewritten only while it is, byte for byte, what we wrote last. Each writing is a
transaction of the vault like a run's, so it is atomic, on disk, and led nowhere by links. Nothing in here makes a run
or a decision fail: what goes wrong is logged.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from loguru import logger

from orchestrator.errors import OrchestratorError
from orchestrator.records import Review, ReviewNote
from orchestrator.reviews.page import page
from orchestrator.vault.changes import Change
from orchestrator.vault.commit import commit
from orchestrator.vault.history import History
from orchestrator.vault.holding import NOTE_MARK
from orchestrator.vault.restage import Wanted
from orchestrator.vault.rules import ChangesRefused
from orchestrator.vault.scope import parts

_NAME_CHARACTERS = 60  # of the skill's name in a note's


class ReviewNotes:
    """Of one vault. With ``folder`` "" no notes are made, but those that were are kept up to date."""

    def __init__(self, history: History, folder: str = "") -> None:
        """``folder``: a directory as seen from the vault, made when it is needed."""
        self._history = history
        self._folder = "/".join(parts(folder))

    def add(self, review: Review) -> None:
        """Make the note of a new item, if notes are made."""
        if not self._folder:
            return
        with _logged(review.id):
            note = ReviewNote(review.id, f"{self._folder}/{_name(review)}", self._digest(self._text(review)))
            self._history.records.put_note(note)  # first: a note that nobody remembers would wait for ever
            self._write(note, self._text(review), expected=None)

    def update(self, review_id: str) -> None:
        """Make an item's note, if it has one, say what is so now. What a person changed or removed is left alone."""
        with _logged(review_id):
            records = self._history.records
            note, review = records.note_of(review_id), records.review(review_id)
            if note is None or review is None:
                return
            text = self._text(review)
            digest = self._digest(text)
            if digest == note.sha256:
                return
            self._write(note, text, expected=note.sha256)
            records.put_note(ReviewNote(review_id, note.path, digest))

    def _text(self, review: Review) -> bytes:
        stored = self._history.records.set_of(review.run_id) if review.kind == "changes" else None
        diff = self._history.diff_of(stored) if stored is not None and stored.state == "held" else ""
        return page(review, stored, diff).encode("utf-8", "backslashreplace")

    @staticmethod
    def _digest(text: bytes) -> str:
        return hashlib.sha256(text).hexdigest()

    def _write(self, note: ReviewNote, text: bytes, *, expected: str | None) -> None:
        write_note(self._history, note.path, text, expected=expected)


def write_note(history: History, path: str, text: bytes, *, expected: str | None) -> None:
    """Put ``text`` at ``path`` in the vault, as a transaction; directories are made. Raises ``ChangesRefused`` when
    there is not what is ``expected`` (hex SHA-256; None: nothing)."""
    history.finished()  # a transaction that cannot be finished holds the vault
    sha256, size = history.objects.add_bytes(text)
    wanted = [Wanted(Change("created" if expected is None else "modified", path, size, sha256), expected)]
    if expected is None:
        above = path.split("/")[:-1]
        folders = ["/".join(above[: depth + 1]) for depth in range(len(above))]
        wanted += [Wanted(Change("created", each, directory=True), None) for each in folders]
    with history.staged(wanted) as changes:
        commit(history.vault, changes)


@contextmanager
def _logged(review_id: str) -> Iterator[None]:
    try:
        yield
    except ChangesRefused as refused:
        logger.info("the note about review {} is left as it is: {}", review_id, refused)
    except (OrchestratorError, OSError, ValueError) as error:
        logger.warning("the note about review {} could not be written: {}", review_id, error)


def _name(review: Review) -> str:
    """By date, skill and id. A manifest's name is a safe file name; this holds for any."""
    skill = re.sub(r"[^A-Za-z0-9_-]+", "-", str(review.manifest.get("name", "")))[:_NAME_CHARACTERS].strip("-")
    day = datetime.fromtimestamp(review.created_at, UTC).strftime("%Y-%m-%d")
    return f"{day} {skill or 'skill'} {NOTE_MARK}{review.id}.md"
