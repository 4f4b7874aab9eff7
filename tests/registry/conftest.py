"""A registry on both databases, with a clock that the test moves."""

from __future__ import annotations

import pytest

from orchestrator.records import Database
from orchestrator.registry import Registry
from tests.records.conftest import database, where  # noqa: F401 - the fixtures


class Clock:
    def __init__(self) -> None:
        self.at = 1_000_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry(database: Database, clock: Clock) -> Registry:  # noqa: F811
    return Registry(database, now=clock)
