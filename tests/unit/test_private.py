"""Files and directories of ours alone: what is refused, and what is left behind."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier

import pytest

from orchestrator.private import draft, make_directory, make_once, open_private, read_private, write_new, write_private


def _link(path: Path) -> None:
    path.rename(path.with_name("real"))
    path.symlink_to("real")


def _larger(path: Path) -> None:
    path.write_bytes(b"x" * 11)


def _other_kind(make: Callable[[Path], None]) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        path.unlink()
        make(path)

    return spoil


SPOILT: dict[str, Callable[[Path], None]] = {
    "readable": lambda path: path.chmod(0o604),
    "writable": lambda path: path.chmod(0o620),
    "a link": _link,
    "a pipe": _other_kind(lambda path: os.mkfifo(path, 0o600)),
    "a directory": _other_kind(lambda path: path.mkdir(0o700)),
    "too large": _larger,
}


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def held_below(directory: Path) -> list[str]:
    """What this process has open there."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one of the listing itself
            found.append(str(descriptor.readlink()))
    return [name for name in found if name.startswith(str(directory))]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_private(tmp_path / "file", b"content")
    return tmp_path / "file"


@pytest.mark.parametrize("how", SPOILT)
def test_what_is_not_ours_alone_is_refused_with_a_reason_and_closed(path: Path, how: str) -> None:
    assert read_private(path, 10, forbidden=0o077) == b"content"
    SPOILT[how](path)
    with pytest.raises(OSError) as caught:  # noqa: PT011 - of several kinds
        read_private(path, 10, forbidden=0o077)
    assert caught.value.strerror
    assert not held_below(path.parent)


def test_who_may_read_is_the_callers_choice(path: Path) -> None:
    path.chmod(0o644)
    assert read_private(path, 10) == b"content"
    path.chmod(0o666)
    os.close(open_private(path, os.O_RDONLY, forbidden=0))
    with pytest.raises(PermissionError, match="open to others"):
        read_private(path, 10)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(path: Path) -> None:
    os.chown(path, 12345, 12345)
    with pytest.raises(PermissionError, match="no regular file of our own"):
        os.close(open_private(path, os.O_RDONLY, forbidden=0))


@pytest.mark.parametrize("synced", [False, True])
def test_what_is_written_takes_the_place_of_a_link_and_leaves_no_draft(tmp_path: Path, synced: bool) -> None:
    (tmp_path / "target").write_bytes(b"another's")
    (tmp_path / "file").symlink_to("target")
    before = os.umask(0)
    try:
        write_private(tmp_path / "file", b"content", synced=synced)
    finally:
        os.umask(before)
    assert (tmp_path / "target").read_bytes() == b"another's"
    assert stat.S_IMODE((tmp_path / "file").lstat().st_mode) == 0o600
    assert names(tmp_path) == ["file", "target"]


def test_what_cannot_take_its_place_leaves_no_draft(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(IsADirectoryError):
        write_private(tmp_path / "file", b"content")
    with pytest.raises(ZeroDivisionError), draft(tmp_path / "other"):
        raise ZeroDivisionError
    assert names(tmp_path) == ["file"]


def test_a_new_file_replaces_nothing_and_follows_no_link(path: Path) -> None:
    for name, target in (("file", None), ("dangling", "nowhere")):
        if target:
            path.with_name(name).symlink_to(target)
        with pytest.raises(FileExistsError):
            write_new(path.with_name(name), b"other")
    assert path.read_bytes() == b"content"
    assert not path.with_name("nowhere").exists()


def test_of_several_at_once_one_makes_it_and_all_read_it_whole(tmp_path: Path) -> None:
    start = Barrier(8)

    def made(number: int) -> list[bytes]:
        found = []
        for each in range(20):
            start.wait(60)
            make_once(tmp_path / str(each), b"%d" % number * 1000)
            found.append((tmp_path / str(each)).read_bytes())
        return found

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(made, range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert {len(content) for content in answers[0]} == {1000}
    assert len(names(tmp_path)) == 20


def test_a_directory_is_made_for_us_alone_or_refused(tmp_path: Path) -> None:
    make_directory(tmp_path / "a" / "b")
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    (tmp_path / "link").symlink_to("a")
    with pytest.raises(PermissionError, match="no directory of our own"):
        make_directory(tmp_path / "link")
    (tmp_path / "a").chmod(0o755)
    make_directory(tmp_path / "a")
    with pytest.raises(PermissionError, match="open to others"):
        make_directory(tmp_path / "a", forbidden=0o077)
