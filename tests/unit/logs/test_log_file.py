"""The log file: its owner's alone, bounded, and never a reason for a run to fail."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from loguru import logger

from orchestrator import logs
from orchestrator.errors import SettingsError
from orchestrator.logs import LogFile


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    logs.configure("silent")
    logger.enable("orchestrator")


def texts(path: Path) -> dict[str, str]:
    return {found.name: found.read_text() for found in sorted(path.parent.glob(f"{path.name}*"))}


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_it_is_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "a.log"
    before = os.umask(umask)
    try:
        LogFile(path, most_bytes=100, keep=1).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    LogFile(path, most_bytes=100, keep=1).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_is_rotated_by_size_and_count(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    file = LogFile(path, most_bytes=10, keep=2)
    for number in range(7):
        file.write(f"line{number}\n")  # 6 bytes: one fits
    file.close()
    assert texts(path) == {"a.log": "line6\n", "a.log.1": "line5\n", "a.log.2": "line4\n"}
    assert {stat.S_IMODE(found.stat().st_mode) for found in tmp_path.iterdir()} == {0o600}


def test_none_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    file = LogFile(path, most_bytes=10, keep=0)
    for number in range(3):
        file.write(f"line{number}\n")
    file.close()
    assert texts(path) == {"a.log": "line2\n"}


def test_a_line_larger_than_the_file_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    file = LogFile(path, most_bytes=4, keep=1)
    file.write("a long line\n")
    file.write("another one\n")
    file.close()
    assert texts(path) == {"a.log": "another one\n", "a.log.1": "a long line\n"}


def test_a_file_that_was_moved_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    file = LogFile(path, most_bytes=1000, keep=1)
    file.write("before\n")
    path.rename(tmp_path / "moved")
    file.write("after\n")
    path.unlink()
    file.write("again\n")
    file.close()
    assert (tmp_path / "moved").read_text() == "before\n"
    assert path.read_text() == "again\n"


def make_link(path: Path) -> None:
    (path.parent / "target").write_text("")
    path.symlink_to(path.parent / "target")


@pytest.mark.parametrize("make", [make_link, os.mkfifo, Path.mkdir])
def test_what_is_no_file_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "a.log"
    make(path)
    with pytest.raises(SettingsError, match=r"a\.log") as caught:
        LogFile(path, most_bytes=100, keep=1)
    assert "log_file" in caught.value.hint


def test_a_directory_that_is_missing_is_an_error_and_changes_nothing(tmp_path: Path) -> None:
    good = tmp_path / "a.log"
    logs.configure("standard", file=good)
    with pytest.raises(SettingsError):
        logs.configure("standard", file=tmp_path / "no" / "b.log")
    logger.warning("still there")
    assert "still there" in good.read_text()


def test_braces_in_its_name_are_no_template(tmp_path: Path) -> None:
    path = tmp_path / "{time}{0.__class__}.log"
    logs.configure("standard", file=path)
    logger.warning("x")
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_once_and_raises_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = LogFile(tmp_path / "a.log", most_bytes=100, keep=1)
    full = os.open("/dev/full", os.O_WRONLY)
    file._moved = lambda: False  # type: ignore[method-assign]
    os.dup2(full, file._descriptor)
    file.write("lost\n")
    file.write("lost\n")
    os.close(full)
    file.close()
    assert capsys.readouterr().err.count("lines are lost: No space left on device") == 1


def test_threads_and_processes_share_a_file_and_keep_their_lines_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    code = (
        "import sys, pathlib\nfrom loguru import logger\nfrom orchestrator import logs\n"
        "logs.configure('standard', file=pathlib.Path(sys.argv[1]), file_mb=1000)\n"
        "for n in range(200): logger.warning('{} {}', sys.argv[2] * 100, n)\n"
    )
    others = [subprocess.Popen([sys.executable, "-c", code, str(path), letter]) for letter in "ab"]
    logs.configure("standard", file=path, file_mb=1000)
    threads = [threading.Thread(target=lambda: [logger.warning("{}", "c" * 100) for _ in range(200)]) for _ in "12"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [other.wait(60) for other in others] == [0, 0]
    lines = path.read_text().splitlines()
    assert len(lines) == 800
    assert all(len(set(line.split()[2])) == 1 and len(line.split()[2]) == 100 for line in lines)
