"""A review item as the text of a Markdown note. Pure; no I/O.

Whatever a skill, a manifest or a commenter wrote stands in fenced code, and nowhere else: there it is no link, no HTML,
no tag, no embedded query. The fence is longer than any run of backticks in it, control, bidirectional and invisible
characters are escaped, and ``<%``, by which template plugins find commands in fences too, is taken apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from orchestrator.records import Review, StoredSet
from orchestrator.text import escape_controls, one_line

MAX_DIFF_CHARACTERS = 200_000  # of a diff in a note; all of it is what `orchestrator review diff` shows
_MARKS = {"created": "+", "modified": "~", "deleted": "-"}
_SHOWN_CHANGES = 200
_LINE_CHARACTERS = 1000


def page(review: Review, stored: StoredSet | None, diff: str) -> str:
    """The whole note. ``diff`` is the change set's, as long as it is to be decided."""
    parts = [
        _front_matter(review),
        f"# Review {review.id}",
        _waiting(review) if review.state == "pending" else f"Decided: {review.state}. Nothing is to be done any more.",
        fenced("\n".join(f"{name}: {one_line(value, _LINE_CHARACTERS)}" for name, value in _facts(review, stored))),
    ]
    if stored is not None:
        parts += ["## Changes", fenced("\n".join(_changes(stored)))]
    if diff and review.state == "pending":
        parts += ["## Diff", fenced(_cut(diff), "diff")]
    return "\n\n".join(parts) + "\n"


def fenced(text: str, language: str = "text") -> str:
    """``text`` as a fenced block that it cannot end."""
    shown = escape_controls(text).replace("<%", "<\\x25").removesuffix("\n")
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{shown}\n{fence}"


def _front_matter(review: Review) -> str:
    """Values of ours only: what a skill chose could be a link there."""
    rows = [f"review: '{review.id}'", f"kind: {review.kind}", f"state: {review.state}"]
    rows += [f"asked: {_moment(review.created_at)}", f"expires: {_moment(review.expires_at)}"]
    if review.decided_at is not None:
        rows.append(f"decided: {_moment(review.decided_at)}")
    return "\n".join(["---", *rows, "---"])


def _waiting(review: Review) -> str:
    verbs = ("show", "diff", "edit", "approve", "reject") if review.kind == "changes" else ("show", "approve", "reject")
    what = (
        "A skill wants to change notes of this vault. Nothing is changed until somebody approves."
        if review.kind == "changes"
        else "A skill failed, and its manifest asks for a look at it. Approving just closes the item."
    )
    commands = "\n".join(f"orchestrator review {verb} {review.id}" for verb in verbs)
    return f"{what} To look at it and to decide:\n\n{fenced(commands)}"


def _facts(review: Review, stored: StoredSet | None) -> Iterator[tuple[str, str]]:
    manifest = review.manifest
    yield "skill", stored.skill if stored else f"{manifest.get('name', '?')}@{manifest.get('version', '?')}"
    yield "description", str(manifest.get("description", ""))
    yield "run", review.run_id
    yield from (("why", reason) for reason in review.reasons)
    yield "SHA-256 of the changes", review.digest
    if review.state != "pending":
        yield "decided by", review.decided_by
        yield "comment", review.comment


def _changes(stored: StoredSet) -> Iterator[str]:
    for each in stored.changes[:_SHOWN_CHANGES]:
        size = f" ({each.size} bytes)" if each.sha256 else ""
        moved = f", moved from {one_line(each.moved_from, _LINE_CHARACTERS)}" if each.moved_from else ""
        path = one_line(each.path, _LINE_CHARACTERS) + ("/" if each.directory else "")
        yield f"{_MARKS[each.kind]} {path}{size}{moved}"
    if len(stored.changes) > _SHOWN_CHANGES:
        yield f"and {len(stored.changes) - _SHOWN_CHANGES} more"


def _cut(diff: str) -> str:
    if len(diff) <= MAX_DIFF_CHARACTERS:
        return diff
    whole = diff[:MAX_DIFF_CHARACTERS].rpartition("\n")[0]
    return f"{whole}\n(cut here: `orchestrator review diff` shows all of it)"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
