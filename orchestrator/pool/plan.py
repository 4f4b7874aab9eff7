"""The pool's one decision, as a pure function: which sandboxes to start and which idle ones to retire, now.

It is called after every event, with counts only, and does no I/O. Its rules, in order:

1. Idle sandboxes beyond a spec's warm target (and its waiters) are retired.
2. Idle sandboxes beyond ``max_containers`` are retired (after the budget was made smaller).
3. Waiters come first, in order of arrival over all specs. A waiter counts as met by a sandbox of its spec that is
   warm, being checked or starting: pending creations count, or slow ones would be ordered again on each event.
4. When waiters lack room, idle sandboxes of other specs make some: the spec that is best off loses one first. What is
   being removed already counts as room to come. No more are evicted than can be created at once.
5. What is left of room and of creators fills the warm targets, the largest shortfall first.

``room`` is ``max_containers`` minus everything that exists, removals included: a container that is being removed still
holds its memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Demand(NamedTuple):
    """One spec: what it has and what is asked of it. (Named tuples: these are made on the hot path.)"""

    warm_target: int
    waiting: tuple[int, ...]  # tickets of the waiters, oldest first; ordered over all specs
    starting: int
    warm: int
    checking: int
    leased: int
    removing: int
    startable: int  # creations that may begin now; 0 while the spec is backing off

    @property
    def everything(self) -> int:
        return self.starting + self.warm + self.checking + self.leased + self.removing

    @property
    def want(self) -> int:
        """Creations that would satisfy everybody; negative when there is more than enough."""
        return self.warm_target + len(self.waiting) - self.warm - self.checking - self.starting


class Budget(NamedTuple):
    max_containers: int
    create_workers: int  # creations at once, over all specs: fewer, or none, while the engine is away
    startable: int  # of these, how many may begin now


class Plan(NamedTuple):
    """Positions in the sequence of demands, one for each sandbox to start (most urgent first) or to retire."""

    start: tuple[int, ...] = ()
    retire: tuple[int, ...] = ()


NOTHING = Plan()


def plan(demands: Sequence[Demand], budget: Budget) -> Plan:
    """What to do now. Applying the answer and asking again yields ``NOTHING``."""
    existing = going = waiting = 0
    surplus = shortfall = False
    for demand in demands:
        existing += demand.everything
        going += demand.removing
        waiting += len(demand.waiting)
        surplus = surplus or demand.warm > demand.warm_target
        shortfall = shortfall or demand.want > 0

    retire = _beyond_targets(demands) if surplus else []
    retire += _best_off(demands, retire, existing - going - len(retire) - budget.max_containers)
    possible = max(0, min(budget.max_containers - existing, budget.startable))
    unmet = _unmet(demands) if waiting else []
    start = unmet[:possible]
    if urgent := min(len(unmet) - len(start), budget.create_workers):
        room_to_come = budget.max_containers - existing - len(start) + going + len(retire)
        retire += _best_off(demands, retire, urgent - room_to_come)
    if shortfall:
        start += _fill(demands, start, possible - len(start))
    return Plan(tuple(start), tuple(retire)) if start or retire else NOTHING


def _beyond_targets(demands: Sequence[Demand]) -> list[int]:
    """Rule 1."""
    surplus = (demand.warm - demand.warm_target - len(demand.waiting) for demand in demands)
    return [index for index, count in enumerate(surplus) for _ in range(count)]


def _best_off(demands: Sequence[Demand], retired: list[int], count: int) -> list[int]:
    """Rules 2 and 4: up to ``count`` idle sandboxes, one at a time from the spec with most to spare."""
    chosen: list[int] = []
    if count <= 0:
        return chosen
    idle = [demand.warm - len(demand.waiting) - retired.count(index) for index, demand in enumerate(demands)]
    while len(chosen) < count and max(idle, default=0) > 0:
        victim = max(
            (index for index, spare in enumerate(idle) if spare > 0),
            key=lambda index: (idle[index] - demands[index].warm_target, idle[index], -index),
        )
        idle[victim] -= 1
        chosen.append(victim)
    return chosen


def _unmet(demands: Sequence[Demand]) -> list[int]:
    """Rule 3: the spec of each waiter that needs a creation, oldest waiter first, as far as their specs may start."""
    tickets: list[tuple[int, int]] = []
    for index, demand in enumerate(demands):
        met = demand.warm + demand.checking + demand.starting
        tickets.extend((ticket, index) for ticket in demand.waiting[met : met + demand.startable])
    return [index for _, index in sorted(tickets)]


def _fill(demands: Sequence[Demand], started: list[int], possible: int) -> list[int]:
    """Rule 5."""
    chosen: list[int] = []
    if possible <= 0:
        return chosen
    short = [demand.want - started.count(index) for index, demand in enumerate(demands)]
    may = [demand.startable - started.count(index) for index, demand in enumerate(demands)]
    while len(chosen) < possible:
        needy = [index for index, want in enumerate(short) if want > 0 and may[index] > 0]
        if not needy:
            break
        index = max(needy, key=lambda index: (short[index], -index))
        short[index] -= 1
        may[index] -= 1
        chosen.append(index)
    return chosen
