"""Every changed path lies within a grant, and none matches a forbidden pattern however it is spelled."""

from __future__ import annotations

import pytest

from orchestrator.errors import VaultError
from orchestrator.manifest.model import VaultGrants
from orchestrator.vault.changes import Change, ChangeSet
from orchestrator.vault.check import check
from orchestrator.vault.rules import finding

GRANTS = VaultGrants(read=("Inbox",), write=("Out/daily", "Log"))
ALL = VaultGrants(write=(".",))


def _rules(change: Change, grants: VaultGrants = GRANTS, forbidden: tuple[str, ...] = ()) -> list[str]:
    return [each.rule for each in check([change], grants, forbidden)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (Change("created", "Log/a.md"), []),
        (Change("deleted", "Out/daily/x/y.md"), []),
        (Change("modified", "Inbox/a.md"), ["VLT201"]),
        (Change("created", "a.md"), ["VLT201"]),
        (Change("created", "Logs/a.md"), ["VLT201"]),
        (Change("created", "log/a.md"), ["VLT201"]),  # another directory, where case matters
        (Change("created", "Out", directory=True), []),  # leads to a grant
        (Change("created", "Out/daily", directory=True), []),
        (Change("created", "Out"), ["VLT201"]),
        (Change("deleted", "Out", directory=True), ["VLT201"]),
        (Change("created", "Out/weekly", directory=True), ["VLT201"]),
        (Change("deleted", "Log", directory=True), ["VLT203"]),
        (Change("created", "Log"), ["VLT203"]),
    ],
)
def test_grants(change: Change, expected: list[str]) -> None:
    assert _rules(change) == expected


def test_a_grant_of_everything() -> None:
    assert _rules(Change("created", "any/thing.md"), ALL) == []


def test_no_grant_allows_nothing() -> None:
    assert _rules(Change("created", "a.md"), VaultGrants()) == ["VLT201"]


@pytest.mark.parametrize("path", [".orchestrator/x", ".ORCHESTRATOR/x", ".orches\u200dtrator", ".orchestrator./x"])
def test_our_own_directory_is_never_granted(path: str) -> None:
    assert _rules(Change("created", path), ALL) == ["VLT204"]


@pytest.mark.parametrize("grant", ["../x", "a/../../x", "a/\0b"])
def test_a_grant_that_leaves_the_vault_is_an_error(grant: str) -> None:
    with pytest.raises(VaultError, match="leaves the vault"):
        check([Change("created", "a.md")], VaultGrants(write=(grant,)))


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        (".git/**", ".git/hooks/pre-commit"),
        (".git/**", "a/b/c/d/.git/config"),
        (".git", ".GIT/config"),
        (".git", ".g\u200cit/config"),
        (".git", ".git./config"),
        (".git", ".git /config"),
        (".git", "．ｇｉｔ/config"),
        (".git", "git~1/config"),
        (".git", "GIT~2"),
        (".git", ".git::$INDEX_ALLOCATION/x"),
        (".obsidian", "OBSIDI~1/plugins/x.js"),
        (".obsidian/plugins", "x/.Obsidian/Plugins/p/main.js"),
        ("*.desktop", "deep/down/Run.DESKTOP"),
        ("*.desktop", "run.desktop."),
        ("*.sh", "run.sh:stream"),
        ("AGENTS.md", "sub/agents.MD"),
        (".env*", "a/.env.local"),
        ("/Private/**", "Private/a.md"),
        ("a/**/z", "x/a/b/c/z"),
        ("**/secret/**", "secret/x"),
        ("**", "anything"),
    ],
)
def test_forbidden(pattern: str, path: str) -> None:
    assert _rules(Change("created", path), ALL, (pattern,)) == ["VLT202"]
    assert _rules(Change("deleted", path), ALL, (pattern,)) == ["VLT202"]


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        (".git/**", "git/config"),
        (".git", "my.git.md"),
        ("/Private/**", "x/Private/a.md"),
        ("*.sh", "notes about x.sh.md"),
        ("a/b", "a/x/b"),
        ("AGENTS.md", "AGENTS.md.txt"),
        (".obsidian", "obsidian~notes.md"),
    ],
)
def test_not_forbidden(pattern: str, path: str) -> None:
    assert _rules(Change("created", path), ALL, (pattern,)) == []


def test_a_sets_own_refusals_come_first() -> None:
    refused = ChangeSet(refusals=(finding("VLT101", "x"),))
    assert [each.rule for each in check(refused, ALL)] == ["VLT101"]


def test_findings_show_names_escaped() -> None:
    (only,) = check([Change("created", "a\x1b[31m.md")], GRANTS)
    assert "\x1b" not in str(only)
    assert "a\\x1b[31m.md" in only.message
    assert only.fix
