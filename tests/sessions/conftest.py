"""Sessions on both databases, with a clock that the test moves."""

from __future__ import annotations

from tests.records.conftest import database, where  # noqa: F401 - the fixtures
from tests.registry.conftest import Clock, clock  # noqa: F401 - the fixture
