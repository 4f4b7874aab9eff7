"""What is kept of scans: in memory, on disk, bounded, and never believed blindly."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import orchestrator
from orchestrator.validation import ruleset
from orchestrator.validation.disk import DiskCache
from orchestrator.validation.examine import examine
from orchestrator.validation.inspection import Inspection, Malformed, decode, digest_of, encode
from orchestrator.validation.recent import Recent
from orchestrator.validation.ruleset import ruleset_digest
from orchestrator.validation.scan_process import ScanLimits
from orchestrator.validation.scanner import Scanner
from tests.support.policies import skill

CODE = (
    "import json, os.path\n\ndef main(path):\n    eval('1')\n    open('/vault/x', 'w')\n    return os.path.join(path)\n"
)
DIGEST = digest_of(CODE)
RULESET = "a" * 64


@pytest.fixture
def scanners(tmp_path: Path) -> Iterator[Callable[[], Scanner]]:
    """New scanners on one cache directory: each is like another process."""
    made: list[Scanner] = []

    def make() -> Scanner:
        made.append(Scanner(tmp_path / "cache", limits=ScanLimits(wall_seconds=120)))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def disk(tmp_path: Path) -> DiskCache:
    cache = DiskCache(tmp_path / "scans", RULESET)
    cache.put(examine(CODE))
    return cache


def entry(cache: DiskCache) -> Path:
    (path,) = cache.directory.iterdir()
    return path


# --- memory ----------------------------------------------------------------------------------------------------------


def test_recent_forgets_what_was_not_used_longest() -> None:
    kept: Recent[str, int] = Recent(3)
    for number, name in enumerate("abc"):
        kept.put(name, number)
    assert kept.get("a") == 0
    kept.put("d", 3)
    assert [kept.get(name) for name in "abcd"] == [0, None, 2, 3]


def test_recent_is_bounded_by_weight() -> None:
    kept: Recent[str, int] = Recent(10)
    kept.put("a", 1, weight=4)
    kept.put("a", 2, weight=6)  # replaces
    kept.put("b", 3, weight=4)
    assert (kept.get("a"), kept.get("b"), len(kept)) == (2, 3, 2)
    kept.put("c", 4, weight=11)  # heavier than all that may be kept
    assert (kept.get("c"), len(kept)) == (None, 2)
    kept.put("d", 5, weight=10)
    assert (kept.get("d"), len(kept)) == (5, 1)


# --- between processes -----------------------------------------------------------------------------------------------


def test_another_process_does_not_scan_again(scanners: Callable[[], Scanner]) -> None:
    first, second = scanners(), scanners()
    found = first.inspect(skill(CODE))
    assert second.inspect(skill(CODE)) == found
    assert (first.scans, second.scans) == (1, 0)
    assert found.outline.functions
    assert second.inspect(skill(CODE + "#")).code_digest != found.code_digest
    assert second.scans == 1


def test_without_a_directory_nothing_is_written(tmp_path: Path) -> None:
    with Scanner() as scanner:
        scanner.inspect(skill(CODE))
        assert scanner._disk is None


def test_another_rule_set_scans_again(scanners: Callable[[], Scanner], monkeypatch: pytest.MonkeyPatch) -> None:
    scanners().inspect(skill(CODE))
    monkeypatch.setattr("orchestrator.validation.scanner.ruleset_digest", lambda: RULESET)
    other = scanners()
    other.inspect(skill(CODE))
    assert other.scans == 1


def test_the_directory_and_its_files_are_private(disk: DiskCache) -> None:
    assert stat.S_IMODE(disk.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(entry(disk).stat().st_mode) == 0o600


def test_what_was_kept_comes_back(disk: DiskCache) -> None:
    assert disk.get(DIGEST) == examine(CODE)
    assert disk.get(digest_of("other")) is None


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def _changed(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"ORC201", b"ORC101"))


def _sealed_anew(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """As whoever could write there would do it: the seal fits."""

    def tamper(path: Path) -> None:
        body = change(path.read_bytes().partition(b"\n")[2])
        path.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)

    return tamper


def _link(path: Path) -> None:
    shutil.move(path, path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


TAMPERING: dict[str, Callable[[Path], None]] = {
    "empty": lambda path: _write(path, b""),
    "cut": _cut,
    "changed": _changed,
    "of another rule set": _sealed_anew(lambda body: body.replace(RULESET.encode(), b"b" * 64)),
    "of other code": _sealed_anew(lambda body: body.replace(DIGEST.encode(), digest_of("other").encode())),
    "unknown rule": _sealed_anew(lambda body: body.replace(b"ORC201", b"ORC999")),
    "no object": _sealed_anew(lambda body: body.partition(b"\n")[0] + b"\n[]"),
    "too large": lambda path: _write(path, b"x" * 2**20),
    "writable by others": lambda path: path.chmod(0o622),
    "a link": _link,
    "a pipe": _pipe,
}


@pytest.mark.parametrize("how", TAMPERING)
def test_an_entry_that_is_not_right_is_dropped(disk: DiskCache, how: str) -> None:
    path = entry(disk)
    TAMPERING[how](path)
    assert disk.get(DIGEST) is None
    assert not os.path.lexists(path)
    disk.put(examine(CODE))
    assert disk.get(DIGEST) == examine(CODE)


def test_the_seal_alone_is_believed_in_a_directory_of_ours(disk: DiskCache) -> None:
    """The control of the above, and the limit of what is promised: who can write there is the user."""
    _sealed_anew(lambda body: body.replace(b"ORC201", b"ORC101"))(entry(disk))
    found = disk.get(DIGEST)
    assert found is not None
    assert found != examine(CODE)


def test_a_directory_that_others_can_write_to_is_not_used(disk: DiskCache) -> None:
    disk.directory.chmod(0o777)
    assert disk.get(DIGEST) is None
    disk.put(examine("x = 1"))
    assert len(list(disk.directory.iterdir())) == 1
    disk.directory.chmod(0o700)
    assert disk.get(DIGEST) is not None


def test_a_link_to_a_directory_is_not_used(disk: DiskCache, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(disk.directory)
    linked = replace(disk, directory=tmp_path / "link")
    assert linked.get(DIGEST) is None
    linked.put(examine("x = 1"))
    assert len(list(disk.directory.iterdir())) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_somebody_else_is_not_used(disk: DiskCache) -> None:
    os.chown(disk.directory, 12345, 12345)
    assert disk.get(DIGEST) is None


def test_a_cache_that_cannot_be_written_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with Scanner(tmp_path / "file") as scanner:
        assert scanner.inspect(skill(CODE)).finished


def test_the_number_of_entries_is_bounded_and_the_last_used_stay(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, RULESET, max_entries=10)
    for number in range(10):
        cache.put(Inspection(digest_of(str(number)), (), ()))
        os.utime(cache._path(digest_of(str(number))), (number, number))
    assert cache.get(digest_of("0")) is not None  # used now
    cache.put(Inspection(digest_of("10"), (), ()))
    left = [number for number in range(11) if cache.get(digest_of(str(number))) is not None]
    assert left == [0, 3, 4, 5, 6, 7, 8, 9, 10]


def test_the_size_is_bounded(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, RULESET, max_bytes=20_000)
    for number in range(30):
        cache.put(Inspection(digest_of(str(number)), (), ("x" * 1000,)))
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 20_000
    assert len(list(tmp_path.iterdir())) >= 10


def test_what_is_left_of_a_crash_goes_too(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, RULESET, max_entries=3)
    for number in range(20):
        draft = tmp_path / f".{number}"
        draft.write_bytes(b"")
        os.utime(draft, (number, number))
    cache.put(examine(CODE))
    assert len(list(tmp_path.iterdir())) <= 3
    assert cache.get(DIGEST) is not None


def test_a_large_inspection_is_not_kept(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, RULESET)
    cache.put(Inspection(DIGEST, (), ("x" * 2**18,)))
    assert cache.get(DIGEST) is None


def test_many_at_once(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "scans", RULESET, max_entries=5)

    def work(number: int) -> bool:
        digest = digest_of(str(number % 9))
        cache.put(Inspection(digest, (), (str(number % 9),)))
        found = cache.get(digest)
        return found is None or found.imports == (str(number % 9),)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(300)))


def test_a_scan_that_did_not_finish_is_not_kept(
    scanners: Callable[[], Scanner], monkeypatch: pytest.MonkeyPatch
) -> None:
    scanner = scanners()
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert not scanner.inspect(skill(CODE)).finished
    monkeypatch.undo()
    assert scanner.inspect(skill(CODE)).finished
    assert scanners().inspect(skill(CODE)).finished


# --- the form of an inspection ---------------------------------------------------------------------------------------


def _with(**changes: Any) -> bytes:
    return json.dumps({**json.loads(encode(examine(CODE))), **changes}).encode()


GOOD = ["ORC101", "os", "imports os", "", 1, 1]


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\xff", b"[" * 1000, b"{}", b"[]", b"null", _with(digest="0" * 64), _with(more=1), _with(findings={}),
        _with(findings=[[]]), _with(findings=[GOOD[:5]]), _with(findings=[[*GOOD, 1]]), _with(findings=[GOOD] * 6000),
        _with(findings=[[["ORC101"], *GOOD[1:]]]), _with(findings=[["ORC999", *GOOD[1:]]]),
        _with(findings=[["ORC101", "\x1b[31m", *GOOD[2:]]]), _with(findings=[["ORC101", "x" * 3000, *GOOD[2:]]]),
        _with(findings=[["ORC101", None, *GOOD[2:]]]), _with(findings=[[*GOOD[:4], -1, 1]]),
        _with(findings=[[*GOOD[:4], True, 1]]), _with(findings=[[*GOOD[:4], 1, 1.0]]),
        _with(findings=[[*GOOD[:4], 10**9, 1]]), _with(imports="os"), _with(imports=[1]), _with(imports=["a\nb"]),
        _with(outline=None), _with(outline={}), b'{"digest": "", "digest": ""}',
    ],
)  # fmt: skip
def test_anything_else_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        decode(raw, DIGEST)


def test_an_inspection_survives_the_way() -> None:
    assert decode(_with(findings=[GOOD]), DIGEST).findings[0].rule == "ORC101"
    for code in (CODE, "x = '\u202e\ud800'", "import ünï", "(", "import " + "a" * 5000):
        found = examine(code)
        assert decode(encode(found), digest_of(code)) == found


# --- which scanner it is ---------------------------------------------------------------------------------------------


def test_every_module_of_a_scan_is_in_the_digest() -> None:
    program = (
        "import sys\nfrom orchestrator.validation.examine import examine\n"
        "examine('import re, os\\nre.compile(\"a\")')\n"
        "print('\\n'.join(m.__file__ for n, m in list(sys.modules.items()) if n.partition('.')[0] == 'orchestrator'))\n"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    package = Path(orchestrator.__file__).parent
    loaded = {Path(line).relative_to(package) for line in printed.stdout.splitlines()}
    outside = {str(path) for path in loaded if path.parts[0] != "validation"}
    assert outside <= set(ruleset.BESIDE)
    assert Path("validation/scopes.py") in loaded


def test_any_change_of_the_scanner_changes_the_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "orchestrator"
    shutil.copytree(Path(orchestrator.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(ruleset, "__file__", str(package / "validation" / "ruleset.py"))
    digest = ruleset_digest.__wrapped__
    digests = [digest()]
    assert digests[0] == ruleset_digest.__wrapped__()
    for changed in ("validation/scopes.py", "strictjson.py", *_sub_modules(package)):
        with (package / changed).open("a") as file:
            file.write("# another\n")
        digests.append(digest())
    monkeypatch.setattr(sys, "version", "9.9")
    digests.append(digest())
    monkeypatch.setattr(ruleset, "RULES", {})
    digests.append(digest())
    assert len(set(digests)) == len(digests)
    (package / "text.py").unlink()
    assert digest() == ""  # no sources, nothing on disk


def _sub_modules(package: Path) -> list[str]:
    found = sorted((package / "validation").glob("*/*.py"))
    return [str(path.relative_to(package)) for path in found[:1]]
