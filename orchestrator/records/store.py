"""``Records``: what runs changed in vaults, reviews and snapshots. Each method is one transaction,
but for those that say otherwise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, Update, false, func, or_, select

from orchestrator.records.database import Database
from orchestrator.records.errors import RecordsError
from orchestrator.records.model import (
    Decision,
    Review,
    ReviewEdit,
    ReviewNote,
    ReviewState,
    SetState,
    Snapshot,
    SnapshotEntry,
    StoredChange,
    StoredSet,
)
from orchestrator.records.tables import (
    CHANGE_SETS,
    CHANGES,
    META,
    REVIEW_EDITS,
    REVIEW_NOTES,
    REVIEWS,
    SNAPSHOT_ENTRIES,
    SNAPSHOTS,
)
from orchestrator.upkeep import Rest, go_on

_FORGOTTEN_AT_ONCE: Final = 500  # change sets or reviews in one transaction, some 30 ms
_REST_SECONDS: Final = 0.05  # between two, for whoever waits for the lock


class Records:
    """Change sets, reviews and snapshots, in a ``Database``, which says what its errors are. What a method stored is
    on the disk when it returns; after an exception nothing of the call has been stored."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # Change sets

    def add_set(self, stored: StoredSet) -> None:
        """``RecordsError`` if the run has one already."""
        with self._database.writing() as connection:
            connection.execute(CHANGE_SETS.insert().values(_values(stored, without="changes")))
            _add_changes(connection, stored.run_id, stored.changes)

    def set_of(self, run_id: str) -> StoredSet | None:
        with self._database.reading() as connection:
            found = _sets(connection, select(CHANGE_SETS.c.run_id).where(CHANGE_SETS.c.run_id == run_id))
        return found[0] if found else None

    def mark_set(self, run_id: str, state: SetState, note: str = "") -> None:
        """Set the state, and the note unless it is "". ``RecordsError`` if the run has no set."""
        values = {"state": state, "note": note} if note else {"state": state}
        with self._database.writing() as connection:
            done = connection.execute(CHANGE_SETS.update().where(CHANGE_SETS.c.run_id == run_id).values(values))
            if not done.rowcount:
                raise RecordsError(f"{self._database.name} have no change set of run {run_id}")

    def sets(self, *, vault: str | None = None, path: str | None = None, limit: int = 100) -> list[StoredSet]:
        """Newest first. With ``path``: those with a change at or below it, or moved from there; "." is the vault.
        ``vault``: an absolute path; None: of every vault."""
        chosen = select(CHANGE_SETS.c.run_id)
        if vault is not None:
            chosen = chosen.where(CHANGE_SETS.c.vault == vault)
        if path is not None and path != ".":
            touched = or_(_at_or_below(CHANGES.c.path, path), _at_or_below(CHANGES.c.moved_from, path))
            chosen = chosen.where(CHANGE_SETS.c.run_id.in_(select(CHANGES.c.run_id).where(touched)))
        newest = chosen.order_by(CHANGE_SETS.c.created_at.desc(), CHANGE_SETS.c.run_id.desc()).limit(limit)
        with self._database.reading() as connection:
            return _sets(connection, newest)

    def prunable(self, older_than: float) -> list[StoredSet]:
        """Those made before ``older_than`` (Unix seconds), oldest first; none that is held, for somebody may still
        approve it."""
        chosen = select(CHANGE_SETS.c.run_id).where(
            CHANGE_SETS.c.created_at < older_than, CHANGE_SETS.c.state != "held"
        )
        with self._database.reading() as connection:
            return _sets(connection, chosen)[::-1]

    def referenced(self) -> set[str]:
        """Hashes of all content a snapshot, or a change set neither rejected nor expired, still refers to."""
        dropped = select(CHANGE_SETS.c.run_id).where(CHANGE_SETS.c.state.in_(("rejected", "expired")))
        kept = CHANGES.c.run_id.not_in(dropped)
        queries = (
            select(CHANGES.c.sha256).where(kept),
            select(CHANGES.c.before_sha256).where(kept),
            select(SNAPSHOT_ENTRIES.c.sha256),
        )
        with self._database.reading() as connection:
            return {sha256 for query in queries for sha256 in connection.scalars(query.distinct()) if sha256}

    def forget_set(self, run_id: str) -> None:
        """With its changes; reviews stay. Idempotent."""
        with self._database.writing() as connection:
            connection.execute(CHANGE_SETS.delete().where(CHANGE_SETS.c.run_id == run_id))

    def forget_older(self, than: float, *, rest: Rest = go_on) -> None:
        """Change sets made before ``than`` (Unix seconds), but none that is held; reviews decided before.

        Many transactions, so that nobody has to wait long for the lock. ``rest`` is called between them with the
        seconds to wait; True: the next call does what is left."""
        sets, reviews = CHANGE_SETS.c, REVIEWS.c
        old = select(sets.run_id).where(sets.created_at < than, sets.state != "held").limit(_FORGOTTEN_AT_ONCE)
        decided = select(reviews.id).where(reviews.state != "pending", reviews.decided_at < than)
        for delete in (
            CHANGE_SETS.delete().where(sets.run_id.in_(old)),
            REVIEWS.delete().where(reviews.id.in_(decided.limit(_FORGOTTEN_AT_ONCE))),
        ):
            while True:
                with self._database.writing() as connection:
                    gone = connection.execute(delete).rowcount
                if gone < _FORGOTTEN_AT_ONCE:
                    break
                if rest(_REST_SECONDS):
                    return

    def due(self, name: str, *, at: float, every_seconds: float) -> bool:
        """Whether ``name`` was not due in the time before ``at`` (Unix seconds): of several callers one gets True. A
        moment later than ``at`` that is remembered came from a wrong clock, and does not count."""
        mark = META.c.key == name
        with self._database.writing() as connection:
            last = connection.scalar(select(META.c.value).where(mark))
            if last is not None and at - every_seconds < float(last) <= at:
                return False
            connection.execute(META.delete().where(mark))
            connection.execute(META.insert().values(key=name, value=repr(at)))
            return True

    # Reviews

    def add_review(self, review: Review) -> None:
        """``RecordsError`` if there is one of that id, or its manifest is not made of JSON values."""
        values = _values(review) | {"reasons": list(review.reasons), "manifest": dict(review.manifest)}
        with self._database.writing() as connection:
            connection.execute(REVIEWS.insert().values(values))

    def review(self, id: str) -> Review | None:
        with self._database.reading() as connection:
            row = connection.execute(select(REVIEWS).where(REVIEWS.c.id == id)).one_or_none()
        return None if row is None else _review(row)

    def reviews(self, state: ReviewState | None = "pending", *, vault: str | None = None) -> list[Review]:
        """Oldest first; None: in any state, of every vault."""
        query = select(REVIEWS).order_by(REVIEWS.c.created_at, REVIEWS.c.id)
        if vault is not None:
            query = query.where(REVIEWS.c.vault == vault)
        if state is not None:
            query = query.where(REVIEWS.c.state == state)
        with self._database.reading() as connection:
            return [_review(row) for row in connection.execute(query)]

    def decide(
        self,
        id: str,
        state: Decision,
        *,
        by: str,
        comment: str = "",
        at: float,
        digest: str = "",
        set_state: SetState | None = None,
    ) -> bool:
        """Whether this call decided it: only a pending review changes, so of several callers exactly one gets True.

        ``digest``: and only if it is about that change set. ``set_state`` is what its held change set, if there is
        one, becomes in the same transaction, with ``comment`` as its note unless that is "". ``expires_at`` is not
        looked at. False also if there is no such review.
        """
        chosen = REVIEWS.update().where(REVIEWS.c.id == id, REVIEWS.c.state == "pending")
        if digest:
            chosen = chosen.where(REVIEWS.c.digest == digest)
        with self._database.writing() as connection:
            done = connection.execute(chosen.values(state=state, decided_by=by, comment=comment, decided_at=at))
            if done.rowcount == 1 and set_state is not None:
                values = {"state": set_state, "note": comment} if comment else {"state": set_state}
                connection.execute(_held_set_of(id).values(values))
            return done.rowcount == 1

    def amend(self, edit: ReviewEdit, changes: Sequence[StoredChange]) -> bool:
        """Put ``changes`` in the place of what a pending review is about, and note who did: all of that, or nothing.

        False, and nothing is changed, when the review is decided, or is not about ``edit.former_digest`` any more:
        of several callers that saw the same set exactly one gets True. ``RecordsError`` if its change set is not held.
        """
        pending = REVIEWS.update().where(
            REVIEWS.c.id == edit.review_id, REVIEWS.c.state == "pending", REVIEWS.c.digest == edit.former_digest
        )
        earlier = select(func.count()).select_from(REVIEW_EDITS).where(REVIEW_EDITS.c.review_id == edit.review_id)
        with self._database.writing() as connection:
            if not connection.execute(pending.values(digest=edit.digest)).rowcount:
                return False
            held = _held_set_of(edit.review_id).where(CHANGE_SETS.c.digest == edit.former_digest)
            if not connection.execute(held.values(digest=edit.digest)).rowcount:
                raise RecordsError(f"{self._database.name} do not hold the changes of review {edit.review_id}")
            run_id = connection.scalar(select(REVIEWS.c.run_id).where(REVIEWS.c.id == edit.review_id))
            connection.execute(CHANGES.delete().where(CHANGES.c.run_id == run_id))
            _add_changes(connection, run_id, changes)
            row = _values(edit) | {"position": connection.scalar(earlier)}
            connection.execute(REVIEW_EDITS.insert().values(row))
            return True

    def edits(self, review_id: str) -> list[ReviewEdit]:
        """Who changed what a review is about, oldest first."""
        columns = [column for column in REVIEW_EDITS.c if column.name != "position"]
        query = select(*columns).where(REVIEW_EDITS.c.review_id == review_id).order_by(REVIEW_EDITS.c.position)
        with self._database.reading() as connection:
            return [ReviewEdit(**row._asdict()) for row in connection.execute(query)]

    def put_note(self, note: ReviewNote) -> None:
        """Remember where the note about a review is and what we wrote, in the place of what was remembered."""
        with self._database.writing() as connection:
            connection.execute(REVIEW_NOTES.delete().where(REVIEW_NOTES.c.review_id == note.review_id))
            connection.execute(REVIEW_NOTES.insert().values(_values(note)))

    def note_of(self, review_id: str) -> ReviewNote | None:
        with self._database.reading() as connection:
            found = connection.execute(select(REVIEW_NOTES).where(REVIEW_NOTES.c.review_id == review_id))
            row = found.one_or_none()
        return None if row is None else ReviewNote(**row._asdict())

    # Snapshots

    def add_snapshot(self, snapshot: Snapshot) -> None:
        """``RecordsError`` if there is one of that id, or two entries have the same path."""
        values = _values(snapshot, without="entries") | {"roots": list(snapshot.roots)}
        entries = [{"snapshot_id": snapshot.id, **_values(entry)} for entry in snapshot.entries]
        with self._database.writing() as connection:
            connection.execute(SNAPSHOTS.insert().values(values))
            if entries:
                connection.execute(SNAPSHOT_ENTRIES.insert(), entries)

    def snapshots(self) -> list[Snapshot]:
        """Newest first, without their entries."""
        newest = select(SNAPSHOTS).order_by(SNAPSHOTS.c.created_at.desc(), SNAPSHOTS.c.id.desc())
        with self._database.reading() as connection:
            return [_snapshot(row) for row in connection.execute(newest)]

    def snapshot(self, id: str) -> Snapshot | None:
        columns = [column for column in SNAPSHOT_ENTRIES.c if column.name != "snapshot_id"]
        inside = select(*columns).where(SNAPSHOT_ENTRIES.c.snapshot_id == id).order_by(SNAPSHOT_ENTRIES.c.path)
        with self._database.reading() as connection:
            row = connection.execute(select(SNAPSHOTS).where(SNAPSHOTS.c.id == id)).one_or_none()
            if row is None:
                return None
            return _snapshot(row, tuple(SnapshotEntry(**entry._asdict()) for entry in connection.execute(inside)))

    def forget_snapshot(self, id: str) -> None:
        """With its entries. Idempotent."""
        with self._database.writing() as connection:
            connection.execute(SNAPSHOTS.delete().where(SNAPSHOTS.c.id == id))


