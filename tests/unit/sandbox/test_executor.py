"""What the executor does with idle time, and how it describes an error when nothing can be loaded any more."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Program = Callable[[str], Any]
FIRST, SECOND = "preloaded_first", "preloaded_second"


@pytest.fixture
def job_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """A pipe for the job, and two modules to preload; importing the first sends the job."""
    ends = os.pipe()
    (tmp_path / f"{FIRST}.py").write_text(f"import os\nos.write({ends[1]}, b'job')\n")
    (tmp_path / f"{SECOND}.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield ends
    for end in ends:
        os.close(end)
    for name in (FIRST, SECOND):
        sys.modules.pop(name, None)


def test_a_job_that_comes_at_once_waits_for_no_import(program: Program, job_pipe: tuple[int, int]) -> None:
    os.write(job_pipe[1], b"job")
    program("executor").wait_for_job(job_pipe[0], (FIRST, SECOND))
    assert FIRST not in sys.modules


def test_idle_time_goes_into_imports_until_the_job_comes(program: Program, job_pipe: tuple[int, int]) -> None:
    program("executor").wait_for_job(job_pipe[0], ("a_module_that_is_not_there", FIRST, SECOND))
    assert FIRST in sys.modules
    assert SECOND not in sys.modules
    assert os.read(job_pipe[0], 10) == b"job"


def test_an_error_is_described_though_nothing_can_be_loaded(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = program("executor")
    code = compile("def main():\n    raise OSError(24, 'Too many open files')\nmain()", "skill.py", "exec")
    with pytest.raises(OSError, match="Too many") as caught:
        exec(code, {})
    usual = executor.describe(caught.value, "skill.py")
    monkeypatch.setitem(sys.modules, "traceback", None)
    bare = executor.describe(caught.value, "skill.py")
    assert bare["message"] == usual["message"]
    assert bare["traceback"].splitlines() == [
        "Traceback (most recent call last):",
        '  File "skill.py", line 3, in <module>',
        '  File "skill.py", line 2, in main',
        "OSError: [Errno 24] Too many open files",
    ]


@pytest.mark.parametrize(
    ("user", "system", "expected"),
    [(1.0, 0.5, (0.75, 0.5)), (0.125, 0.5, (0.0, 0.375)), (0.0, 0.125, (0.0, 0.0))],
)
def test_what_preparation_took_is_not_the_skills(
    program: Program, user: float, system: float, expected: tuple[float, float]
) -> None:
    supervisor = program("supervisor")
    run = supervisor.Run.__new__(supervisor.Run)
    run.prepared = 0.25
    usage = type("Usage", (), {"ru_utime": user, "ru_stime": system})
    assert run._cpu(usage) == expected


def test_a_traceback_has_the_skills_own_frames_of_every_exception_in_it(program: Program) -> None:
    """Frames of libraries and of our own modules tell of the sandbox, and are nobody's business."""
    executor = program("executor")
    source = (
        "import json\n"
        "def load():\n"
        "    json.loads('{')\n"
        "def main():\n"
        "    try:\n"
        "        load()\n"
        "    except ValueError as error:\n"
        "        raise KeyError('a') from error\n"
        "main()"
    )
    with pytest.raises(KeyError) as caught:
        exec(compile(source, "skill.py", "exec"), {})
    text = executor.describe(caught.value, "skill.py")["traceback"]
    assert 'File "skill.py", line 3, in load' in text
    assert 'File "skill.py", line 8, in main' in text
    assert "JSONDecodeError" in text
    assert {line.split('"')[1] for line in text.splitlines() if 'File "' in line} == {"skill.py"}
    assert "json/decoder.py" in "".join(traceback.format_exception(caught.value)), "the control: they were there"


def test_a_deep_traceback_is_cut_to_the_last_of_the_skills_frames(program: Program) -> None:
    executor = program("executor")
    source = "def main(n):\n    if n == 0:\n        raise ValueError('deep')\n    main(n - 1)\nmain(200)"
    with pytest.raises(ValueError, match="deep") as caught:
        exec(compile(source, "skill.py", "exec"), {})
    text = executor.describe(caught.value, "skill.py")["traceback"]
    assert "line 3, in main" in text
    assert len(text.splitlines()) < 100
