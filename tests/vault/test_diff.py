"""A diff says what changed, and nothing in it acts on whoever reads it."""

from __future__ import annotations

import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.vault.changes import Change
from orchestrator.vault.diff import MAX_BYTES, MAX_LINES, summary, unified

HOSTILE = "".join(
    map(chr, [*range(32), 127, 0x85, 0x9B, 0xAD, 0x200B, 0x200E, 0x2028, 0x202E, 0x2066, 0xFEFF, 0xE0041])
)
OURS = re.compile(r"[-+ ]|@@ -\d+(,\d+)? \+\d+(,\d+)? @@$|\\ No newline at end of file$")
CONTENTS = st.one_of(
    st.none(),
    st.binary(max_size=200),
    st.text(st.sampled_from("ab\n" + HOSTILE), max_size=200).map(str.encode),
    st.lists(st.sampled_from([b"a\n", b"b\n", b"\n", b"c"]), max_size=30).map(b"".join),
)


def lines(*numbers: int) -> bytes:
    return b"".join(b"%d\n" % number for number in numbers)


def removed_and_added(diff: str) -> tuple[int, int]:
    body = diff.splitlines()[2:]
    return sum(line.startswith("-") for line in body), sum(line.startswith("+") for line in body)


def test_one_line_changed() -> None:
    before, after = lines(*range(1, 11)), lines(*range(1, 5), 55, *range(6, 11))
    assert unified("Inbox/a.md", before, after) == (
        "--- a/Inbox/a.md\n+++ b/Inbox/a.md\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+55\n 6\n 7\n 8\n"
    )


def test_changes_far_apart_are_two_hunks() -> None:
    before = lines(*range(1, 41))
    after = before.replace(b"\n5\n", b"\nfive\n").replace(b"\n30\n", b"\n")
    assert [line for line in unified("a", before, after).splitlines() if line.startswith("@@")] == [
        "@@ -2,7 +2,7 @@",
        "@@ -27,7 +27,6 @@",
    ]


def test_created_and_deleted() -> None:
    assert unified("a", None, b"1\n2\n") == "--- /dev/null\n+++ b/a\n@@ -0,0 +1,2 @@\n+1\n+2\n"
    assert unified("a", b"1\n", None) == "--- a/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n"
    assert unified("a", None, b"") == "--- /dev/null\n+++ b/a\n"


def test_nothing_changed() -> None:
    assert unified("a", b"x", b"x") == unified("a", None, None) == unified("a", b"x", b"x", moved_from="a") == ""


def test_moved() -> None:
    assert unified("new", b"x", b"x", moved_from="old") == "--- a/old\n+++ b/new\n"
    assert unified("new", b"x\n", b"y\n", moved_from="old").splitlines()[:2] == ["--- a/old", "+++ b/new"]


def test_no_newline_at_the_end() -> None:
    mark = "\\ No newline at end of file\n"
    assert unified("a", b"x", b"x\n").endswith(f"-x\n{mark}+x\n")
    assert unified("a", b"x\n", b"x").endswith(f"-x\n+x\n{mark}")
    assert unified("a", b"1\nx", b"2\nx").endswith(f"-1\n+2\n x\n{mark}")


def test_what_cannot_be_seen_is_shown() -> None:
    assert unified("a", b"x\r\n", b"x\n").endswith("-x\\r\n+x\n")
    assert unified("a", b"", b"\x1b[2J\t\xff\xe2\x80\xae\n").endswith("+\\x1b[2J\t\\xff\\u202e\n")
    assert unified("a", b"\\xff\n", b"\xff\n").endswith("-\\xff\n+\\xff\n")


def test_paths_are_escaped() -> None:
    diff = unified("a\n+++ b/\x1b\udcff", b"1\n", b"2\n", moved_from="\u202eb")
    assert diff.splitlines()[:2] == ["--- a/\\u202eb", "+++ b/a\\n+++ b/\\x1b\\udcff"]


def test_content_cannot_pass_for_ours() -> None:
    body = unified("a", b"", b"@@ -1 +1 @@\n--- a/b\r+++ b/b\n\\ No newline at end of file\n").splitlines()[3:]
    assert body == ["+@@ -1 +1 @@", "+--- a/b\\r+++ b/b", "+\\ No newline at end of file"]


def test_binary() -> None:
    header = "--- a/a\n+++ b/a\n"
    assert unified("a", b"x" * 7999 + b"\0", b"text") == header + "binary content differs: 8000 -> 4 bytes\n"
    assert unified("a", None, b"\0").endswith("binary content differs: 0 -> 1 bytes\n")
    assert "binary" not in unified("a", b"x" * 8000 + b"\0", b"text")