def _add_changes(connection: Connection, run_id: str | None, changes: Sequence[StoredChange]) -> None:
    rows = [{"run_id": run_id, "position": position, **_values(each)} for position, each in enumerate(changes)]
    if rows:
        connection.execute(CHANGES.insert(), rows)


def _held_set_of(review_id: str) -> Update:
    """An update of the change set that a review is about, where it is held."""
    run = select(REVIEWS.c.run_id).where(REVIEWS.c.id == review_id).scalar_subquery()
    return CHANGE_SETS.update().where(CHANGE_SETS.c.run_id == run, CHANGE_SETS.c.state == "held")


def _at_or_below(column: ColumnElement[Any], path: str) -> ColumnElement[bool]:
    """A range, not LIKE: that has wildcards, and in SQLite takes "A" for "a". "0" is the character after "/"."""
    path = path.rstrip("/")
    if not path:  # names nothing inside the vault; and "" is what ``moved_from`` is for an entry that was not moved
        return false()
    return or_(column == path, (column >= f"{path}/") & (column < f"{path}0"))


def _sets(connection: Connection, chosen: Select[Any]) -> list[StoredSet]:
    """The sets whose run ids ``chosen`` selects, newest first."""
    changes: defaultdict[str, list[StoredChange]] = defaultdict(list)
    rows = connection.execute(select(CHANGES).where(CHANGES.c.run_id.in_(chosen)).order_by(CHANGES.c.position))
    for row in rows:
        values = row._asdict()
        del values["position"]
        changes[values.pop("run_id")].append(StoredChange(**values))
    newest = (CHANGE_SETS.c.created_at.desc(), CHANGE_SETS.c.run_id.desc())
    found = connection.execute(select(CHANGE_SETS).where(CHANGE_SETS.c.run_id.in_(chosen)).order_by(*newest))
    return [StoredSet(**row._asdict(), changes=tuple(changes[row.run_id])) for row in found]


def _review(row: Row[Any]) -> Review:
    values = row._asdict()
    return Review(**values | {"reasons": tuple(values["reasons"])})


def _snapshot(row: Row[Any], entries: tuple[SnapshotEntry, ...] = ()) -> Snapshot:
    values = row._asdict()
    return Snapshot(**values | {"roots": tuple(values["roots"])}, entries=entries)


def _values(
    record: StoredSet | StoredChange | Review | ReviewEdit | ReviewNote | Snapshot | SnapshotEntry, *, without: str = ""
) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in fields(record) if field.name != without}
