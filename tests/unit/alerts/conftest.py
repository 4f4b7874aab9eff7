"""A records database of each kind, for the journal; and what is logged."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from loguru import logger

from tests.records.conftest import database, where  # noqa: F401 - the fixtures


@pytest.fixture
def logged() -> Iterator[list[str]]:
    lines: list[str] = []
    handler = logger.add(lambda message: lines.append(str(message)), level="DEBUG", format="{message}")
    yield lines
    logger.remove(handler)
