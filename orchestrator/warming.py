"""``WarmLevels``: which sandboxes are kept ready. Each security level has one pool, of its policy's spec."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from orchestrator.errors import SettingsError
from orchestrator.policy import Host, Policy
from orchestrator.pool import SpecCeilings, WarmPools
from orchestrator.sandbox.sandbox import Sandbox
from orchestrator.sandbox.spec import SandboxSpec
from orchestrator.text import one_line


class WarmLevels:
    """Thread-safe. ``asked``: warm sandboxes by level, in the place of what the policies say; ``budget``: containers of
    all levels."""

    def __init__(self, pools: WarmPools[Sandbox], host: Host, *, asked: Mapping[str, int], budget: int) -> None:
        self._pools, self._host, self._asked, self._budget = pools, host, asked, budget
        self._lock = threading.Lock()
        self._specs: dict[str, SandboxSpec] = {}  # level -> what its pool keeps warm
        self._warmed: dict[str, str] = {}  # level -> digest of the policy that spec is from

    def keep(self, policy: Policy) -> None:
        """Keep sandboxes of this policy's spec ready; retire those of the policy that was in force before."""
        if self._warmed.get(policy.level) == policy.digest:
            return
        spec, pool = policy.warm_spec(self._host), policy.parts.pool
        with self._lock:
            old = self._specs.get(policy.level)
            if old is not None and old != spec:
                self._pools.drain(old)
            self._pools.configure(spec, self._target(policy), SpecCeilings(pool.max_containers, pool.max_waiting))
            self._specs[policy.level] = spec
            self._warmed[policy.level] = policy.digest

    def _target(self, policy: Policy) -> int:
        """What settings say; else what the policy says, as far as the budget reaches."""
        asked = self._asked.get(policy.level)
        if asked is not None:
            return asked
        others = {spec.digest() for level, spec in self._specs.items() if level != policy.level}
        taken = sum(row.warm_target for row in self._pools.stats().specs if row.digest in others)
        return max(0, min(policy.parts.pool.warm_target, self._budget - taken))

    def resize(self, level: str, warm_target: int) -> None:
        """Raises SettingsError."""
        if level not in self._specs:
            raise SettingsError(f"no policy is in force for level {one_line(level, 40)!r}")
        self._pools.resize(self._specs[level], warm_target)
