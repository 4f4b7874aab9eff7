"""``Troubles``: what keeps the pool from its work so long that a person should hear of it, and when that is over.

One creation that fails is bad luck, and the pool mends it by itself. A trouble is, without a success in between:

* an engine that does not answer, or creations of one configured spec that fail, from a first attempt to one that is
  ``LASTS_SECONDS`` later, and in as many rounds as those who wait are told after (``attempts_before_failing``);
* a fault of configuration of such a spec, at once: time does not mend it, and callers are turned away already;
* a container that cannot be removed for ``LASTS_SECONDS``: it holds its room. While the engine is away nobody asks why.

Each is told when it begins and once when it is over, which it is after ``QUIET_SECONDS`` without a failure. What a
closing pool meets is told by ``close``. No clock and no I/O; the caller holds the pool's lock while it asks for
``changes``, and tells of them without it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from orchestrator.pool.backoff import Backoff
from orchestrator.pool.contract import PoolSettings
from orchestrator.pool.ledger import Ledger
from orchestrator.text import one_line

LASTS_SECONDS: Final = 60.0  # an engine that is restarted or updated is back by then; with pauses of 5 s, 12 attempts
QUIET_SECONDS: Final = 300.0  # what comes and goes is one trouble, not one after another
_WHY: Final = 250  # characters


@dataclass(frozen=True, slots=True)
class Trouble:
    """``rule``: "engine", "removals", or "creations" and the level. ``message`` is one line, and may quote the engine.
    ``over``: it was told before, and is not there any more."""

    rule: str
    message: str
    over: bool = False


class _Ailing(NamedTuple):
    """Something fails at present. ``grave``: long enough to be told."""

    trouble: Trouble
    ended: str  # what to say once it is over
    grave: bool


@dataclass(slots=True)
class _Told:
    ailing: _Ailing
    seen_at: float  # when it was still there


class Troubles:
    """Of one pool. Not thread-safe."""

    def __init__(self) -> None:
        self._told: dict[Hashable, _Told] = {}

    def changes(self, ledger: Ledger, settings: PoolSettings, now: float) -> list[Trouble]:
        """What is to be told since the last time; nothing twice."""
        if ledger.closed:
            return []
        begun = []
        for key, ailing in _ailing(ledger, settings, now):
            if key in self._told:
                self._told[key].seen_at = now
            elif ailing.grave:
                self._told[key] = _Told(ailing, now)
                begun.append(ailing.trouble)
        return [*begun, *self._ended(now)]

    def _ended(self, now: float) -> list[Trouble]:
        keys = [key for key, told in self._told.items() if now - told.seen_at >= QUIET_SECONDS]
        past = [self._told.pop(key).ailing for key in keys]
        return [replace(each.trouble, message=each.ended, over=True) for each in past]


def _ailing(ledger: Ledger, settings: PoolSettings, now: float) -> Iterator[tuple[Hashable, _Ailing]]:
    rounds = settings.attempts_before_failing
    if ledger.engine.rounds:
        message = f"the engine does not answer, so no sandbox can be made: {_why(ledger.engine_error)}"
        trouble = Trouble("engine", message)
        yield "engine", _Ailing(trouble, "the engine answers again", _lasts(ledger.engine, rounds))
    elif ledger.unremoved:
        first = min(ledger.unremoved.values())
        message = f"containers that cannot be removed and hold their room: {len(ledger.unremoved)}"
        trouble = Trouble("removals", f"{message}; {one_line(ledger.removal_error, _WHY)}")
        ended = "no removal of a container fails any more"
        yield "removals", _Ailing(trouble, ended, now - first >= LASTS_SECONDS)
    for pool in ledger.pools:
        if pool.configured and pool.backoff.rounds:
            level = one_line(pool.spec.level, 40)
            message = f"sandboxes of level {level} cannot be made: {_why(pool.last_failure)}"
            ended = f"making sandboxes of level {level} fails no more"
            grave = pool.fault is not None or _lasts(pool.backoff, rounds)
            yield pool.spec, _Ailing(Trouble(f"creations {level}", message), ended, grave)


def _lasts(backoff: Backoff, rounds: int) -> bool:
    return backoff.rounds >= rounds and backoff.lasted >= LASTS_SECONDS


def _why(error: BaseException | None) -> str:
    return one_line(f"{type(error).__name__}: {error}", _WHY)
