"""The README's figures are those of docs/performance.md, which one run of `make bench` made."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README, PAGE = (ROOT / name for name in ("README.md", "docs/performance.md"))


def rows(page: Path) -> list[list[str]]:
    """The cells of the first table with a column "measured"."""
    lines = page.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| measure"))
    found = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


@pytest.mark.parametrize("row", rows(README), ids=lambda row: row[0][:40])
def test_each_figure_of_the_readme_is_on_the_page(row: list[str]) -> None:
    """Its measured cell as it is; "missed" where the page says MISS, and nowhere else."""
    measured = row[1]
    same = [each for each in rows(PAGE) if measured in each[1] or each[1].startswith(measured)]
    assert same, f"{measured} is not measured on the page"
    assert any(("MISS" in each) == ("missed" in row[-1]) for each in same)


def test_the_readme_shows_what_is_missed() -> None:
    missed = [each[1] for each in rows(PAGE) if "MISS" in each]
    shown = [row[1] for row in rows(README)]
    assert [each for each in missed if not any(each.startswith(one) or one in each for one in shown)] == []
