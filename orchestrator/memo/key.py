"""Which recorded result a run would be: a keyed digest over everything that the result may depend on.

Inputs are taken in the order of their keys, which a skill can see; 1 and 1.0 differ. The digest is keyed, so whoever
reads the directory of results cannot try out inputs; and its key is this state directory's, as inodes mean nothing on
another machine.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Final

from orchestrator.manifest import SkillManifest
from orchestrator.manifest.document import manifest_digest
from orchestrator.policy import Decision
from orchestrator.strictjson import dumps_canonical

FORMAT: Final = 1  # of the key and of what is stored under it


@dataclass(frozen=True, slots=True)
class Question:
    """A run that the policy allows. ``inputs``: with the defaults, as the skill gets them."""

    skill: SkillManifest
    inputs: Mapping[str, Any]
    decision: Decision
    image_id: str


def key_of(question: Question, secret: bytes, *, state: str, withheld: str) -> str:
    """Hex. ``state``: the vault's. ``withheld``: a digest of the values that no output may hold, by which outputs were
    screened. Raises ``ValueError`` or ``TypeError`` for inputs that strict JSON cannot hold."""
    skill, decision = question.skill, question.decision
    if decision.spec is None or decision.limits is None or decision.grants is None:
        raise ValueError("only an allowing decision can be asked about")
    facts = {
        "format": FORMAT,
        "release": _release(),
        "code": hashlib.sha256(skill.code.encode()).hexdigest(),
        "manifest": manifest_digest(skill),  # as it would run, with what the caller replaced
        "level": decision.level,
        "policy": decision.policy_digest,
        "enforcement": decision.enforcement,
        "spec": decision.spec.digest(),
        "image": question.image_id,
        "limits": asdict(decision.limits),
        "grants": asdict(decision.grants),
        "forbidden": list(decision.forbidden),
        "withheld": withheld,
        "vault": state,
    }
    inputs = json.dumps(question.inputs, ensure_ascii=True, allow_nan=False, default=_plain).encode()
    return hmac.new(secret, dumps_canonical(facts) + b"\n" + inputs, hashlib.sha256).hexdigest()


@lru_cache(maxsize=1)
def _release() -> str:
    return version("skill-orchestrator")


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")
