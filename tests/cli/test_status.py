"""``orchestrator status`` and ``orchestrator dashboard`` through the real command line. No engine is asked."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from orchestrator import Settings
from orchestrator.cli import status
from orchestrator.cli.app import app
from orchestrator.dashboard import AlertRow, Facts, PoolRow, ReviewRow, RunRow, Section, SkillRow, Sources, TroubleRow
from orchestrator.dashboard.region import BEGIN, END
from orchestrator.manifest import load_manifest
from orchestrator.records import Database, Records, Review
from orchestrator.registry import Registry
from orchestrator.results.model import RunResult, Status, Timings, Usage
from orchestrator.sandbox.ownership import state_id
from tests.vault.conftest import base  # noqa: F401 - the fixture

NOWHERE = "tcp://127.0.0.1:1"  # nothing listens there
HOSTILE = "\x1b]52;c;QUFB\x07\x1b[2J\x9b31m\u202e[bold]b[/bold]|`x`[[y]]<b>"
OBEYED = ("\x1b", "\x07", "\x9b", "\u202e")


class Desk:
    def __init__(self, base: Path) -> None:  # noqa: F811
        self.vault, self.state = base / "notes", base / "state"
        self.vault.mkdir()

    def call(self, *arguments: str, **environment: str) -> Result:
        env = {
            "DOCKER_HOST": NOWHERE, "ORCHESTRATOR_STATE_DIR": str(self.state), "ORCHESTRATOR_VAULT": str(self.vault),
            "ORCHESTRATOR_CACHE_DIR": str(self.state.with_name("cache")), "COLUMNS": "200", **environment,
        }  # fmt: skip
        return CliRunner().invoke(app, list(arguments), env=env)

    def json(self, *arguments: str, **environment: str) -> Any:
        result = self.call(*arguments, "-o", "json", **environment)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def fill(self, reason: str = "it deletes 1") -> None:
        state_id(self.state)
        skill = load_manifest({"manifest_version": 1, "name": "tidy", "version": "1.0.0", "code": "def main(): pass"})
        with Database.of(Settings(vault=self.vault, state_dir=self.state)) as database:
            for number in range(3):
                ending = Status.FAILED if number else Status.SUCCEEDED
                usage, timings = Usage(wall_seconds=1), Timings(run=1)
                result = RunResult(str(number), "tidy@1.0.0", "standard", ending, "", usage=usage, timings=timings)
                Registry(database).record(skill, result)
            Records(database).add_review(
                Review(
                    "0123456789ab",
                    "f" * 16,
                    "changes",
                    (reason,),
                    "d",
                    "c",
                    "e",
                    {"name": "tidy", "version": reason},
                    1e9,
                    9e9,
                    vault=str(self.vault),
                )
            )


@pytest.fixture
def desk(base: Path) -> Desk:  # noqa: F811
    return Desk(base)


def test_where_nothing_ever_ran_nothing_is_made(desk: Desk) -> None:
    result = desk.call("status")
    assert result.exit_code == 0
    assert result.stdout.count("none") == 6
    assert not desk.state.exists()


def test_everything_known_is_shown_without_an_engine(desk: Desk) -> None:
    desk.fill()
    found = desk.json("status")
    (skill,) = found["skills"]["rows"]
    assert (skill["skill"], skill["runs"], skill["errors"]) == ("tidy@1.0.0", 3, 2)
    assert [row["id"] for row in found["reviews"]["rows"]] == ["0123456789ab"]
    assert found["pool"]["unknown"]
    assert found["dashboard"] is None
    shown = desk.call("status").stdout
    for words in ("tidy@1.0.0", "33.3%", "0123456789ab", "it deletes 1", "not known: "):
        assert words in shown


def test_what_others_wrote_is_not_obeyed(desk: Desk) -> None:
    desk.fill(HOSTILE)
    for arguments in (("status",), ("status", "-o", "json"), ("dashboard",)):
        output = desk.call(*arguments).output
        assert not any(each in output for each in OBEYED)
    assert "[bold]b" in desk.call("status").stdout, "no markup either"
    assert not any(each in (desk.vault / "Dashboard.md").read_text() for each in (*OBEYED, "`x`", "[[y]]", "<b>"))


def test_watching_without_a_terminal_shows_it_once(desk: Desk) -> None:
    result = desk.call("status", "--watch")
    assert (result.exit_code, result.stdout.count("as of")) == (0, 1)


def test_watching_on_a_terminal_goes_on_until_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    def pause(seconds: float) -> None:
        seen.append(seconds)
        if len(seen) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", pause)
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=150)
    rows = iter(range(100))
    sources = Sources(skills=lambda: [SkillRow(f"tidy-{next(rows)}")])
    status._watch(console, sources, None)
    assert seen == [2.0, 2.0, 2.0]
    assert all(f"tidy-{number}" in stream.getvalue() for number in range(3))


def test_rows_left_out_are_counted_and_gaps_named() -> None:
    facts = Facts(
        1e9,
        Section((SkillRow(HOSTILE, state=HOSTILE),), 7),
        runs=Section((RunRow("r", HOSTILE, "succeeded", 1e9),)),
        troubled=Section((TroubleRow(HOSTILE, "failing", HOSTILE),)),
        alerts=Section((AlertRow("audit", HOSTILE, HOSTILE, 1e9, 7),)),
        pool=Section((PoolRow("standard", {"warm": 2, "leased": 0}),)),
    )
    stream = io.StringIO()
    Console(file=stream, width=150).print(status._shown(facts, ""))
    assert "and 7 more" in stream.getvalue()
    assert "2 warm" in stream.getvalue()
    assert not any(each in stream.getvalue() for each in OBEYED)


def full(rows: int) -> Facts:
    """``rows`` of everything, with words that are too long for any line."""
    skill, words = "tidy-the-inbox@1.0.0", f"{HOSTILE} it deletes a dozen notes and more than that " * 3
    return Facts(
        1e9,
        Section(tuple(SkillRow(f"{skill}-{n}", n, 0.5, 1e9 - 60, 0, "healthy") for n in range(rows))),
        Section(tuple(ReviewRow(f"0123456789{n:02}", skill, "changes", words, 1e9, 1.1e9) for n in range(rows)), 7),
        Section(tuple(RunRow(f"{n:016}", skill, "succeeded", 1e9 - 3) for n in range(rows))),
        Section(tuple(TroubleRow(skill, "quarantined", words, 1e9) for _ in range(rows))),
        Section(tuple(AlertRow("run_failed", skill, words, 1e9, n) for n in range(rows))),
        Section((PoolRow("standard, 1 kept warm", {"warm": 1}),)),
    )


def screen(facts: Facts, width: int, height: int) -> list[str]:
    stream = io.StringIO()
    console = Console(file=stream, width=width, height=height)
    console.print(status._fitted(console, facts, None))
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("height", [12, 24, 50])
def test_a_screen_holds_some_of_everything_and_counts_the_rest(height: int, width: int) -> None:
    lines = screen(full(20), width, height)
    assert len(lines) <= height
    assert all(len(line) <= width for line in lines)
    titles = [line.partition(",")[0].partition(":")[0] for line in lines if line[:1].isalpha()]
    wanted = ("last alerts", "skills in trouble", "waiting for a review", "last runs", "skills", "sandboxes")
    assert tuple(each for each in titles if each in wanted) == wanted, "what wants a person is first"
    for word in ("run_failed", "quarantined", "0123456789") if height >= 24 and width >= 80 else ():
        assert word in "\n".join(lines)
    assert not any(each in "\n".join(lines) for each in OBEYED)


def test_of_a_screen_s_sections_none_hides_what_it_left_out() -> None:
    lines = screen(full(20), 80, 24)
    items = [line for line in lines if line.startswith("0123456789")]
    assert items, "with its whole id, by which it is approved"
    assert f"waiting for a review, and {27 - len(items)} more" in lines
    assert screen(full(0), 80, 24)[1:4] == ["last alerts: none", "skills in trouble: none", "waiting for a review: 7"]
    assert "last runs: 20" in screen(full(20), 80, 12)


def test_a_gap_takes_one_line() -> None:
    gap: Section[Any] = Section(unknown=f"the engine does not answer {HOSTILE} " * 10)
    lines = screen(Facts(1e9, gap, gap, gap, gap, gap, gap), 80, 24)
    assert len(lines) == 7
    assert sum(": not known: the engine" in line for line in lines) == 6


def test_a_high_screen_shows_all() -> None:
    assert not [line for line in screen(full(20), 200, 200) if line.endswith(" more") and "review" not in line]


def test_the_dashboard_is_written_and_written_again(desk: Desk) -> None:
    desk.fill()
    note = desk.vault / "Dashboard.md"
    note.write_text("# Mine\n")
    assert desk.json("dashboard") == {"path": "Dashboard.md", "state": "written", "reason": ""}
    assert note.read_text().startswith(f"# Mine\n\n{BEGIN}\n")
    assert "| tidy&#64;1.0.0 | 3 | 33.3&#37; | " in note.read_text()
    note.write_text(note.read_text() + "mine too")
    assert desk.call("dashboard").exit_code == 0
    assert note.read_text().endswith(f"{END}\nmine too")


def test_another_place_by_the_settings(desk: Desk) -> None:
    assert desk.call("dashboard", ORCHESTRATOR_DASHBOARD_PATH="Meta/Board.md").exit_code == 0
    assert (desk.vault / "Meta" / "Board.md").exists()
    for path in ("../x.md", "/x.md", ".hidden/x.md", "a*.md", "x.txt", "."):
        assert desk.call("dashboard", ORCHESTRATOR_DASHBOARD_PATH=path).exit_code == 6, path


def test_broken_markers_are_said_and_nothing_is_written(desk: Desk) -> None:
    desk.fill()
    note = desk.vault / "Dashboard.md"
    note.write_text(f"{BEGIN}\nthe end is gone\n")
    result = desk.call("dashboard")
    assert result.exit_code == 6
    assert "left alone" in result.stdout
    assert note.read_text() == f"{BEGIN}\nthe end is gone\n"
    on = {"ORCHESTRATOR_DASHBOARD": "true"}
    assert "left alone" in desk.call("status", **on).stdout
    assert "marker" in desk.json("status", **on)["dashboard"]["left_alone"]
    note.unlink()
    assert desk.json("status", **on)["dashboard"] == {"path": "Dashboard.md", "left_alone": ""}


def test_without_a_vault_there_is_no_dashboard(desk: Desk) -> None:
    assert desk.call("dashboard", ORCHESTRATOR_VAULT="/nowhere/at/all").exit_code == 6
    assert desk.call("status", ORCHESTRATOR_VAULT="/nowhere/at/all", ORCHESTRATOR_DASHBOARD="1").exit_code == 0
