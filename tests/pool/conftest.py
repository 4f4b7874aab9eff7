"""Pools over a toy workshop. After every test: everything that was made is destroyed, every thread has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orchestrator.pool import PoolSettings, WarmPools

from .toys import DEADLINE, Clock, Toy, Workshop, pool_threads

Opener = Callable[..., WarmPools[Toy]]


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_pool(workshop: Workshop) -> Iterator[Opener]:
    """``open_pool(clock=..., **PoolSettings fields)``."""
    pools: list[WarmPools[Toy]] = []

    def opened(*, clock: Clock | None = None, **settings: Any) -> WarmPools[Toy]:
        budget = PoolSettings(**({"acquire_timeout_seconds": DEADLINE, "check_seconds": 3600.0} | settings))
        pool = WarmPools(workshop, budget=budget, **({"clock": clock} if clock else {}))
        pools.append(pool)
        return pool

    yield opened
    workshop.gate.set()
    workshop.exit.set()
    for pool in pools:
        pool.close(timeout=0.0)
    assert workshop.existing == 0
    assert all(toy.destroyed.is_set() for toy in workshop.toys)
    assert all(toy.held <= 1 for toy in workshop.toys)
    assert pool_threads() == []
