"""The warm pool: sandboxes made before they are asked for, each leased once and destroyed."""

from orchestrator.pool.contract import Maker, PoolSettings, Sandbox, SpecCeilings
from orchestrator.pool.lease import Lease
from orchestrator.pool.pools import WarmPools
from orchestrator.pool.stats import PoolStats, SpecStats
from orchestrator.pool.troubles import Trouble

__all__ = [
    "Lease",
    "Maker",
    "PoolSettings",
    "PoolStats",
    "Sandbox",
    "SpecCeilings",
    "SpecStats",
    "Trouble",
    "WarmPools",
]
