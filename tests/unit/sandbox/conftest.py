"""The programs of the image as modules of this interpreter: importing them runs nothing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SANDBOX_IMAGE = Path(__file__).parents[3] / "sandbox-image"


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Imports one by its name, and forgets it afterwards."""
    monkeypatch.syspath_prepend(str(SANDBOX_IMAGE))
    yield importlib.import_module
    for path in SANDBOX_IMAGE.glob("*.py"):
        sys.modules.pop(path.stem, None)
