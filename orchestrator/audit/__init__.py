"""The audit trail: what every run was about to do, and what came of it, so that later changes to the trail show.

records.py    what a record says; canonical JSON
sanitised.py  inputs, outputs and texts as what a record may hold of them: never a secret, never a note's content
chain.py      seals: which bytes of a record, under which key, after which record. Pure
key.py        the keys, in a file of their own
anchors.py    where the chain ends, noted outside the database: a file, a command, syslog
trail.py      ``AuditTrail``: intent, outcome, event; several threads' records in one transaction
verify.py     finds what was done to the trail, and names it
query.py      reads it: runs with their state, single records
export.py     JSON Lines with the field names of OCSF
prune.py      forgets what is too old, and says so in the chain
"""

from __future__ import annotations
