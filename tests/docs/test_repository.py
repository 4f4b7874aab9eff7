"""No file of the repository names a package registry, a mirror, or a place on the machine it was written on.

The patterns are put together from pieces, so that this file does not hold them itself.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

_HOSTS = (
    ("py", "pi.org"), ("python", "hosted.org"), ("registry-1.", "docker.io"), ("registry.", "npmjs"), ("gh", "cr.io"),
    ("qu", "ay.io"), ("deb.deb", "ian.org"), ("archive.ub", "untu.com"), ("snapshot.deb", "ian.org"),
)  # fmt: skip
_PLACES = (("/wo", "rk/"), ("/ro", "ot/"), ("/tmp", "/dk"), ("/opt/py", "pi"), ("/opt/whe", "els"))
_OWN_PLACE_PARTS = 3  # "/", and two names: anything shorter could be a word of ours


def patterns() -> tuple[re.Pattern[str], ...]:
    places = ["".join(pieces) for pieces in _PLACES]
    if len(ROOT.parts) >= _OWN_PLACE_PARTS:
        places.append(str(ROOT))  # wherever this checkout lies now
    hosts = (rf"(?<![\w-]){re.escape(''.join(pieces))}" for pieces in _HOSTS)
    return tuple(re.compile(each) for each in (*hosts, *(rf"(?<![\w./-]){re.escape(place)}" for place in places)))


def files() -> list[Path]:
    """What is or could be committed: tracked, and untracked but not ignored."""
    git = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("this is no git checkout")
    return [path for name in sorted(set(done.stdout.split("\0"))) if name and (path := ROOT / name).is_file()]


def offences(paths: list[Path]) -> Iterator[str]:
    compiled = patterns()
    for path in paths:
        text = path.read_bytes().decode("utf-8", "replace")
        for pattern in compiled:
            if found := pattern.search(text):
                yield f"{path}:{text.count(chr(10), 0, found.start()) + 1} holds {found[0]!r}"


def test_no_registry_and_no_place_of_this_machine() -> None:
    found = files()
    assert ROOT / "README.md" in found
    assert list(offences(found)) == []


@pytest.mark.parametrize("pieces", [*_HOSTS, *_PLACES], ids="|".join)
def test_each_pattern_finds_its_own(pieces: tuple[str, str], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text(f"x = '{''.join(pieces)}'\n")
    assert list(offences([file]))
    file.write_text(f"x = 'https://{''.join(pieces)}'\n" if pieces in _HOSTS else "x = 'framework/'\n")
    assert bool(list(offences([file]))) is (pieces in _HOSTS)
