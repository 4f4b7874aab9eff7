"""``Orchestrator.run`` on the real engine: what goes in, what comes out, what may not happen."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator import InputsError, ManifestError, Orchestrator, RunEvent, RunResult, Settings, SkillFailed, Status
from tests.core.conftest import manifest

COUNT = """
from pathlib import Path

def main(folder, suffix=".md"):
    print("counting", folder)
    return {"notes": sorted(note.name for note in Path("/vault", folder).glob("*" + suffix))}
"""


def test_a_skill_gets_its_inputs_and_its_output_comes_back(orchestrator: Orchestrator) -> None:
    result = orchestrator.run(manifest(COUNT, vault={"read": ["Inbox"]}), {"folder": "Inbox"})
    assert (result.status, result.output) == (Status.SUCCEEDED, {"notes": ["a.md", "b.md"]})
    assert result.stdout == "counting Inbox\n"
    assert result.stderr == ""
    assert result.changes == ()
    assert result.warm
    assert result.usage.memory_peak_bytes > 2**20
    assert result.usage.wall_seconds > 0
    assert result.usage.file_opens >= 0
    assert result.exit_code == 0
    assert result.image_id.startswith("sha256:")
    assert json.loads(json.dumps(result.to_dict()))["status"] == "succeeded"


def test_a_manifest_file_with_a_code_file(orchestrator: Orchestrator, tmp_path: Path) -> None:
    (tmp_path / "count.py").write_text(COUNT)
    document = manifest("", code_file="count.py", vault={"read": ["Inbox"]}, inputs={"folder": "Inbox"})
    del document["code"]
    (tmp_path / "count.json").write_text(json.dumps(document))
    assert orchestrator.run(tmp_path / "count.json").ok
    assert orchestrator.run(str(tmp_path / "count.json"), {"suffix": ".txt"}).output == {"notes": []}


def test_a_script_sets_result(orchestrator: Orchestrator) -> None:
    script = 'assert __name__ == "__main__"\nresult = {"sum": sum(range(10))}\n'
    assert orchestrator.run(manifest(script, entrypoint=None)).output == {"sum": 45}


def test_a_script_reads_its_inputs(orchestrator: Orchestrator) -> None:
    script = manifest("result = inputs['a'] + inputs['b']\n", entrypoint=None, inputs={"a": 1, "b": 1})
    assert orchestrator.run(script, inputs={"b": 41}).output == 42


def test_an_async_entrypoint(orchestrator: Orchestrator) -> None:
    assert orchestrator.run(manifest("async def main():\n    return 7\n")).output == 7


def test_main_guard_stays_shut_for_an_entrypoint(orchestrator: Orchestrator) -> None:
    code = 'def main():\n    return 1\n\nif __name__ == "__main__":\n    raise SystemExit(3)\n'
    assert orchestrator.run(manifest(code)).output == 1


def test_an_exception_is_a_failed_result(orchestrator: Orchestrator) -> None:
    result = orchestrator.run(manifest("def main():\n    raise ValueError('no such note')\n"))
    assert result.error is not None
    assert (result.error.type, result.error.traceback) == ("ValueError", "")  # where is for who debugs


def test_who_debugs_sees_the_skills_own_frames(make_settings: Callable[..., Any]) -> None:
    code = "def helper():\n    raise ValueError('no such note')\n\ndef main():\n    helper()\n"
    with Orchestrator(make_settings(log_level="verbose")) as orchestrator:
        result = orchestrator.run(manifest(code))
    assert (result.status, result.reason) == (Status.FAILED, "ValueError: no such note")
    assert result.error is not None
    assert "line 2, in helper" in result.error.traceback
    assert "executor" not in result.error.traceback
    with pytest.raises(SkillFailed, match="no such note"):
        result.raise_for_status()


def test_output_off_its_schema_fails(orchestrator: Orchestrator) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    result = orchestrator.run(manifest("def main():\n    return {'n': 'three'}\n", output_schema=schema))
    assert result.status is Status.FAILED
    assert "/n" in result.reason
    assert result.output is None


@pytest.mark.parametrize("value", ["float('nan')", "{1, 2}", "b'bytes'", "object()", "'\\ud800'"])
def test_output_that_is_not_json_fails(orchestrator: Orchestrator, value: str) -> None:
    result = orchestrator.run(manifest(f"def main():\n    return {value}\n"))
    assert result.status is Status.FAILED
    assert "JSON" in result.reason


def test_bad_inputs_raise_before_anything_starts(orchestrator: Orchestrator) -> None:
    before = orchestrator.stats().leases_total
    schema = {"type": "object", "properties": {"folder": {"type": "string", "format": "vault-path"}}}
    with pytest.raises(InputsError) as raised:
        orchestrator.run(manifest(COUNT, inputs_schema=schema), {"folder": "../../etc"})
    assert raised.value.problems[0].pointer == "/folder"
    assert orchestrator.stats().leases_total == before


def test_a_bad_manifest_lists_every_problem(orchestrator: Orchestrator) -> None:
    with pytest.raises(ManifestError) as raised:
        orchestrator.run({"manifest_version": 2, "name": "x", "cod": "result = 1"})
    pointers = {problem.pointer for problem in raised.value.problems}
    assert {"/manifest_version", "/cod"} <= pointers


def test_denied_code_never_gets_a_sandbox(orchestrator: Orchestrator) -> None:
    before = orchestrator.stats().leases_total
    result = orchestrator.run(manifest("import subprocess\n\ndef main():\n    return 1\n"))
    assert result.status is Status.DENIED
    assert result.violations[0].line == 1
    assert "subprocess" in result.reason
    assert orchestrator.stats().leases_total == before


def test_a_limit_over_the_ceiling_is_denied_not_clamped(orchestrator: Orchestrator) -> None:
    result = orchestrator.run(manifest("def main():\n    return 1\n", limits={"memory_mb": 4096}))
    assert result.status is Status.DENIED
    assert "memory_mb" in result.reason
    assert orchestrator.run(manifest("def main():\n    return 1\n"), timeout=1e6).status is Status.DENIED


def test_a_smaller_memory_limit_is_really_set(orchestrator: Orchestrator) -> None:
    code = "def main():\n    return len(bytearray(60 * 2**20))\n"
    assert orchestrator.run(manifest(code)).ok
    assert orchestrator.run(manifest(code, limits={"memory_mb": 40})).status is Status.OUT_OF_MEMORY
    assert orchestrator.run(manifest(code.replace("60", "150"), limits={"memory_mb": 200})).ok


def test_timeout_keeps_partial_output(orchestrator: Orchestrator) -> None:
    code = "def main():\n    print('before')\n    while True:\n        pass\n"
    result = orchestrator.run(manifest(code), timeout=0.5)
    assert (result.status, result.stdout) == (Status.TIMED_OUT, "before\n")
    assert "0.5 s" in result.reason


@pytest.mark.parametrize("level", ["strict", "standard", "relaxed"])
def test_every_level_runs(orchestrator: Orchestrator, level: str) -> None:
    result = orchestrator.run(manifest(COUNT, vault={"read": ["Inbox"]}), {"folder": "Inbox"}, level=level)
    assert (result.status, result.level) == (Status.SUCCEEDED, level)


def test_events_come_in_order_in_the_callers_thread(orchestrator: Orchestrator) -> None:
    seen: list[tuple[RunEvent, int]] = []
    code = "import time\n\ndef main():\n    print('one')\n    time.sleep(3.5)\n    print('two')\n    return 1\n"
    result = orchestrator.run(manifest(code), on_event=lambda event: seen.append((event, threading.get_ident())))
    kinds = [event.kind for event, _ in seen]
    assert result.ok
    assert (kinds[0], kinds[-1]) == ("started", "finished")
    assert "".join(event.text for event, _ in seen if event.kind == "stdout") == "one\ntwo\n"
    samples = [event.sample for event, _ in seen if event.kind == "stats"]
    assert samples
    assert all(sample is not None and sample.memory_bytes > 0 for sample in samples)
    assert {thread for _, thread in seen} == {threading.get_ident()}
    assert seen[-1][0].result == result


def test_cancel_from_another_thread(orchestrator: Orchestrator) -> None:
    cancel = threading.Event()
    # In one write: print() makes two, and the cancellation may come between them.
    code = "def main():\n    print('running\\n', end='')\n    while True:\n        pass\n"

    def on_event(event: RunEvent) -> None:
        if event.kind == "stdout":
            cancel.set()

    result = orchestrator.run(manifest(code), cancel=cancel, on_event=on_event)
    assert (result.status, result.stdout) == (Status.CANCELLED, "running\n")


def test_an_exception_in_the_callback_ends_the_run(orchestrator: Orchestrator) -> None:
    def on_event(event: RunEvent) -> None:
        if event.kind == "stdout":
            raise RuntimeError("the caller's own fault")

    with pytest.raises(RuntimeError, match="own fault"):
        orchestrator.run(manifest("def main():\n    print(1)\n    while True:\n        pass\n"), on_event=on_event)


def test_arun_runs_side_by_side_and_cancels(orchestrator: Orchestrator) -> None:
    async def together() -> list[RunResult]:
        return list(
            await asyncio.gather(*(orchestrator.arun(manifest(f"def main():\n    return {n}\n")) for n in range(5)))
        )

    assert [result.output for result in asyncio.run(together())] == [0, 1, 2, 3, 4]

    async def abandoned() -> None:
        task = asyncio.create_task(orchestrator.arun(manifest("def main():\n    while True:\n        pass\n")))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(abandoned())
    assert orchestrator.stats().leased == 0


def test_many_threads(orchestrator: Orchestrator) -> None:
    outputs: list[object] = []

    def work(number: int) -> None:
        outputs.append(orchestrator.run(manifest(f"def main():\n    return {number}\n")).output)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outputs, key=str) == sorted(range(12), key=str)


def test_no_vault_no_grants(make_settings: object, orchestrator: Orchestrator) -> None:
    settings: Settings = make_settings()  # type: ignore[operator]
    with Orchestrator(settings) as without:
        assert without.run(manifest("def main():\n    return 2\n")).output == 2
        result = without.run(manifest(COUNT, vault={"read": ["Inbox"]}), {"folder": "Inbox"})
        assert result.status is Status.DENIED
