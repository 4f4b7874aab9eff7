"""The text of a note about a review: a skill's words are in fences, and cannot get out of them."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.records import Review, StoredChange, StoredSet
from orchestrator.reviews.page import MAX_DIFF_CHARACTERS, fenced, page

HOSTILE = (
    "```\n````\n~~~\n<script>alert(1)</script> [[secret]] #tag ![](http://x.y/z) "
    "<%* tp.system.prompt() %> \x1b[2J\u202e `= this.file` $=dv \u2028---\nstate: approved"
)


def review(**given: Any) -> Review:
    facts: dict[str, Any] = {
        "id": "0123456789ab", "run_id": "f" * 16, "kind": "changes", "reasons": ("it deletes 1",), "digest": "d" * 64,
        "code_sha256": "c" * 64, "manifest_digest": "e" * 64, "manifest": {"name": "tidy", "version": "1.0.0"},
        "created_at": 1e9, "expires_at": 2e9, "vault": "/v",
    }  # fmt: skip
    return Review(**facts | given)


def changes() -> StoredSet:
    change = StoredChange("created", "Inbox/a.md", size=3, sha256="a" * 64)
    digests = ("c" * 64, "e" * 64)
    return StoredSet("f" * 16, "tidy@1.0.0", *digests, "standard", "/v", "held", "d" * 64, 1e9, changes=(change,))


def outside_fences(text: str) -> str:
    """What a CommonMark reader takes for text: all but fenced blocks (fences of backticks at the line's start)."""
    left, fence = [], ""
    for line in text.split("\n"):
        ticks = len(line) - len(line.lstrip("`"))
        if fence:
            if ticks >= len(fence) and line.strip("`").strip() == "":
                fence = ""
        elif ticks >= 3:
            fence = "`" * ticks
        else:
            left.append(line)
    assert not fence, "a fence is left open"
    return "\n".join(left)


def test_everything_that_decides_is_there() -> None:
    text = page(review(), changes(), "--- a/x\n+++ b/x\n+new\n")
    for words in (
        "state: pending", "expires: 2033-05-18T03:33:20Z", "orchestrator review approve 0123456789ab",
        "orchestrator review edit 0123456789ab", "orchestrator review reject 0123456789ab", "skill: tidy@1.0.0",
        "run: ffffffffffffffff", "why: it deletes 1", "+ Inbox/a.md (3 bytes)",
        "```diff\n--- a/x\n+++ b/x\n+new\n```\n",
        f"SHA-256 of the changes: {'d' * 64}",
    ):  # fmt: skip
        assert words in text


def test_nothing_a_skill_wrote_stands_outside_of_a_fence() -> None:
    hostile = review(
        reasons=(HOSTILE,), manifest={"name": HOSTILE, "version": HOSTILE, "description": HOSTILE}, comment=HOSTILE,
        decided_by=HOSTILE,
    )  # fmt: skip
    stored = StoredSet(
        "f" * 16, HOSTILE, "c", "e", "standard", "/v", "held", "d", 1e9,
        changes=(StoredChange("created", HOSTILE, HOSTILE, size=3, sha256="a" * 64),),
    )  # fmt: skip
    plain = page(review(), changes(), "+x\n")
    for text in (page(hostile, stored, HOSTILE), page(hostile, None, HOSTILE)):
        assert set(outside_fences(text).split("\n")) <= set(outside_fences(plain).split("\n"))
        assert not any(character in text for character in ("\x1b", "\u202e", "\u2028", "<%"))
        assert "<script>" in text, "the control: it was there"


def test_the_check_for_fences_can_fail() -> None:
    assert "escaped" in outside_fences("```\n```\nescaped\n```\n```")


@pytest.mark.parametrize("run", [1, 2, 3, 4, 30])
def test_a_fence_is_longer_than_what_it_holds(run: int) -> None:
    block = fenced("x\n" + "`" * run + "\ny")
    assert outside_fences(block) == ""
    assert block.split("\n")[0] == "`" * max(3, run + 1) + "text"


def test_a_decided_item_says_so_and_how() -> None:
    done = review(state="rejected", decided_at=1.5e9, decided_by="Ada", comment="not so")
    text = page(done, changes(), "+new\n")
    for words in ("state: rejected", "decided: 2017-07-14T02:40:00Z", "decided by: Ada", "comment: not so"):
        assert words in text
    assert "review approve" not in text
    assert "+new" not in text


def test_a_failure_has_neither_edit_nor_diff() -> None:
    text = page(review(kind="failure", digest=""), None, "")
    assert "review show" in text
    assert "review edit" not in text
    assert "```diff" not in text


def test_a_long_diff_is_cut_at_a_line() -> None:
    text = page(review(), changes(), "+0123456789\n" * (MAX_DIFF_CHARACTERS // 5))
    assert len(text) < MAX_DIFF_CHARACTERS + 5000
    assert "+0123456789\n(cut here: `orchestrator review diff` shows all of it)\n" in text
