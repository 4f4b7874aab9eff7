"""The verbs that read show whatever somebody put into the tables, and break at none of it; and how they show ids."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from orchestrator.audit.export import lines
from orchestrator.audit.query import Reader, Wanted
from orchestrator.cli.app import app
from orchestrator.results.model import Status
from tests.audit.conftest import Archive

RUN = f"{3:016x}"  # its records are 7 and 8
CHANGES = (
    "at_us = 9223372036854775807", "at_us = -9223372036854775808", "at_us = -1", "at_us = 'x'", "at_us = 1e300",
    "at_us = x'00ff1b'", "at_us = CAST(x'ff' AS TEXT)", "kind = x'ff'", "kind = CAST(x'ff' AS TEXT)", "kind = 5",
    "status = x'1b5b324a'", "status = 1.5", "skill = x'ff'", "principal = CAST(x'fffe' AS TEXT)",
    "session = zeroblob(9)", "run_id = x'ff'", "run_id = CAST(x'ff' AS TEXT)", "code = x'ff'", "manifest = 7",
    "prev = x'ff'", "mac = x'ff'",
    "body = x'ff'", "body = CAST(x'ff' AS TEXT)", "body = 7", "body = '[]'", "body = '{\"x\": NaN}'",
    "body = '{\"x\": 1e999}'", "body = '{\"x\": \"\\ud800\"}'", "body = replace(hex(zeroblob(50000)), '0', '[')",
    "body = '{\"x\":' || replace(hex(zeroblob(400)), '0', '[') || replace(hex(zeroblob(400)), '0', ']') || '}'",
    "body = '{\"checks\": []}'", "body = '{\"checks\": {\"failed\": 7, \"warned\": [7, {}, {\"rule\": []}]}}'",
    "body = '{\"checks\": {\"ruleset\": {}}, \"code\": 7, \"instance\": \"../..\"}'",
    "body = '{\"code\": {\"sha256\": [], \"bytes\": \"x\"}, \"exit_code\": {}, \"image_id\": []}'",
)  # fmt: skip


class Desk:
    def __init__(self, archive: Archive) -> None:
        self.archive = archive

    def call(self, *arguments: str, columns: int = 200) -> Result:
        env = {"ORCHESTRATOR_STATE_DIR": str(self.archive.home), "COLUMNS": str(columns)}
        return CliRunner().invoke(app, ["audit", *arguments], env=env)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    home = tmp_path / "state"
    home.mkdir(mode=0o700)
    archive = Archive(home / "records.db", home)
    archive.fill(5)
    yield Desk(archive)
    archive.close()


def is_well(result: Result) -> bool:
    shown = result.output
    return "defect" not in shown and "\x1b" not in shown and result.exit_code in (0, 1, 2)


def escaped(sql: str) -> str:
    """Colons that name no parameter."""
    return sql.replace(":", "\\:")


def test_no_value_breaks_a_verb(desk: Desk) -> None:
    """Each change in both records of a run of its own, after the first five."""
    desk.archive.fill(len(CHANGES), first=5)
    desk.archive.sql(
        *(f"UPDATE audit_records SET {escaped(change)} WHERE seq IN ({2 * run + 1}, {2 * run + 2})"
          for run, change in enumerate(CHANGES, 5))
    )  # fmt: skip
    count = 2 * (5 + len(CHANGES))
    for verb in (("tail", "-n", "999"), ("search",), ("search", "--skill", "sums"), ("verify",)):
        for more in ((), ("-o", "json")):
            assert is_well(desk.call(*verb, *more)), (verb, more)
    for run, change in enumerate(CHANGES, 5):
        assert is_well(desk.call("show", f"{run:016x}")), change
        assert is_well(desk.call("show", f"{run:016x}", "-o", "json")), change
    events = [json.loads(line) for line in desk.call("export").stdout.splitlines()]
    assert [event["metadata"]["sequence"] for event in events] == [*range(1, count + 1)]
    assert {(each.first, each.last) for each in desk.archive.verify().found} == {(11, count)}


@pytest.mark.parametrize("content", ["CAST(x'ff' AS TEXT)", "7", "'{\"rules\": 7}'", "'{\"rules\": [7]}'"])
def test_no_blob_breaks_a_verb(desk: Desk, content: str) -> None:
    desk.archive.sql(f"UPDATE audit_blobs SET content = {escaped(content)}")
    for verb in (("show", RUN), ("show", RUN, "-o", "json"), ("verify",)):
        assert is_well(desk.call(*verb)), verb


def test_odd_values_are_shown_as_text(desk: Desk) -> None:
    desk.archive.sql(
        "UPDATE audit_records SET at_us = 9223372036854775807, kind = CAST(x'ff' AS TEXT) WHERE seq = 7",
        "UPDATE audit_records SET at_us = x'781b' WHERE seq = 8",
    )
    shown = desk.call("tail").stdout
    for text in ("9223372036854775807", "\\xff", "x\\x1b"):
        assert text in shown
    events = [json.loads(line) for line in desk.call("export").stdout.splitlines()]
    assert [events[6]["unmapped"][name] for name in ("at_us", "kind")] == ["9223372036854775807", "\\xff"]
    assert events[6]["time"] == 0


@pytest.mark.parametrize("at_us", [2**63 - 1, -(2**63)])
def test_times_that_are_no_dates_on_both_databases(archive: Archive, at_us: int) -> None:
    archive.fill(1)
    archive.sql(f"UPDATE audit_records SET at_us = {at_us} WHERE seq = 1")
    reader = Reader(archive.database)
    record = reader.tail(2)[0]
    assert (record.at_us, record.odd_at) == (0, str(at_us))
    assert [each.run_id for each in reader.search(Wanted(), 9)] == [record.run_id]
    assert len(list(lines(reader.records()))) == 2


# --- ids and states ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["tail", "search"])
def test_a_run_id_is_whole_in_a_narrow_terminal(desk: Desk, verb: str) -> None:
    desk.archive.sql(
        "UPDATE audit_records SET skill = 'a-skill-with-quite-a-long-name@10.20.30', principal = 'anna-lena'"
    )
    for columns in (60, 80):
        shown = desk.call(verb, columns=columns).stdout
        assert all(f"{number:016x}" in shown for number in range(5)), shown


def test_unknown_states_are_refused(desk: Desk) -> None:
    result = desk.call("search", "--state", "foo")
    assert result.exit_code == 2
    for state in (*Status, "raised", "interrupted", "running"):
        assert state in result.output
        assert desk.call("search", "--state", state).exit_code == 0


def searched(desk: Desk, *arguments: str) -> Any:
    return json.loads(desk.call("search", *arguments, "-o", "json").stdout)


def test_known_states_are_found(desk: Desk) -> None:
    assert len(searched(desk, "--state", "succeeded")) == 5
    assert searched(desk, "--state", "failed") == []
