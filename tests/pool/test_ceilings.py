"""What one spec may take of the shared budget: a level's own ceilings, whatever is free."""

from __future__ import annotations

import threading

import pytest

from orchestrator.errors import PoolSaturated, PoolTimeout
from orchestrator.pool import PoolSettings, SpecCeilings, WarmPools
from tests.pool.toys import Workshop, make_spec


def test_a_spec_never_has_more_containers_than_its_ceiling() -> None:
    maker, spec, other = Workshop(), make_spec("standard"), make_spec("relaxed")
    with WarmPools(maker, budget=PoolSettings(max_containers=8)) as pools:
        pools.configure(spec, 0, SpecCeilings(max_containers=1))
        with pools.lease(spec):
            with pytest.raises(PoolTimeout):
                pools.lease(spec, timeout=0.2)
            with pools.lease(other, timeout=5):
                assert pools.stats().leased == 2


def test_without_a_ceiling_it_may() -> None:
    maker, spec = Workshop(), make_spec("standard")
    with WarmPools(maker, budget=PoolSettings(max_containers=8)) as pools, pools.lease(spec), pools.lease(spec):
        assert pools.stats().leased == 2


def test_a_spec_has_its_own_ceiling_on_waiters() -> None:
    maker, spec = Workshop(), make_spec("standard")
    with WarmPools(maker, budget=PoolSettings(max_containers=8, max_waiting=100)) as pools:
        pools.configure(spec, 0, SpecCeilings(max_containers=1, max_waiting=1))
        with pools.lease(spec):
            thread = threading.Thread(target=lambda: pools.lease(spec, timeout=10).release())
            thread.start()
            pools.wait_until(lambda stats: stats.waiting == 1, timeout=10)
            with pytest.raises(PoolSaturated, match="ceiling"):
                pools.lease(spec, timeout=10)
        thread.join()
