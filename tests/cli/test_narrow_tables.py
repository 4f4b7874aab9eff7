"""Tables in a terminal of 80 columns."""

from __future__ import annotations

import pytest
from rich.console import Console

from orchestrator.cli.skills import COLUMNS, skills_table


@pytest.mark.parametrize("width", [80, 100])
def test_titles_of_skills_are_broken_between_words_alone(width: int) -> None:
    table, console = skills_table([]), Console(width=width)
    table.add_row("a-skill-with-a-long-name@10.20.30", "disabled", *("" for _ in COLUMNS[2:]))
    with console.capture() as shown:
        console.print(table)
    assert set(" ".join(COLUMNS).split()) <= set(shown.get().split())
