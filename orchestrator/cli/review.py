"""``orchestrator review``: what waits for a person, shown and decided."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.text import Text

from orchestrator.cli.configuration import load_settings
from orchestrator.cli.console import Output, out, plain_table, put, put_json, safe, say
from orchestrator.cli.desk import Desk, desk, login_name, plain
from orchestrator.cli.editing import edited
from orchestrator.cli.exits import SUCCEEDED, Exit
from orchestrator.cli.render import as_changes, change_lines, diff_lines, duration, finding_lines, moment
from orchestrator.errors import ManifestError, ReviewError
from orchestrator.manifest import load_manifest
from orchestrator.policy import Decision
from orchestrator.records import Review, StoredSet
from orchestrator.validation.finding import Finding
from orchestrator.vault.amend import Draft
from orchestrator.vault.check import check
from orchestrator.vault.diff import summary

_STATES = {"pending": "yellow", "approved": "green", "rejected": "red", "expired": "dim"}
_COLUMNS = ("id", "age", "kind", "skill", "why", "changes", "expires")


def list_reviews(*, every: bool, vault: Path | None, output: Output) -> Exit:
    """What waits, or everything that was ever asked; that of this vault."""
    with desk(load_settings(vault=vault)) as at:
        found = at.reviews.pending()  # first: it marks what has expired
        if every:
            found = sorted((*at.reviews.decided(), *found), key=lambda review: review.created_at)
        items = [(review, at.changes(review)) for review in found]
    if output is Output.JSON:
        put_json([_row(review, stored) for review, stored in items])
    elif items:
        _show_table(items, every=every)
    else:
        out().print("nothing waits for a review" if not every else "there are no reviews")
    return SUCCEEDED


def show_review(review_id: str, *, vault: Path | None, output: Output) -> Exit:
    """Everything about one item, and what the policy would say to an approval now."""
    with desk(load_settings(vault=vault)) as at:
        at.reviews.pending()  # marks what has expired
        review, stored = at.item(review_id)
        decision, findings, note = _judged(at, review, stored)
        edits = at.reviews.edits(review.id)
    if output is Output.JSON:
        put_json(
            {
                **_row(review, stored),
                "level": review.manifest.get("security_level"),
                "digest": review.digest,
                "code_sha256": review.code_sha256,
                "manifest_digest": review.manifest_digest,
                "manifest": review.manifest,
                "set": None if stored is None else asdict(stored),
                "edits": [asdict(each) for each in edits],
                "allowed_now": decision is not None and decision.allowed and not findings,
                "findings": [asdict(each) for each in findings],
                "warnings": [] if decision is None else [asdict(each) for each in decision.warnings],
                "note": note,
            }
        )
        return SUCCEEDED
    console = out()
    for line in _lines(review, stored):
        console.print(line, soft_wrap=True)
    for edit in edits:
        said = f"{moment(edit.at)}, by {edit.by}"
        console.print(Text.assemble(("  edited: ", "bold"), safe(said, one_line=True)), soft_wrap=True)
    if note:
        console.print(Text.assemble(("  note: ", "yellow"), safe(note)), soft_wrap=True)
    source = str(review.manifest.get("code", ""))
    for found, warn in ((findings, False), (decision.warnings if decision else (), True)):
        for finding in found:
            for line in finding_lines(finding, source, warning=warn):
                console.print(line, soft_wrap=True)
    return SUCCEEDED


def diff_review(review_id: str, *, vault: Path | None, output: Output) -> Exit:
    with desk(load_settings(vault=vault)) as at:
        review, stored = at.item(review_id)
        diff = "" if stored is None else at.history.diff_of(stored)
    console = out()
    if output is Output.JSON:
        put_json({"id": review.id, "diff": diff})
    elif not diff:
        say("there is no difference to show")
    elif console.is_terminal:
        for line in diff_lines(diff):
            console.print(line, soft_wrap=True)
    else:
        put(safe(diff.removesuffix("\n")).plain)
    return SUCCEEDED


def edit_review(
    review_id: str, *, path: str | None, editor: str | None, by: str | None, vault: Path | None, output: Output
) -> Exit:
    """Raises ``ReviewError`` for what cannot be edited, and where somebody else was faster; nothing is changed then."""
    settings = load_settings(vault=vault, editor=editor)
    with desk(settings) as at:
        at.reviews.pending()  # marks what has expired
        review, _ = at.item(review_id)
        found = at.reviews.drafts(review.id)
        chosen = found if path is None else tuple(draft for draft in found if draft.path == at.path(plain(path)))
        contents = edited(_to_edit(chosen, review, path), settings.editor) if review.state == "pending" else {}
        after = at.reviews.edit(review.id, contents, by=_name(by), digest=review.digest)
    if output is Output.JSON:
        put_json({"id": after.id, "run_id": after.run_id, "digest": after.digest, "edited": sorted(contents)})
        return SUCCEEDED
    console = out()
    if after.digest == review.digest:
        console.print(Text.assemble(safe(review.id, "bold"), ": nothing was changed"), soft_wrap=True)
        return SUCCEEDED
    console.print(Text.assemble(safe(review.id, "bold"), " edited; it still waits"), soft_wrap=True)
    for name in sorted(contents):
        console.print(safe(f"  ~ {name}", one_line=True), soft_wrap=True)
    return SUCCEEDED


def _to_edit(found: Sequence[Draft], review: Review, path: str | None) -> tuple[Draft, ...]:
    """Those that can be edited; says which cannot."""
    if not found:
        what = "no changes to edit" if path is None else f"no changed file {plain(path)!r}"
        raise ReviewError(f"review {review.id} has {what}")
    fit = tuple(draft for draft in found if draft.content is not None)
    for draft in found:
        if draft.content is None:
            say(safe(f"not to be edited: {draft.path} {draft.fault}", one_line=True))
    if not fit:
        raise ReviewError(f"review {review.id} has nothing that can be edited", hint="approve or reject it as it is")
    return fit


def approve_review(review_id: str, *, digest: str | None, by: str | None, vault: Path | None, output: Output) -> Exit:
    """Raises ``ReviewError`` or ``ChangesRefused``; the item then still waits, unless it expired."""
    with desk(load_settings(vault=vault)) as at:
        review, _ = at.item(review_id)
        changes = at.reviews.approve(review.id, by=_name(by), digest=plain(digest or ""))
    if output is Output.JSON:
        changed = [asdict(each) for each in changes]
        put_json({"id": review.id, "run_id": review.run_id, "state": "approved", "changes": changed})
        return SUCCEEDED
    landed = "nothing was to be written" if not changes else f"{len(changes)} changes are in the vault"
    console = out()
    console.print(Text.assemble(safe(review.id, "bold"), " ", ("approved", "green"), f": {landed}"), soft_wrap=True)
    for line in change_lines(changes):
        console.print(line, soft_wrap=True)
    return SUCCEEDED


def reject_review(review_id: str, *, by: str | None, comment: str, vault: Path | None, output: Output) -> Exit:
    """Raises ``ReviewError``."""
    with desk(load_settings(vault=vault)) as at:
        review, _ = at.item(review_id)
        at.reviews.reject(review.id, by=_name(by), comment=plain(comment))
    if output is Output.JSON:
        put_json({"id": review.id, "run_id": review.run_id, "state": "rejected"})
    else:
        out().print(Text.assemble(safe(review.id, "bold"), " ", ("rejected", "red")), soft_wrap=True)
    return SUCCEEDED


def _name(by: str | None) -> str:
    """Who decides: what was said, else the name of the user that this process runs for."""
    return plain(by, 200) if by is not None else login_name(f"uid {os.getuid()}")


def _judged(at: Desk, review: Review, stored: StoredSet | None) -> tuple[Decision | None, tuple[Finding, ...], str]:
    """What the policy says now, what is against the item, and why it cannot be judged ("" if it can)."""
    try:
        skill = load_manifest(review.manifest)
    except ManifestError as error:
        return None, (), f"its manifest cannot be read any more: {error}"
    decision = at.judge.decide(skill)
    note = at.judge.note(skill)
    if decision.grants is None or stored is None:
        return decision, decision.violations, note
    return decision, check(as_changes(stored.changes), decision.grants, decision.forbidden), note


def _skill(review: Review, stored: StoredSet | None) -> str:
    return stored.skill if stored else f"{review.manifest.get('name', '?')}@{review.manifest.get('version', '?')}"


def _row(review: Review, stored: StoredSet | None) -> dict[str, Any]:
    return {
        "id": review.id,
        "run_id": review.run_id,
        "kind": review.kind,
        "state": review.state,
        "skill": _skill(review, stored),
        "reasons": list(review.reasons),
        "changes": 0 if stored is None else len(stored.changes),
        "created_at": review.created_at,
        "expires_at": review.expires_at,
        "decided_at": review.decided_at,
        "decided_by": review.decided_by,
        "comment": review.comment,
    }


def _show_table(items: list[tuple[Review, StoredSet | None]], *, every: bool) -> None:
    now = time.time()
    table = plain_table(*_COLUMNS, *(("state",) if every else ()), right=("changes",))
    for review, stored in items:
        expires = f"in {duration(review.expires_at - now)}" if review.state == "pending" else ""
        row = (
            review.id, duration(now - review.created_at), review.kind, _skill(review, stored),
            "; ".join(review.reasons), "" if stored is None else len(stored.changes), expires,
        )  # fmt: skip
        cells = [safe(cell, one_line=True) for cell in row]
        table.add_row(*cells, *((_state(review),) if every else ()))
    out().print(table)


def _state(review: Review) -> Text:
    return safe(review.state, _STATES.get(review.state, ""), one_line=True)


def _lines(review: Review, stored: StoredSet | None) -> Iterator[Text]:
    yield Text.assemble(safe(review.id, "bold", one_line=True), " ", _state(review))
    for name, value in _facts(review, stored):
        if value:
            yield Text.assemble((f"  {name}: ", "bold"), safe(value, one_line=True))
    yield from (Text.assemble(("  why: ", "bold"), safe(reason, one_line=True)) for reason in review.reasons)
    for line in summary(as_changes(stored.changes)).splitlines() if stored else ():
        yield Text.assemble("  ", safe(line, one_line=True))


def _facts(review: Review, stored: StoredSet | None) -> Iterator[tuple[str, object]]:
    yield "kind", review.kind
    yield "skill", _skill(review, stored)
    yield "description", review.manifest.get("description")
    yield "level", review.manifest.get("security_level")
    yield "run", review.run_id
    yield "asked", moment(review.created_at)
    yield "expires", moment(review.expires_at) if review.state == "pending" else ""
    yield "decided", "" if review.decided_at is None else moment(review.decided_at)
    yield "by", review.decided_by
    yield "comment", review.comment
    yield "SHA-256 of the code", review.code_sha256
    yield "SHA-256 of the manifest", review.manifest_digest
    yield "SHA-256 of the changes", review.digest
    if stored is not None:
        yield "vault", stored.vault
        yield "changes", f"{len(stored.changes)}, {stored.state}"
