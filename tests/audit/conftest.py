"""A trail on both databases, and hands that change it behind its back."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from orchestrator.audit import key as keys
from orchestrator.audit.anchors import AnchorFile
from orchestrator.audit.trail import AuditTrail
from orchestrator.audit.verify import Verdict, verify
from orchestrator.manifest import SkillManifest, load_manifest
from orchestrator.outputs.known import KnownValues
from orchestrator.outputs.secrets import Detector
from orchestrator.policy.decision import Decision
from orchestrator.records import Database
from orchestrator.results.model import RunResult, Status
from tests.records.conftest import Where, where  # noqa: F401 - the fixture
from tests.support.secret_samples import CANARY

DETECTOR = Detector(KnownValues.of([("canary", CANARY)]))


def skill_of(code: str = "def main(x):\n    return x\n", **more: Any) -> SkillManifest:
    return load_manifest({"manifest_version": 1, "name": "sums", "version": "1.0.0", "code": code, **more})


def allowed(**changes: Any) -> Decision:
    return replace(Decision(True, "standard", "a" * 64), **changes)


def result_of(run_id: str, **changes: Any) -> RunResult:
    return replace(RunResult(run_id, "sums@1.0.0", "standard", Status.SUCCEEDED, "ran to its end"), **changes)


class Archive:
    """A database with its state directory, and whoever may write to both but has not read the key."""

    def __init__(self, place: Where, home: Path) -> None:
        self.where, self.home = place, home
        self.database = Database(place)
        self.key_path = home / keys.NAME
        self.anchors = AnchorFile(home / "audit.anchors")

    def trail(self, *, database: Database | None = None, **options: Any) -> AuditTrail:
        return AuditTrail(database or self.database, self.home, detector=DETECTOR, **options)

    def fill(self, runs: int, first: int = 0, trail: AuditTrail | None = None) -> None:
        opened = trail or self.trail()
        for number in range(first, first + runs):
            run_id = f"{number:016x}"
            opened.settled(
                opened.intent(run_id, skill_of(), {"x": number}, allowed(), principal="anna", image_id="sha256:1")
            )
            opened.settled(opened.outcome(result_of(run_id, output=number)))  # so each has an anchor of its own
        if trail is None:
            opened.close()

    def sql(self, *statements: str, **values: Any) -> None:
        with self.database.writing() as connection:
            for statement in statements:
                connection.execute(text(statement), {k: v for k, v in values.items() if f":{k}" in statement})

    def rows(self, query: str) -> list[Any]:
        with self.database.reading() as connection:
            return list(connection.execute(text(query)).fetchall())

    def verify(self, **options: Any) -> Verdict:
        return verify(self.database, self.key_path, self.anchors, **options)

    def faults(self, **options: Any) -> list[tuple[str, int, int]]:
        return [(str(each.fault), each.first, each.last) for each in self.verify(**options).found]

    def copy_tables(self) -> Callable[[], None]:
        """An older copy of the trail's tables, and how it is put back: as a restored file would be."""
        tables = ("audit_records", "audit_head", "audit_blobs")
        self.sql(*(f"CREATE TABLE copy_of_{name} AS SELECT * FROM {name}" for name in tables))

        def restore() -> None:
            for name in tables:
                self.sql(f"DELETE FROM {name}", f"INSERT INTO {name} SELECT * FROM copy_of_{name}")

        return restore

    def close(self) -> None:
        self.database.close()


@pytest.fixture
def archive(where: Where, tmp_path: Path) -> Iterator[Archive]:  # noqa: F811
    home = tmp_path / "state"
    home.mkdir(mode=0o700)
    found = Archive(where, home)
    yield found
    found.close()
    shutil.rmtree(home)
