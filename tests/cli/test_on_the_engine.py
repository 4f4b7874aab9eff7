"""The verbs on the real engine: what is printed where, and which exit code says what."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from orchestrator.cli import demo_books
from orchestrator.cli.app import app
from orchestrator.image.model import BuiltImage
from orchestrator.sandbox.docker_engine import DockerEngine
from orchestrator.sandbox.options import LABEL, LABEL_INSTANCE, LABEL_STATE
from orchestrator.sandbox.ownership import state_id
from tests.conftest import MakeVault

HOSTILE = "\x1b]52;c;QUFB\x07\x1b[2J\x9b\u202e[bold]b[/bold][link=http://e.x]c[/link]"

GREEDY = "def main():\n    return [bytearray(1 << 20) for _ in range(200)]\n"
FLOOD = "def main():\n    while True:\n        print('x' * 1000)\n"


@pytest.fixture
def environment(engine_url: str, state_dir: Path, image: BuiltImage) -> dict[str, str]:
    return {"DOCKER_HOST": engine_url, "ORCHESTRATOR_STATE_DIR": str(state_dir), "COLUMNS": "200"}


@pytest.fixture
def call(environment: dict[str, str]) -> Any:
    def call(*arguments: str | Path, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, [str(each) for each in arguments], env=environment, input=stdin)

    return call


@pytest.fixture
def skill(tmp_path: Path) -> Any:
    def skill(code: str, **document: Any) -> Path:
        path = tmp_path / "skill.json"
        path.write_text(json.dumps({"manifest_version": 1, "name": "a", "version": "1.0.0", "code": code, **document}))
        return path

    return skill


def test_the_result_is_all_that_stdout_gets(call: Any, skill: Any) -> None:
    manifest = skill("def main(a, b=2):\n    print('printed')\n    return {'sum': a + b}\n")
    result = call("run", manifest, "--inputs", '{"a": 40}')
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"sum": 42}
    assert "  | printed\n" in result.stderr
    assert "succeeded" in result.stderr
    assert "cold" in result.stderr


def test_json_is_one_document_with_everything(call: Any, skill: Any) -> None:
    manifest = skill("def main(a):\n    print('printed')\n    return a\n")
    result = call("run", manifest, "--inputs", "@-", "-o", "json", stdin='{"a": "x"}')
    document = json.loads(result.stdout)
    assert (document["status"], document["output"], document["stdout"]) == ("succeeded", "x", "printed\n")
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("code", "document", "status", "exit_code"),
    [
        ("def main():\n    raise ValueError('no')\n", {}, "failed", 1),
        ("import os\ndef main():\n    return 1\n", {}, "denied", 3),
        ("def main():\n    while True:\n        pass\n", {"limits": {"wall_seconds": 0.5}}, "timed_out", 4),
        (GREEDY, {"limits": {"memory_mb": 40}}, "out_of_memory", 4),
        (FLOOD, {"limits": {"output_kb": 8}}, "output_exceeded", 4),
    ],
)  # fmt: skip
def test_exit_codes_tell_failure_denial_and_limits_apart(
    call: Any, skill: Any, code: str, document: dict[str, Any], status: str, exit_code: int
) -> None:
    result = call("run", skill(code, **document))
    assert result.exit_code == exit_code
    assert status in result.stderr
    assert result.stdout == ""


def test_a_timeout_above_the_ceiling_is_denied_not_lowered(call: Any, skill: Any) -> None:
    result = call("run", skill("def main():\n    pass\n"), "--timeout", "100000")
    assert result.exit_code == 3
    assert "POL201" in result.stderr


def test_nothing_hostile_reaches_the_terminal(call: Any, skill: Any) -> None:
    code = f"def main():\n    print({HOSTILE!r})\n    return {{{HOSTILE!r}: {HOSTILE!r}}}\n"
    failing = f"def main():\n    print({HOSTILE!r})\n    raise type({HOSTILE!r}, (Exception,), {{}})({HOSTILE!r})\n"
    for each in (code, failing, f"import subprocess  # {HOSTILE}\n"):
        for output in ("text", "json"):
            result = call("run", skill(each, description=HOSTILE), "-o", output)
            assert not any(character in result.output for character in "\x1b\x07\x9b\u202e")
    assert "[bold]b[/bold]" in call("run", skill(code)).stderr


def test_a_skill_changes_the_vault_it_was_given(call: Any, make_vault: MakeVault) -> None:
    from orchestrator.examples import SKILLS

    vault = make_vault({"Inbox/a.md": "# Title\n\nwords words words\n"})
    result = call("run", SKILLS / "summarise-inbox.json", "--vault", vault)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["notes"] == 1
    assert "+ Summaries/index.md" in result.stderr
    assert "words" in (vault / "Summaries" / "index.md").read_text()


def test_ctrl_c_cancels_and_still_shows_how_it_ended(environment: dict[str, str], skill: Any) -> None:
    manifest = skill("def main():\n    print('running')\n    while True:\n        pass\n", limits={"wall_seconds": 30})
    with subprocess.Popen(
        [sys.executable, "-c", "from orchestrator.cli import main; main()", "run", str(manifest)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment},
    ) as process:  # fmt: skip
        assert process.stderr is not None
        while "| running" not in (line := process.stderr.readline()):
            assert line, "it ended before it ran"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "cancelled: the caller cancelled the run" in err
    assert out == ""


def test_pool_stats_reach_their_targets(call: Any) -> None:
    document = json.loads(call("pool", "stats", "-o", "json").stdout)
    assert document["warm"] == document["warm_target"] > 0
    assert document["primed_seconds"] > 0
    assert [each["level"] for each in document["specs"]]


def test_image_inspect(call: Any, image: BuiltImage) -> None:
    assert json.loads(call("image", "inspect", "-o", "json").stdout)["image_id"] == image.image_id
    assert json.loads(call("image", "build", "-o", "json").stdout)["image_id"] == image.image_id


def test_cleanup_removes_what_the_dead_left_and_nothing_else(
    call: Any, real_engine: DockerEngine, state_dir: Path, image: BuiltImage
) -> None:
    def container(owner: str, state: str) -> str:
        labels = {LABEL: "1", LABEL_INSTANCE: owner, LABEL_STATE: state}
        return real_engine.create(f"skill-{owner}-{state}", {"Image": image.image_id, "Labels": labels})

    dead = container("d" * 16, state_id(state_dir))
    foreign = container("e" * 16, "f" * 16)
    slot = state_dir / "slots" / ("d" * 16) / "0123"
    slot.mkdir(parents=True)
    try:
        dry = json.loads(call("cleanup", "--dry-run", "-o", "json").stdout)
        assert dry["removed"] is False
        assert dry["containers"] == [f"skill-{'d' * 16}-{state_id(state_dir)}"]
        assert dry["directories"] == [str(slot)]
        assert real_engine.inspect(dead) is not None
        assert call("cleanup").exit_code == 0
        assert real_engine.inspect(dead) is None
        assert not slot.exists()
        assert real_engine.inspect(foreign) is not None
        assert "nothing was left behind" in call("cleanup").stdout
    finally:
        real_engine.remove(dead)
        real_engine.remove(foreign)


def test_the_demo_ends_as_it_says(environment: dict[str, str]) -> None:
    result = CliRunner().invoke(app, ["demo"], env=environment)
    assert result.exit_code == 0, result.output
    for word in (
        "timed_out", "out_of_memory", "denied", "Summaries/index.md", "warm", "Containers left: 0",
        "then denied: [REG103]", "then denied: [SES101]", "quarantined", "| ## Skills", "the audit trail is whole: ",
    ):  # fmt: skip
        assert word in result.stdout


def test_the_demo_says_what_is_not_as_it_should_be(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_books, "FAILURES_IN_A_ROW", 1)  # so the run after it is not refused yet
    result = CliRunner().invoke(app, ["demo"], env=environment)
    assert result.exit_code == 1, result.output
    assert "Not as it should be: always-fails is not in quarantine" in result.stdout


def test_the_demo_leaves_the_users_records_alone(environment: dict[str, str], tmp_path: Path, call: Any) -> None:
    told = tmp_path / "told"
    asked = {"ORCHESTRATOR_ALERT_COMMAND": json.dumps(["/bin/sh", "-c", f"cat >> '{told}'"])}
    before = json.loads(call("skills", "list", "-o", "json").stdout)
    assert CliRunner().invoke(app, ["demo"], env={**environment, **asked}).exit_code == 0
    assert json.loads(call("skills", "list", "-o", "json").stdout) == before
    assert not told.exists()


def test_a_run_on_the_budget_of_a_session(call: Any, skill: Any) -> None:
    session = call("sessions", "open", "--runs", "1", "--label", "of the test").stdout.strip()
    manifest = skill("def main():\n    return 1\n")
    assert call("run", manifest, "--session", session).exit_code == 0
    refused = call("run", manifest, "--session", session)
    assert refused.exit_code == 3
    assert "SES101" in refused.stderr
    assert call("run", manifest).exit_code == 0
    unknown = call("run", manifest, "--session", "\x1b[2Jnone")
    assert unknown.exit_code == 2
    assert "sessions list" in unknown.stderr
    assert "\x1b" not in unknown.output


def test_debug_shows_where_the_skill_failed(call: Any, skill: Any) -> None:
    manifest = skill("def helper():\n    raise ValueError('no')\ndef main():\n    return helper()\n")
    shown = call("--debug", "run", manifest)
    assert shown.exit_code == 1
    assert "in helper" in shown.stderr
    assert "Traceback" not in call("run", manifest).stderr


@pytest.mark.parametrize(("given", "recorded"), [((), pwd.getpwuid(os.getuid()).pw_name), (("--principal", "x"), "x")])
def test_who_asks_is_on_record(call: Any, skill: Any, given: tuple[str, ...], recorded: str) -> None:
    document = json.loads(call("run", skill("def main():\n    return 1\n"), *given, "-o", "json").stdout)
    shown = json.loads(call("audit", "show", document["run_id"], "-o", "json").stdout)
    assert shown["intent"]["principal"] == recorded


def test_a_recorded_result_is_marked_and_not_taken_when_a_fresh_one_is_wanted(call: Any, skill: Any) -> None:
    once = f"def main():\n    return {os.urandom(8).hex()!r}\n"  # not what an earlier test run recorded
    manifest = skill(once, pure=True, cache={"ttl_seconds": 600})
    first, second, third = call("run", manifest), call("run", manifest), call("run", manifest, "--fresh")
    assert first.stdout == second.stdout == third.stdout
    assert "the recorded result of run " in second.stderr
    assert "  recorded: nothing ran; `--fresh` runs it again\n" in second.stderr
    assert "in the sandbox" not in second.stderr
    for each in (first, third):
        assert "recorded" not in each.stderr
        assert "in the sandbox" in each.stderr


def test_what_stands_in_is_marked(call: Any, skill: Any) -> None:
    manifest = skill("def main():\n    raise ValueError\n", on_error={"fallback": {"value": {"n": 0}}})
    result = call("run", manifest)
    assert result.exit_code == 1
    assert "  degraded: the manifest's fallback is " in result.stderr
    assert result.stdout == ""


def test_a_run_under_audit_says_so_and_what_would_be_denied(call: Any, skill: Any) -> None:
    manifest = skill("def main():\n    return eval('6 * 7')\n")
    assert call("run", manifest).exit_code == 3
    result = call("run", manifest, "--enforcement", "audit")
    assert (result.exit_code, result.stdout) == (0, "42\n")
    assert "audit: the policy was not enforced; it would have denied this run: 1 finding\n" in result.stderr
    assert "would deny ORC201" in result.stderr
    harmless = call("run", skill("def main():\n    return 1\n"), "--enforcement", "audit")
    assert "it would have denied nothing" in harmless.stderr


def test_a_toml_manifest_runs(call: Any, tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("def main():\n    return 1\n")
    manifest = tmp_path / "skill.toml"
    manifest.write_text('manifest_version = 1\nname = "a"\nversion = "1.0.0"\ncode_file = "code.py"\n')
    assert call("run", manifest).stdout == "1\n"
