"""A policy that is tried, not enforced: what it would deny is reported, and run; what is the boundary stays denied."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator import ManifestError, Orchestrator, RunResult, Status
from orchestrator.policy import default_policy_dir
from tests.core.conftest import manifest

USES = """
import threading

def main():
    found = []
    thread = threading.Thread(target=lambda: found.append(eval("6 * 7")))
    thread.start()
    thread.join()
    return found
"""


def rules(result: RunResult) -> set[str]:
    return {finding.rule for finding in result.would_deny}


def test_what_would_be_denied_is_reported_and_run(orchestrator: Orchestrator) -> None:
    denied = orchestrator.run(manifest(USES))
    assert (denied.status, denied.enforcement, denied.would_deny) == (Status.DENIED, "enforce", ())
    result = orchestrator.run(manifest(USES), enforcement="audit")
    assert (result.status, result.output) == (Status.SUCCEEDED, [42])
    assert result.enforcement == "audit"
    assert "ORC201" in rules(result)
    assert any("threading" in finding.subject for finding in result.would_deny)
    assert result.violations == ()
    assert {finding.rule for finding in denied.violations} == {each for each in rules(result) if each[:3] != "GRD"}
    assert json.loads(json.dumps(result.to_dict()))["enforcement"] == "audit"


def test_what_only_a_guard_sees_is_reported_too(orchestrator: Orchestrator) -> None:
    """No text of the skill names the event."""
    code = """
def main():
    from pathlib import Path
    for _ in range(3):
        open("/dev/null").close()
    Path("/tmp/y").symlink_to("x")
"""
    result = orchestrator.run(manifest(code), enforcement="audit")
    assert ("GRD301", "os.symlink") in {(finding.rule, finding.subject) for finding in result.would_deny}
    assert result.status is Status.FAILED  # the sandbox has no symlinks, whatever the policy's mode
    assert result.usage.file_opens >= 3


def test_an_allowed_skill_is_reported_as_such(orchestrator: Orchestrator) -> None:
    result = orchestrator.run(manifest("def main():\n    return 1\n"), enforcement="audit")
    assert (result.ok, result.enforcement, result.would_deny) == (True, "audit", ())


BOUNDARY: dict[str, dict[str, Any]] = {
    "POL201": {"limits": {"memory_mb": 10_000}},
    "POL303": {"vault": {"write": [".git"]}},
    "POL404": {"dependencies": ["numpy"]},
    "ORC001": {"code": "def main(:\n"},
}


@pytest.mark.parametrize("rule", sorted(BOUNDARY))
def test_the_boundary_is_denied_in_audit_mode_as_well(orchestrator: Orchestrator, rule: str) -> None:
    document = manifest("def main():\n    return 1\n") | BOUNDARY[rule]
    result = orchestrator.run(document, enforcement="audit")
    assert result.status is Status.DENIED
    assert rule in {finding.rule for finding in result.violations}
    assert result.usage.wall_seconds == 0


def test_changes_outside_the_grants_are_refused_in_audit_mode_as_well(orchestrator: Orchestrator, vault: Path) -> None:
    code = "import os\ndef main():\n    open('/vault/Private/x.md', 'w').write('x')\n"
    result = orchestrator.run(manifest(code, vault={"write": ["Inbox"]}), enforcement="audit")
    assert not result.committed
    assert result.status in (Status.FAILED, Status.DENIED)
    assert not (vault / "Private" / "x.md").exists()


@pytest.fixture
def trying(tmp_path: Path, make_settings: Callable[..., Any], vault: Path) -> Iterator[Orchestrator]:
    """Under a standard policy that says audit, and grants no directory but ``Inbox``."""
    policies = tmp_path / "policies"
    shutil.copytree(default_policy_dir(), policies)
    file = policies / "standard.toml"
    text = file.read_text().replace("version = 1\n", 'version = 1\nenforcement = "audit"\n', 1)
    file.write_text(text.replace('read = ["."]\nwrite = ["."]', 'read = ["Inbox"]\nwrite = ["Inbox"]'))
    with Orchestrator(make_settings(vault=vault, policy_dir=policies)) as orchestrator:
        yield orchestrator


def test_a_policy_file_says_audit_and_a_caller_may_still_enforce(trying: Orchestrator) -> None:
    result = trying.run(manifest(USES))
    assert (result.status, result.enforcement) == (Status.SUCCEEDED, "audit")
    assert trying.run(manifest(USES), enforcement="enforce").status is Status.DENIED


def test_directories_outside_the_roots_are_granted_and_reported(trying: Orchestrator) -> None:
    code = "from pathlib import Path\ndef main():\n    return Path('/vault/Private/secret.md').read_text()\n"
    result = trying.run(manifest(code, vault={"read": ["Private"]}))
    assert (result.status, result.output, rules(result)) == (Status.SUCCEEDED, "canary-4711\n", {"POL301"})


def test_a_manifest_cannot_ask_for_it(orchestrator: Orchestrator) -> None:
    with pytest.raises(ManifestError):
        orchestrator.run(manifest("def main():\n    return 1\n", enforcement="audit"))
