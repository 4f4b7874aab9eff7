"""What a record says: drafts of intents, outcomes and events, in canonical JSON.

A body is ASCII with sorted keys and no floats (times are microseconds, sizes bytes), so equal facts are equal bytes
wherever they are read. Code and manifest are blobs: stored once, named by the SHA-256 of what is stored.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal

from orchestrator.audit.sanitised import Sanitiser, plain
from orchestrator.errors import OrchestratorError, SandboxError
from orchestrator.manifest import SkillManifest
from orchestrator.outputs.secrets import WITHHELD
from orchestrator.outputs.values import screened
from orchestrator.policy.decision import Decision
from orchestrator.policy.rules import POLICY_RULES
from orchestrator.records.errors import RecordsError
from orchestrator.results.assemble import RULE_NO_POLICY
from orchestrator.results.model import RunResult
from orchestrator.sandbox.spec import Limits, SandboxSpec
from orchestrator.text import one_line
from orchestrator.validation.finding import Finding
from orchestrator.validation.markers import CHECKS, TERMS
from orchestrator.validation.rules import RULES
from orchestrator.vault.changes import Change

Kind = Literal["intent", "outcome", "event", "rotation", "checkpoint"]

MAX_BODY_BYTES: Final = 2**20
MAX_FINDINGS: Final = 100  # of each sort in one record; how many there were is in it
MAX_CHANGES: Final = 100
FORMAT: Final = 1
RULESET_MARK: Final = '"ruleset":"'
"""What stands before the name of an intent's list of rules (``_checks``). No text in a body has it: its quotes would be
escaped."""

RAISED: Final = "raised"  # the status of an outcome where the call ended in an exception instead of a result


@dataclass(frozen=True, slots=True)
class Blob:
    sha256: str
    content: bytes

    @classmethod
    def of(cls, content: bytes) -> Blob:
        return cls(hashlib.sha256(content).hexdigest(), content)


@dataclass(frozen=True, slots=True)
class Draft:
    """A record before it has its place in the chain."""

    kind: Kind
    body: str
    run_id: str = ""
    skill: str = ""
    status: str = ""
    principal: str = ""
    session: str = ""
    code: str = ""
    manifest: str = ""
    at_us: int = field(default_factory=lambda: time.time_ns() // 1000)
    blobs: tuple[Blob, ...] = ()


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode


def canonical(body: Mapping[str, Any]) -> str:
    """``RecordsError``: larger than a record may be. ``TypeError``: a float, or nothing that JSON has."""
    text = _encode(body)
    if len(text) > MAX_BODY_BYTES:
        raise RecordsError(f"an audit record of {len(text)} bytes is larger than {MAX_BODY_BYTES}")
    return text


def _micro(seconds: float) -> int | str:
    """Millionths; what is no finite number (a caller's time-out may be anything) as text."""
    try:
        if math.isfinite(seconds):
            return round(seconds * 1e6)
        return one_line(repr(seconds), 40)
    except (OverflowError, TypeError, ValueError):  # an integer that no float, or no text, can hold; no number
        return type(seconds).__name__


def _integers(value: Any) -> dict[str, Any]:
    """A flat dataclass of numbers; seconds become microseconds."""
    found: dict[str, Any] = {}
    for each in fields(value):
        number = getattr(value, each.name)
        if each.name.endswith("_seconds"):
            found[each.name.removesuffix("_seconds") + "_us"] = _micro(number)
        elif isinstance(number, float):
            found[f"{each.name}_us"] = _micro(number)
        else:
            found[each.name] = number if abs(number) < 2**63 else "int"
    return found


# --- blobs ---------------------------------------------------------------------------------------------------------


def code_blob(code: str, texts: Sanitiser) -> Blob:
    """The code as it ran; with the secrets that stand in it taken out, so that its name may differ from its digest."""
    raw = code.encode("utf-8", "surrogatepass")
    hits = texts.detector.find(raw)
    return Blob.of(texts.detector.redacted(raw, hits) if hits else raw)


def manifest_blob(skill: SkillManifest, texts: Sanitiser) -> Blob:
    """All that the manifest says but the code, the caller's overrides included."""
    document = {
        "name": skill.name, "version": skill.version, "description": skill.description, "entrypoint": skill.entrypoint,
        "inputs_schema": plain(skill.inputs_schema), "output_schema": plain(skill.output_schema),
        "inputs": texts.outline(skill.inputs), "security_level": skill.security_level,
        "dependencies": list(skill.dependencies), "limits": _integers(skill.limits),
        "vault": {"read": list(skill.vault.read), "write": list(skill.vault.write)},
        "review": {each.name: plain(getattr(skill.review, each.name)) for each in fields(skill.review)},
        "on_error": skill.on_error, "metadata": plain(skill.metadata), "filename": skill.filename,
        "code_sha256": skill.code_digest, "digest": skill.digest,
    }  # fmt: skip
    clean = screened(document, texts.detector)[0]
    text = json.dumps(clean if clean is not WITHHELD else {"withheld": True}, sort_keys=True, separators=(",", ":"))
    return Blob.of(text.encode())


def ruleset_blob() -> Blob:
    """The ids of all rules that a decision looks at."""
    ids = sorted({*RULES, *POLICY_RULES, *(each.id for each in CHECKS.values()), *TERMS})
    return Blob.of(canonical({"format": FORMAT, "rules": ids}).encode())


# --- records -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked for a run, and where it is to go. ``instance``: the orchestrator's claim, while it lives."""

    principal: str
    session: str = ""
    image_id: str = ""
    instance: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """A skill's blobs and that of the rules."""

    code: Blob
    manifest: Blob
    rules: Blob


def intent(
    run_id: str,
    skill: SkillManifest,
    inputs: Any,
    decision: Decision,
    *,
    asked: Asked,
    kept: Kept,
    texts: Sanitiser,
) -> Draft:
    body = {
        "format": FORMAT,
        "skill": {"name": texts.text(skill.name), "version": texts.text(skill.version), "level": decision.level},
        "code": {"sha256": skill.code_digest, "bytes": len(skill.code.encode("utf-8", "surrogatepass")),
                 "redacted": kept.code.sha256 != skill.code_digest},
        "manifest": {"digest": skill.digest},
        "inputs": {"outline": texts.outline(inputs), **texts.sized_value(plain(inputs))},
        "allowed": decision.allowed,
        "policy_digest": decision.policy_digest,
        "enforcement": decision.enforcement,
        "checks": _checks(decision, kept.rules, texts),
        "image_id": asked.image_id,
        "limits": None if decision.limits is None else _limits(decision.limits),
        "sandbox": None if decision.spec is None else _sandbox(decision.spec),
        "grants": None if decision.grants is None else {
            "read": [texts.text(path, 500) for path in decision.grants.read[:MAX_CHANGES]],
            "write": [texts.text(path, 500) for path in decision.grants.write[:MAX_CHANGES]],
        },
        "instance": asked.instance,
    }  # fmt: skip
    return Draft(
        "intent",
        canonical(body),
        run_id=run_id,
        skill=texts.text(f"{skill.name}@{skill.version}"),
        status="allowed" if decision.allowed else "denied",
        principal=texts.text(asked.principal),
        session=texts.text(asked.session),
        code=kept.code.sha256,
        manifest=kept.manifest.sha256,
        blobs=(kept.code, kept.manifest, kept.rules),
    )


def _checks(decision: Decision, rules: Blob, texts: Sanitiser) -> dict[str, Any]:
    """What was found; what passed is every other rule of the blob ``ruleset``, unless there was no policy to look."""
    found = {"failed": decision.violations, "warned": decision.warnings, "would_deny": decision.would_deny}
    looked = all(each.rule != RULE_NO_POLICY for each in decision.violations)
    listed = {name: _findings(each, texts, subject=True) for name, each in found.items()}
    return {"ruleset": rules.sha256 if looked else "", **{name: each for name, each in listed.items() if each}}


def _findings(found: Sequence[Finding], texts: Sanitiser, *, subject: bool) -> list[dict[str, Any]]:
    """``subject``: what a rule looked at is a name in the code or the manifest, not something that a run made up."""
    listed: list[dict[str, Any]] = []
    for each in found[:MAX_FINDINGS]:
        one: dict[str, Any] = {"rule": each.rule, "severity": each.severity}
        if each.line:
            one |= {"line": each.line, "column": each.column}
        if subject or each.rule.startswith("VLT"):
            one["subject"] = texts.text(each.subject, 120)
        listed.append(one)
    if len(found) > MAX_FINDINGS:
        listed.append({"rule": "", "more": len(found) - MAX_FINDINGS})
    return listed


@functools.lru_cache(maxsize=64)  # not to be changed by who gets it
def _limits(limits: Limits) -> dict[str, Any]:
    return _integers(limits)


@functools.lru_cache(maxsize=32)  # levels have one each; not to be changed by who gets it
def _sandbox(spec: SandboxSpec) -> dict[str, Any]:
    """What was asked of the engine, and read back before the run (``PostureError`` otherwise)."""
    return {
        "digest": spec.digest(), "image_id": spec.image_id, "memory_bytes": spec.memory_bytes,
        "cpus_millionths": _micro(spec.cpus), "pids": spec.pids, "tmp_bytes": spec.tmp_bytes,
        "tmp_inodes": spec.tmp_inodes, "nofile": spec.nofile, "file_bytes": spec.file_bytes,
        "seccomp_sha256": hashlib.sha256(spec.seccomp.encode()).hexdigest(), "landlock": spec.landlock,
        "vault_view": spec.vault_view, "runtime": spec.runtime, "uid": spec.uid, "gid": spec.gid,
    }  # fmt: skip


def outcome(result: RunResult, texts: Sanitiser) -> Draft:
    """Of what a skill wrote there is no word in it: sizes and digests. What went wrong is the status; an exception is
    named by its type, for its message may quote a note."""
    error = result.error
    body = {
        "format": FORMAT,
        "level": result.level,
        "error": None if error is None else {"type": texts.name(error.type), "message": texts.sized(error.message)},
        "output": None if result.output is None else texts.sized_value(plain(result.output)),
        "stdout": texts.sized(result.stdout),
        "stderr": texts.sized(result.stderr),
        "committed": result.committed,
        "changes": _changes(result.changes, texts),
        "review": result.review,
        "attempts": result.attempts,
        "cached": {"run_id": result.cached_run_id} if result.cached else None,
        "usage": _integers(result.usage),
        "timings": _integers(result.timings),
        "warm": result.warm,
        "exit_code": result.exit_code,
        "signal": result.signal,
        "violations": _findings(result.violations, texts, subject=False),
        "warnings": _findings(result.warnings, texts, subject=False),
        "would_deny": _findings(result.would_deny, texts, subject=False),
        "enforcement": result.enforcement,
        "policy_digest": result.policy_digest,
        "image_id": result.image_id,
        "manifest_digest": result.manifest_digest,
    }
    skill = texts.text(result.skill)
    return Draft("outcome", canonical(body), run_id=result.run_id, skill=skill, status=str(result.status))


def _changes(changes: Sequence[Change], texts: Sanitiser) -> dict[str, Any]:
    listed = [
        {"kind": each.kind, "path": texts.text(each.path, 240), "size": each.size, "directory": each.directory,
         "digest": texts.digest_of_hash(each.sha256)}
        | ({"moved_from": texts.text(each.moved_from, 240)} if each.moved_from else {})
        for each in changes[:MAX_CHANGES]
    ]  # fmt: skip
    every = [(each.kind, each.path, each.sha256, each.moved_from) for each in changes]
    found: dict[str, Any] = {"count": len(changes), "listed": listed}
    if every:
        found["digest"] = texts.digest(repr(every).encode("utf-8", "surrogatepass"))
    return found


def raised(run_id: str, skill: str, error: BaseException, texts: Sanitiser) -> Draft:
    """The outcome of a call that ended in an exception. Messages of ours stay; what may quote a sandbox does not."""
    body: dict[str, Any] = {"format": FORMAT, "error": {"type": type(error).__name__}}
    if isinstance(error, OrchestratorError) and not isinstance(error, SandboxError):
        body["error"]["text"] = texts.text(error.message.partition("\n")[0])
    return Draft("outcome", canonical(body), run_id=run_id, skill=texts.text(skill), status=RAISED)


def event(
    action: str,
    texts: Sanitiser,
    *,
    facts: Mapping[str, Any],
    principal: str = "",
    session: str = "",
    run_id: str = "",
    skill: str = "",
) -> Draft:
    body = {"format": FORMAT, "action": texts.name(action), "facts": texts.outline(facts, lines=True)}
    return Draft(
        "event", canonical(body), run_id=run_id, skill=texts.text(skill), principal=texts.text(principal),
        session=texts.text(session), status=texts.name(action),
    )  # fmt: skip


def rotation(new_key: str) -> Draft:
    """The last record under the former key."""
    return Draft("rotation", canonical({"format": FORMAT, "key": new_key}))


def checkpoint(through: int, mac: str) -> Draft:
    """All records up to ``through``, whose MAC it was, were forgotten on purpose."""
    return Draft("checkpoint", canonical({"format": FORMAT, "mac": mac, "through": through}))
