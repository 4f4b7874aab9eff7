"""Judging what a run wrote: what the judge says is what lands, with its own digest and size."""

from __future__ import annotations

import hashlib

from orchestrator.sandbox.spec import Limits
from orchestrator.validation.finding import Finding
from orchestrator.vault.content import MAX_BYTES, Judged, Written
from orchestrator.vault.transaction import Landed, Terms, land
from tests.vault.world import EVERYTHING, World, tree

LIMITS = Limits(file_mb=64, write_mb=64)
FOUND = Finding("OUT201", "x", "found")


def landed(world: World, judge: object, *, commit: bool = True) -> Landed:
    world.end()
    return land(world.slot, LIMITS, Terms(EVERYTHING, judge=judge, commit=commit))  # type: ignore[arg-type]


def test_the_judge_sees_what_was_written_and_what_was_there(world: World) -> None:
    inside = world.begin()
    (inside / "Inbox/a.md").write_text("changed")
    (inside / "new").mkdir()
    (inside / "new/n.md").write_text("new")
    (inside / "keep.md").rename(inside / "moved.md")
    (inside / "Inbox/sub/b.md").unlink()
    seen: dict[str, tuple[bool, bytes, bytes | None]] = {}

    def judge(written: Written) -> Judged:
        seen[written.path] = (written.new, written.content, written.former())
        return Judged()

    changes = landed(world, judge).changes
    assert seen == {
        "Inbox/a.md": (False, b"changed", b"alpha"),
        "moved.md": (True, b"kept", b"kept"),
        "new": (True, b"", None),
        "new/n.md": (True, b"new", None),
    }
    assert {each.path for each in changes} == {*seen, "keep.md", "Inbox/sub/b.md"}


def test_what_the_judge_puts_in_its_place_is_what_lands(world: World) -> None:
    inside = world.begin()
    (inside / "Inbox/a.md").write_text("bad")
    (inside / "keep.md").rename(inside / "moved.md")
    (inside / "same.md").write_text("good")

    def judge(written: Written) -> Judged:
        return Judged(b"made harmless", warnings=(FOUND,)) if written.path != "same.md" else Judged()

    result = landed(world, judge)
    by_path = {each.path: each for each in result.changes if each.kind != "deleted"}
    for path in ("Inbox/a.md", "moved.md"):
        assert (world.notes / path).read_bytes() == b"made harmless"
        assert by_path[path].sha256 == hashlib.sha256(b"made harmless").hexdigest()
        assert by_path[path].size == len(b"made harmless")
        assert by_path[path].moved_from == ""
    assert (world.notes / "same.md").read_text() == "good"
    assert result.warnings == (FOUND, FOUND)


def test_one_refusal_refuses_all(world: World) -> None:
    before = tree(world.notes)
    inside = world.begin()
    (inside / "Inbox/a.md").write_text("bad")
    (inside / "same.md").write_text("good")
    result = landed(world, lambda written: Judged(refused=(FOUND,) if written.path == "Inbox/a.md" else ()))
    assert (result.refused, result.changes) == ((FOUND,), ())
    assert tree(world.notes) == before
    assert not list(world.vault.staging_area.glob("*/*/*"))


def test_a_file_too_large_is_judged_by_its_begin(world: World) -> None:
    inside = world.begin()
    (inside / "large.bin").write_bytes(b"x" * (MAX_BYTES + 1))
    seen: list[Written] = []

    def judge(written: Written) -> Judged:
        seen.append(written)
        return Judged()

    landed(world, judge)
    assert [(each.whole, len(each.content)) for each in seen] == [(False, 8000)]


def test_what_the_vault_forbids_never_reaches_the_judge(world: World) -> None:
    inside = world.begin()
    (inside / "link").symlink_to("keep.md")
    asked: list[Written] = []

    def judge(written: Written) -> Judged:
        asked.append(written)
        return Judged()

    assert [each.rule for each in landed(world, judge).refused] == ["VLT101"]
    assert asked == []
