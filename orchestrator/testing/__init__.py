"""For tests only, yours included: an engine in memory with latency and faults. It runs nothing and confines nothing.

``orchestrator.testing.conformance`` holds the checks that every engine must pass.
"""

from orchestrator.testing.fake_container import Answer, Manner, posture_of
from orchestrator.testing.fake_engine import Call, FakeEngine

__all__ = ["Answer", "Call", "FakeEngine", "Manner", "posture_of"]
