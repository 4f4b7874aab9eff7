"""What a fork means for us: the child has the parent's objects, but neither its threads nor its rights.

``os.fork`` (``multiprocessing`` with the fork method) copies a pool while its lock may be held by a thread that does
not exist in the child, and descriptors whose closing is how others learn that the parent died. So each object that
minds is told in the child, without taking any lock. The hook is installed with the first one, not at import.
"""

from __future__ import annotations

import functools
import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    def after_fork_in_child(self) -> None: ...


_WATCHED: weakref.WeakSet[Forkable] = weakref.WeakSet()


def watch(subject: Forkable) -> None:
    """Call ``subject.after_fork_in_child()`` in every child this process forks while ``subject`` exists."""
    _install()
    _WATCHED.add(subject)


@functools.cache
def _install() -> None:
    os.register_at_fork(after_in_child=_after_fork_in_child)


def _after_fork_in_child() -> None:
    for subject in list(_WATCHED):
        subject.after_fork_in_child()
