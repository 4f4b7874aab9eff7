"""Toys for the pool's tests: a maker whose every step can be held, a clock that stands still, threads to wait for.

Toys are sandboxes as far as the pool can tell. The workshop counts what exists like an engine would: from the moment
a creation begins to the moment a removal ends.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from orchestrator.sandbox.spec import SandboxSpec

DEADLINE = 10.0  # seconds; nothing here takes a tenth of it unless it is broken


def make_spec(level: str = "standard") -> SandboxSpec:
    return SandboxSpec(
        level=level,
        image_id="sha256:" + "0" * 64,
        uid=1000,
        gid=1000,
        memory_bytes=128 * 2**20,
        cpus=0.5,
        pids=32,
        tmp_bytes=2**20,
        tmp_inodes=100,
        nofile=64,
        file_bytes=2**20,
        seccomp='{"defaultAction": "SCMP_ACT_ERRNO"}',
        landlock="preferred",
        vault_view="none",
    )


class Toy:
    def __init__(self, number: int, spec: SandboxSpec, workshop: Workshop) -> None:
        self.id = f"toy-{number}"
        self.spec = spec
        self.is_alive = self.is_answering = True
        self.held = 0  # how often anybody leased it
        self.destroyed = threading.Event()
        self._workshop = workshop

    def alive(self) -> bool:
        if self._workshop.alive_error is not None:
            raise self._workshop.alive_error
        return self.is_alive

    def answers(self) -> bool:
        return self.alive() and self.is_answering

    def destroy(self) -> None:
        self._workshop.destroy(self)


class Workshop:
    """The maker. ``gate`` holds creations, ``exit`` holds removals, ``faults`` and ``broken`` make creations fail."""

    def __init__(self) -> None:
        self.gate, self.exit = threading.Event(), threading.Event()
        self.gate.set()
        self.exit.set()
        self.faults: deque[BaseException | None] = deque()  # of the next creations, one each
        self.broken: BaseException | None = None  # of all creations
        self.removal_faults: deque[BaseException] = deque()
        self.alive_error: Exception | None = None
        self.begun: list[SandboxSpec] = []
        self.toys: list[Toy] = []
        self.existing = self.most_existing = self.in_progress = self.most_in_progress = 0
        self._numbers = itertools.count()
        self._changed = threading.Condition()

    def __call__(self, spec: SandboxSpec) -> Toy:
        with self._changed:
            self.begun.append(spec)
            self.existing += 1
            self.in_progress += 1
            self.most_existing = max(self.most_existing, self.existing)
            self.most_in_progress = max(self.most_in_progress, self.in_progress)
            self._changed.notify_all()
        self.gate.wait(DEADLINE)
        with self._changed:
            self.in_progress -= 1
            error = self.faults.popleft() if self.faults else self.broken
            if error is not None:
                self.existing -= 1
                raise error
            toy = Toy(next(self._numbers), spec, self)
            self.toys.append(toy)
            return toy

    def destroy(self, toy: Toy) -> None:
        self.exit.wait(DEADLINE)
        with self._changed:
            if self.removal_faults:
                raise self.removal_faults.popleft()
            if not toy.destroyed.is_set():
                self.existing -= 1
                toy.destroyed.set()

    def wait_begun(self, count: int) -> None:
        """Until ``count`` creations have begun, in all."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.begun) >= count, DEADLINE), self.begun


class Clock:
    """Stands still until told otherwise."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Task:
    """A call on a thread of its own; ``result`` waits for it, and raises what it raised."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._value: Any = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._call()
        except BaseException as error:  # noqa: BLE001 - handed to whoever asks
            self.error = error

    def result(self) -> Any:
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), "a thread of the test is stuck"
        if self.error is not None:
            raise self.error
        return self._value

    @property
    def running(self) -> bool:
        return self._thread.is_alive()


def pool_threads() -> list[str]:
    return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("pool-"))