@pytest.mark.parametrize("large", [b"x" * (MAX_BYTES + 1), b"\n" * (MAX_LINES + 1)], ids=["bytes", "lines"])
def test_too_large(large: bytes) -> None:
    diff = unified("a", large, b"x\n")
    assert len(diff.splitlines()) == 3
    assert f"not shown: {len(large)} -> 2 bytes" in diff
    assert f"not shown: 2 -> {len(large)} bytes" in unified("a", b"x\n", large)


def test_a_large_file_with_a_small_change() -> None:
    before = [*range(MAX_LINES)]
    after = [*before[:10_000], -1, *before[10_001:]]
    assert removed_and_added(unified("a", lines(*before), lines(*after))) == (1, 1)


def test_many_changed_lines_are_one_block() -> None:
    before = lines(*range(2001))
    after = b"new\n" + before.replace(b"\n1000\n", b"\nkept\n") + b"new\n"
    diff = unified("a", before, after)
    assert diff.count("\n@@") == 1
    assert removed_and_added(diff) == (2001, 2003)


def test_every_second_of_many_lines() -> None:
    diff = unified("a", lines(*range(2000)), lines(*(line + 10_000 * (line % 2) for line in range(2000))))
    assert removed_and_added(diff) == (1000, 1000)


WORST = {
    "every second alike": (
        lines(*(line if line % 2 else 0 for line in range(1, 2001))),
        lines(*(-line if line % 2 else 0 for line in range(1, 200))),
    ),
    "repeated": (lines(-1, *(line % 101 for line in range(1999))), lines(*(-line % 101 for line in range(2000)), -2)),
    "controls": ((b"\x1b" * 49 + b"\n") * MAX_LINES, (b"\x1a" * 49 + b"\n") * MAX_LINES),
    "one line": (b"\x1b" * MAX_BYTES, "\U000e0041".encode() * (MAX_BYTES // 4)),
    "long lines": ((b"x" * 499 + b"\n") * 2000, (b"x" * 498 + b"y\n") * 2000),
}


@pytest.mark.parametrize(("before", "after"), WORST.values(), ids=WORST.keys())
def test_the_worst_is_one_block(before: bytes, after: bytes) -> None:
    """However many pairs of lines there were to try: all of the one side goes, all of the other comes."""
    diff = unified("a", before, after)
    assert diff.count("\n@@") == 1
    assert removed_and_added(diff) == (len(before.splitlines()), len(after.splitlines()))


@given(CONTENTS, CONTENTS, st.text())
def test_nothing_in_it_acts(before: bytes | None, after: bytes | None, path: str) -> None:
    diff = unified(path, before, after, moved_from=path[::-1])
    assert not [c for c in diff if c not in "\n\t" and unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"}]
    assert not set(HOSTILE) - {"\n", "\t"} & set(diff)
    assert diff == "" or diff.endswith("\n")
    diff.encode()
    assert all(OURS.match(line) for line in diff.split("\n")[:-1] if not line.startswith("binary content"))


@given(CONTENTS, CONTENTS)
def test_each_line_is_accounted_for(before: bytes | None, after: bytes | None) -> None:
    before, after = before or b"", after or b""
    if b"\0" in before + after:
        return
    removed, added = removed_and_added(unified("a", before, after).replace("\t", ""))
    count = [side.count(b"\n") + (not side.endswith(b"\n") and side != b"") for side in (before, after)]
    assert count[1] - count[0] == added - removed


@pytest.mark.skipif(shutil.which("patch") is None, reason="needs patch(1)")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (lines(*range(30)), lines(1, *range(3, 20), 77, *range(20, 29))),
        (b"a\nb\nc", b"a\nc\n"),
        (b"", b"only\n"),
        (b"a\n\nb\n", b"\na\n\nb"),
    ],
)
def test_plain_text_can_be_patched(tmp_path: Path, before: bytes, after: bytes) -> None:
    (tmp_path / "a").write_bytes(before)
    subprocess.run(["patch", "-s", "a"], input=unified("a", before, after).encode(), cwd=tmp_path, check=True)
    assert (tmp_path / "a").read_bytes() == after


def test_summary() -> None:
    changes = [
        Change("created", "New", directory=True),
        Change("created", "New/n.md", size=12),
        Change("modified", "a\x1b[1m\n.md", size=3),
        Change("deleted", "Old/\u202e.md"),
        Change("deleted", "Old", directory=True),
        Change("created", "b.md", size=7, moved_from="\x9b.md"),
    ]
    assert summary(changes).splitlines() == [
        "+ New/",
        "+ New/n.md (12 bytes)",
        "~ a\\x1b[1m\\n.md",
        "- Old/\\u202e.md",
        "- Old/",
        "+ b.md (7 bytes, moved from \\x9b.md)",
    ]
    assert summary([]) == ""
