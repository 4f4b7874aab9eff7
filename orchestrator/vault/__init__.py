"""The vault: a directory of notes that people edit, seen by a skill as ``/vault``, changed only as a whole.

The stages are separate, and each takes only what the one before it made::

    Vault(root, state_dir)                      root.py     is the directory fit, who owns it, its lock
    Slots(vault, instance).prepare(view, ...)   slots.py    a sandbox's private view; ``slot.mounts`` for its container
    slot.populate(grants)                                   a run begins
    collect(slot, quotas=...)                   collect.py  what the dead run left -> ChangeSet, staged and hashed
    check(changes, grants, forbidden)           check.py    -> findings
    commit(vault, changes)                      commit.py   all or nothing
    changes.discard(), slot.remove()
    sweep_vault(vault, live)                    slots.py    what dead owners left
"""
