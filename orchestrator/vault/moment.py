"""``Moment``: a point in time by which file time stamps can be told into before and after.

File systems stamp changes with the kernel's coarse clock (a tick is 1-10 ms), so an edit just before a run and one just
after its start may carry one stamp. Kernels since 6.13 give out a finer one where a stamp was looked at and would not
change ("multigrain timestamps"), and then never stamp anything earlier than that, in any local file system.

So the mark is the change time of a file of ours, looked at and then touched. A stamp is never ahead of the real clock;
therefore a mark that is not before the real clock as read just before touching separates exactly: every earlier change
carries less, every later one at least the mark. Other marks are only as good as the tick: changes that carry the mark
itself count as earlier, so that a person's edit within the first tick (at most 10 ms) of a run may not be seen as a
conflict. The copy view does not depend on this: it compares what it recorded.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

_SECOND_NS = 1_000_000_000
_ATTEMPTS = 4  # the first touch may only move the file's stamp to the present tick; the next one is then a fine one


@dataclass(frozen=True, slots=True)
class Moment:
    mark_ns: int
    exact: bool

    @classmethod
    def now(cls, directory: int) -> Moment:
        """Mark this moment with a file in ``directory``, which must be ours. About 30 microseconds."""
        handle = os.open("mark", os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory)
        try:
            mark = os.fstat(handle).st_ctime_ns
            for _ in range(_ATTEMPTS):
                clock = time.time_ns()
                os.utime(handle)
                mark = os.fstat(handle).st_ctime_ns
                if mark >= clock:
                    return cls(mark, exact=True)
        finally:
            os.close(handle)
        return cls(mark, exact=False)

    def touched_since(self, entry: os.stat_result) -> bool:
        """Whether ``entry`` was changed (content, mode, name) after this moment."""
        changed = entry.st_ctime_ns
        if changed % _SECOND_NS == 0:  # a file system that stamps whole seconds: the whole second counts as after
            return changed >= self.mark_ns - self.mark_ns % _SECOND_NS
        return changed >= self.mark_ns if self.exact else changed > self.mark_ns
