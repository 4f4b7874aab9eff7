"""Every page: links lead somewhere, Python parses, make targets exist, tables have even rows."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, anchors, blocks, cells, links, name, pages, prose

PAGES = pytest.mark.parametrize("page", pages(), ids=name)
_TARGET = re.compile(r"^([a-z][a-z-]*):(?!=)", re.MULTILINE)
_DOCUMENTED = re.compile(r"^([a-z][a-z-]*):.*## \S", re.MULTILINE)
_MENTIONED = re.compile(r"`make ([a-z][a-z -]*)")


def makefile() -> str:
    return (ROOT / "Makefile").read_text("utf-8")


@PAGES
def test_relative_links_resolve(page: Path) -> None:
    broken = []
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        inside = target.is_relative_to(ROOT)
        if not inside or not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@PAGES
def test_python_blocks_compile(page: Path) -> None:
    for block in blocks(page):
        if block.language == "python":
            ast.parse(block.code, f"{name(page)}, line {block.line}")


@PAGES
def test_tables_are_even(page: Path) -> None:
    """A cell with a bare | breaks a row, and the reader sees the wrong column."""
    uneven, width = [], 0
    for line in prose(page).splitlines():
        count = len(cells(line)) if line.startswith("|") else 0
        if count and width and count != width:
            uneven.append(line)
        width = count
    assert uneven == []


@PAGES
def test_make_targets_exist(page: Path) -> None:
    targets = set(_TARGET.findall(makefile()))
    text = page.read_text("utf-8")
    commands = [line.strip().split("#")[0] for line in text.splitlines() if line.strip().startswith("make ")]
    named = {word for command in commands if command for word in command.split()[1:] if re.fullmatch("[a-z-]+", word)}
    named |= {word for found in _MENTIONED.findall(text) for word in found.split()}
    assert named <= targets, f"no such target: {sorted(named - targets)}"


def test_make_help_lists_every_target() -> None:
    """Each target but the stamp file has a line of documentation, and ``make help`` shows it."""
    documented = set(_DOCUMENTED.findall(makefile()))
    assert set(_TARGET.findall(makefile())) == documented
    command = ["make", "-C", str(ROOT), "--no-print-directory", "help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert {line.split()[1] for line in shown.stdout.splitlines() if line.strip()} == documented


def test_each_decision_is_listed() -> None:
    index = ROOT / "docs" / "adr" / "README.md"
    assert sorted(set(links(index))) == sorted(path.name for path in index.parent.glob("[0-9]*.md"))


def test_the_license_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert text.lstrip().startswith("Apache License")
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_changelog_knows_the_version() -> None:
    version = re.search(r'^version = "([^"]+)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert version is not None
    assert f"## [{version[1]}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_checks_can_fail(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A heading\n[x](missing.md) `code`\n```python\nx = (\n```\n| a | b |\n|---|---|\n| 1 | 2 | 3 |\n")
    assert links(page) == ["missing.md"]
    assert anchors(page) == {"a-heading"}
    assert [block.language for block in blocks(page)] == ["python"]
    with pytest.raises(SyntaxError):
        ast.parse(blocks(page)[0].code)
    with pytest.raises(AssertionError):
        test_tables_are_even(page)
