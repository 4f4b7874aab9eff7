"""How a trail begins: with a key, a sealed head before the first record, and an anchor of that.

So a trail with a key but without a head is no new one: somebody emptied it, or the whole database was replaced.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from orchestrator.audit import key as keys
from orchestrator.audit import records
from orchestrator.audit.anchors import AnchorFile
from orchestrator.audit.key import Keyring
from orchestrator.audit.ledger import Addition, begin, head_of, is_begun, records_in
from orchestrator.audit.sanitised import Sanitiser
from orchestrator.outputs.secrets import Detector
from orchestrator.records import Database
from orchestrator.records.errors import RecordsError

BEGUN_ANEW: Final = "audit.begun_anew"
_GO_ON: Final = (
    "if nobody did that on purpose, restore a backup; otherwise `orchestrator audit begin` begins a new trail, "
    "which says so"
)


def opened_keys(database: Database, key_path: Path, anchors: AnchorFile) -> Keyring:
    """The keys of the trail in ``database``, which is begun if there is none yet. Several callers at once get the same.

    ``RecordsError``: the key of a trail is missing, for a lost one is not replaced in silence; or the trail of a key
    is.
    """
    if keys.exists(key_path) and _is_begun(database):
        return keys.load(key_path)
    with keys.locked(key_path):
        if keys.exists(key_path):
            found = keys.load(key_path)
            if not _is_begun(database):
                message = f"the audit trail was emptied: its key {key_path} is there, but no record and no head"
                raise RecordsError(message, hint=_GO_ON)
            return found
        if _is_begun(database) and not keys.is_half_made(key_path):
            return keys.load(key_path)  # says that it is missing
        return keys.make(key_path, partial(_begin, database, anchors))


def _is_begun(database: Database) -> bool:
    with database.reading() as connection:
        return is_begun(connection)


def _begin(database: Database, anchors: AnchorFile, ring: Keyring) -> None:
    with database.writing() as connection:
        found = head_of(connection)
        if found is not None:
            key = ring.need(found[0].key_id)  # of ours, which a crash kept from going on; or of somebody who was faster
            head = found[0]
        elif records_in(connection):
            raise RecordsError("the audit trail has lost its head", hint=_GO_ON)
        else:
            key = ring.newest
            head = begin(connection, key)
    anchors.append(key, head, sync=True)


def begin_anew(database: Database, key_path: Path, anchors: AnchorFile) -> str:
    """Begin a trail where one was emptied, or its database replaced, on purpose; also for a key that an earlier release
    made and sealed nothing with. The first record tells of it. Former anchors are kept, by the name that is returned
    ("": there were none).

    ``RecordsError``: there is no key (then a start does all), or there is a trail.
    """
    with keys.locked(key_path):
        ring = keys.load(key_path)
        texts = Sanitiser(Detector(), ring.newest.content)
        facts = {"anchors": "kept" if anchors.size() else "none"}
        draft = records.event(BEGUN_ANEW, texts, facts=facts)
        with database.writing() as connection:
            if is_begun(connection):
                hint = "nothing has to be begun: see what `orchestrator audit verify` finds, and start an orchestrator"
                raise RecordsError("the audit trail is not empty", hint=hint)
            begin(connection, ring.newest)
            addition = Addition.after(connection, ring, head_of(connection))
            addition.add(draft)
            addition.write()
        return anchors.begin_anew(ring.newest, addition.head)
