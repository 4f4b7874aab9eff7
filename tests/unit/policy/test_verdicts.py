"""Decisions that are kept: the same question is answered once, and an edited policy voids its own level's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.manifest import load_manifest
from orchestrator.manifest.model import SkillManifest, VaultGrants
from orchestrator.policy import Decision, PolicyStore, Verdicts
from orchestrator.policy import verdicts as module
from orchestrator.validation.scanner import Scanner
from tests.support.policies import HOST, LEVELS, policy_dir

DOCUMENT: dict[str, Any] = {
    "manifest_version": 1,
    "name": "kept",
    "version": "1.0.0",
    "code": "def main(number):\n    return {'number': number}\n",
    "inputs_schema": {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]},
}


@dataclass
class Desk:
    directory: Path
    store: PolicyStore
    verdicts: Verdicts

    def decide(self, skill: SkillManifest, **more: Any) -> Decision:
        return self.verdicts.decide(self.store.current(skill.security_level), skill, HOST, **more)

    def edit(self, level: str, former: str, new: str) -> None:
        file = self.directory / f"{level}.toml"
        text = file.read_text()
        assert former in text
        file.write_text(text.replace(former, new))
        self.store.accept()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    directory, state_dir = policy_dir(tmp_path), tmp_path / "state"
    state_dir.mkdir(mode=0o700)
    with Scanner() as scanner:
        yield Desk(directory, PolicyStore(directory, state_dir), Verdicts(scanner))


def skill(**changes: Any) -> SkillManifest:
    return load_manifest({**DOCUMENT, **changes})


def test_the_same_question_is_answered_once(desk: Desk) -> None:
    first = desk.decide(skill())
    again = load_manifest({**DOCUMENT, "description": ""})  # another object, which says the same
    assert desk.decide(skill()) is first
    assert desk.decide(again) is first
    assert first.allowed
    assert (desk.verdicts.asked, desk.verdicts.evaluated) == (3, 1)


def test_a_denial_is_kept_too(desk: Desk) -> None:
    denied = skill(code="import socket\n\ndef main(number):\n    pass\n")
    assert not desk.decide(denied).allowed
    assert desk.decide(denied) is desk.decide(denied)
    assert desk.verdicts.evaluated == 1


def _changed(skill: SkillManifest) -> list[SkillManifest]:
    """The caller's overrides, and manifests put together by hand, whose digest is not theirs."""
    limits = skill.limits
    return [
        replace(skill, limits=replace(limits, wall_seconds=5.0)),
        replace(skill, limits=replace(limits, wall_seconds=5)),
        replace(skill, limits=replace(limits, wall_seconds=1)),
        replace(skill, limits=replace(limits, wall_seconds=True)),
        replace(skill, security_level="strict"),
        replace(skill, vault=VaultGrants(read=("Inbox",))),
        replace(skill, vault=VaultGrants(write=("Inbox",))),
        replace(skill, dependencies=("no-such-package",)),
        replace(skill, entrypoint="other"),
        replace(skill, inputs_schema=None),
        replace(skill, code=skill.code + "#"),
        replace(skill, code="eval('1')"),
    ]


def test_another_question_is_another_answer(desk: Desk) -> None:
    questions = [skill(), *_changed(skill())]
    kept = [desk.decide(question) for question in questions]
    assert desk.verdicts.evaluated == len(questions)
    assert [desk.decide(question) for question in questions] == kept
    assert desk.verdicts.evaluated == len(questions)
    for question, decision in zip(questions, kept, strict=True):
        policy = desk.store.current(question.security_level)
        assert decision == policy.evaluate(question, desk.verdicts._scanner.inspect(question), HOST)
    assert not kept[4].allowed or kept[4].level == "strict"
    assert not kept[-1].allowed


def test_the_enforcement_counts(desk: Desk) -> None:
    denied = skill(code="import socket\n\ndef main(number):\n    pass\n")
    enforced, audited = desk.decide(denied), desk.decide(denied, enforcement="audit")
    assert (enforced.allowed, audited.allowed) == (False, True)
    assert desk.decide(denied, enforcement="audit") is audited
    assert desk.decide(denied) is enforced


def test_an_edited_policy_voids_the_verdicts_of_its_level_only(desk: Desk) -> None:
    skills = {level: skill(security_level=level) for level in LEVELS}
    kept = {level: desk.decide(wanted) for level, wanted in skills.items()}
    desk.edit("standard", "[limits]\n", "[limits] # a comment says nothing\n")
    assert all(desk.decide(wanted) is kept[level] for level, wanted in skills.items())
    desk.edit("standard", "[pool]\nwarm_target = ", "[pool]\nwarm_target = 1 #")
    assert desk.decide(skills["standard"]) is not kept["standard"]
    assert desk.decide(skills["standard"]).policy_digest == desk.store.current("standard").digest
    assert desk.decide(skills["strict"]) is kept["strict"]
    assert desk.decide(skills["relaxed"]) is kept["relaxed"]
    assert desk.verdicts.evaluated == len(LEVELS) + 1


def test_an_edit_that_is_not_accepted_voids_nothing(desk: Desk) -> None:
    kept = desk.decide(skill())
    with (desk.directory / "standard.toml").open("a") as file:
        file.write("\n[nonsense]\n")
    desk.store.refresh()
    assert desk.decide(skill()) is kept


def test_another_installation_is_another_question(desk: Desk) -> None:
    policy = desk.store.current("standard")
    rooted = replace(HOST, uid=0)
    assert desk.verdicts.decide(policy, skill(), HOST).allowed
    assert not desk.verdicts.decide(policy, skill(), rooted).allowed
    assert desk.verdicts.decide(policy, skill(), HOST).allowed


def test_a_scan_that_did_not_finish_is_asked_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert not desk.decide(skill()).allowed
    monkeypatch.undo()
    assert desk.decide(skill()).allowed


def test_what_is_kept_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LEVEL_WEIGHT", 5)
    for number in range(20):
        desk.decide(skill(version=f"1.0.{number}"))
    (level,) = desk.verdicts._levels.values()
    assert len(level.decisions) == 5
