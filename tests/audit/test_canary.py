"""A secret, and a note's content, in every place where a run has text: nothing of it is in the trail, in any form."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.audit.export import lines
from orchestrator.audit.query import Reader
from orchestrator.results.model import SkillError, Status
from orchestrator.validation.finding import Finding
from orchestrator.vault.changes import Change
from tests.audit.conftest import DETECTOR, Archive, allowed, result_of, skill_of
from tests.support.secret_samples import CANARY, SAMPLES

KEY = SAMPLES["github"][0]
NOTE = "Dear diary, nobody must know that the harbour lights were blue that evening in Velden."
LINE = "Dear diary, it rained"  # a note may be short
WORDS = (CANARY, KEY, NOTE, "harbour lights were blue", LINE)


def forms(word: str) -> set[bytes]:
    """As it is, as JSON has it, as hex, and as base64 at its three alignments."""
    raw = word.encode()
    found = {raw, json.dumps(word)[1:-1].encode(), raw.hex().encode(), raw[::-1]}
    for lead in range(3):
        text = base64.b64encode(b"\0" * lead + raw).rstrip(b"=")
        found.add(text[(0, 2, 3)[lead] : -1])
    return found


def everything(archive: Archive) -> bytes:
    """All bytes of the database with its log, of the anchors, and of an export."""
    exported = "\n".join(lines(Reader(archive.database).records()))
    columns = archive.rows("SELECT * FROM audit_records")
    blobs = b"\n".join(bytes(each.content) for each in archive.rows("SELECT content FROM audit_blobs"))
    found = [exported.encode(), repr(columns).encode(), blobs, archive.anchors.path.read_bytes()]
    if isinstance(archive.where, Path):
        found += [path.read_bytes() for path in archive.where.parent.glob(f"{archive.where.name}*")]
    return b"\n".join(found)


def fill(archive: Archive) -> None:
    text = f"{CANARY} {KEY}\n{NOTE}"
    code = f"TOKEN = {CANARY!r}\nKEY = {KEY!r}\ndef main(**x):\n    return x\n"
    skill = skill_of(
        code, description=f"uses {KEY}", inputs={"token": CANARY}, metadata={"about": CANARY}, dependencies=[]
    )
    finding = Finding("OUT101", f"output/{CANARY}", f"found {text}", text)
    vault = Finding("VLT201", f"Inbox/{CANARY}.md", text)
    parts = [CANARY[:14], CANARY[14:]]
    inputs = {
        "token": CANARY,
        CANARY: 1,
        "text": NOTE,
        "line": LINE,
        LINE: [LINE],
        "deep": [{"key": KEY}, text],
        "parts": parts,
    }
    with archive.trail() as trail:
        trail.intent("r1", skill, inputs, allowed(violations=(replace(finding, rule="ORC101"),), would_deny=(vault,)),
                     principal=f"anna {CANARY}", session=KEY, image_id="sha256:1")  # fmt: skip
        result = result_of(
            "r1", status=Status.FAILED, reason=text, output={"x": text}, stdout=text, stderr=text,
            error=SkillError(f"Error{NOTE}", text, text), violations=(finding, vault), warnings=(finding,),
            would_deny=(replace(finding, rule="GRD101", subject=NOTE, message=NOTE),), diff=text, skill="sums@1.0.0",
            changes=(Change("created", f"Inbox/{KEY}.md", len(NOTE), "c" * 64, moved_from=f"{CANARY}.md"),),
        )  # fmt: skip
        trail.outcome(result)
        trail.raised("r2", f"sums@{CANARY}", RuntimeError(text))
        trail.event("review.approved", principal=CANARY, facts={"comment": text, "path": f"a/{KEY}"})


def test_the_scan_can_find_something(archive: Archive) -> None:
    """The control: what is written past the trail is found."""
    fill(archive)
    leak = base64.b64encode(b"a" + NOTE.encode())
    archive.sql("INSERT INTO audit_blobs (sha256, content) VALUES ('x', :content)", content=leak)
    found = everything(archive)
    assert any(form in found for form in forms(NOTE))


def test_nothing_of_it_is_there(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_TOKEN", CANARY)
    fill(archive)
    assert os.environ["SERVICE_TOKEN"] == CANARY
    found = everything(archive)
    for word in WORDS:
        assert [form for form in forms(word) if form in found] == []
    assert DETECTOR.known.find(found) == []  # nor in any other coat
    assert archive.verify().ok


def test_what_is_left_still_says_what_happened(archive: Archive) -> None:
    fill(archive)
    run = Reader(archive.database).show("r1")
    assert run is not None
    assert run.intent is not None
    assert run.outcome is not None
    assert run.intent.body["inputs"]["outline"]["text"] == f"[text of {len(NOTE)} characters]"
    assert run.intent.body["code"]["redacted"] is True
    assert "[secret removed: canary]" in run.code
    assert run.outcome.body["stdout"]["bytes"] == len(f"{CANARY} {KEY}\n{NOTE}")
    assert [each["rule"] for each in run.outcome.body["violations"]] == ["OUT101", "VLT201"]
    change = run.outcome.body["changes"]["listed"][0]
    assert (change["kind"], change["size"]) == ("created", len(NOTE))
    assert change["digest"] not in ("", "c" * 64)


def test_digests_of_small_inputs_cannot_be_guessed(archive: Archive, tmp_path: Path) -> None:
    """Two installations: the same input, other digests."""
    other = Archive(tmp_path / "other.db", tmp_path / "other")
    other.home.mkdir(mode=0o700)
    digests = set()
    for each in (archive, other):
        each.fill(1)
        run = Reader(each.database).show(f"{0:016x}")
        assert run is not None
        assert run.intent is not None
        digests.add(run.intent.body["inputs"]["digest"])
    other.close()
    assert len(digests) == 2
