"""The audit trail: what every run was about to do, and what came of it, so that later changes to the trail show.

records.py    what a record says; canonical JSON
sanitised.py  inputs, outputs and texts as what a record may hold of them: never a secret, never a note's content
chain.py      seals: which bytes of a record, under which key, after which record. Pure
key.py        the keys, in a file of their own
anchors.py    where the chain ends, noted outside the database: a file, a command, syslog
thinning.py   which of them stay when there are too many. Pure
beginning.py  how a trail begins, and begins anew
told.py       what its own events tell of it, as notes
trail.py      ``AuditTrail``: intent, outcome, event
writing.py    drafts become records: several threads' in one transaction, late ones after the others
behind.py     the sync and the anchor that follow a commit, in a thread
ending.py     where the chain ends: the anchor file as it should be
verify.py     finds what was done to the trail, and names it
walk.py       judges record after record, and says what is odd about them. Pure
rows.py       what stands in the tables, with bounded memory, for those who trust none of it
query.py      reads it: runs with their state, single records
export.py     JSON Lines with the field names of OCSF
prune.py      forgets what is too old, and says so in the chain
"""

from __future__ import annotations
