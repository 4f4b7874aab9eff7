"""Both engines do what ``Engine`` promises: the fake would be worthless if it did not behave like the real one.

The fixtures of the real engine and its image are looked up only when a test asks for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from orchestrator.sandbox.engine import Engine
from orchestrator.sandbox.options import LABEL, LABEL_STATE, container_options
from orchestrator.sandbox.ownership import state_id
from orchestrator.testing import FakeEngine
from orchestrator.testing.conformance import CHECKS, Check, MakeOptions
from tests.support.sandboxes import spec_for

Subject = tuple[Engine, MakeOptions]


def options_for(image_id: str, ours: Mapping[str, str]) -> MakeOptions:
    def make_options(labels: Mapping[str, str]) -> Mapping[str, Any]:
        return container_options(spec_for(image_id), labels={**ours, **labels}, mounts=())

    return make_options


@pytest.fixture(params=["fake", "real"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    if request.param == "real":
        state = state_id(request.getfixturevalue("state_dir"))
        image_id = request.getfixturevalue("image").image_id
        yield request.getfixturevalue("real_engine"), options_for(image_id, {LABEL: "1", LABEL_STATE: state})
        return
    engine = FakeEngine()
    yield engine, options_for("sha256:" + "0" * 64, {})
    assert engine.containers == []


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_engine_conforms(subject: Subject, check: Check) -> None:
    check(*subject)
