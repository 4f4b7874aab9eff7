import heapq
import itertools
from dataclasses import dataclass, field
from typing import Callable


@dataclass(order=True)
class Timed:
    at: float
    order: int
    action: Callable = field(compare=False)


class Simulation:
    def __init__(self):
        self.now = 0.0
        self._queue = []
        self._counter = itertools.count()

    def after(self, delay, action):
        heapq.heappush(self._queue, Timed(self.now + delay, next(self._counter), action))

    def run(self, until=float("inf")):
        while self._queue and self._queue[0].at <= until:
            item = heapq.heappop(self._queue)
            self.now = item.at
            item.action()


class Elevator:
    def __init__(self, sim):
        self.sim, self.floor, self.log = sim, 0, []

    def call(self, floor):
        travel = abs(floor - self.floor) * 2

        def arrive():
            self.floor = floor
            self.log.append((self.sim.now, floor))

        self.sim.after(travel, arrive)


def main():
    sim = Simulation()
    lift = Elevator(sim)
    for at, floor in [(0, 3), (1, 5), (10, 0)]:
        sim.after(at, lambda f=floor: lift.call(f))
    sim.run(until=100)
    return lift.log
