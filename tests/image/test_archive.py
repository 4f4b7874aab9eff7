"""Trees, archives and ELF files: what goes in comes out, and nothing depends on the day."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path

import pytest

from orchestrator.errors import ImageError
from orchestrator.image import elf, tree
from orchestrator.image.archive import write_archive

SMALL = {
    "usr/bin/program": tree.file(b"\x7fELF", executable=True),
    "etc/passwd": tree.file(b"root:x:0:0::/:\n"),
    "lib": tree.link("usr/lib"),
    "tmp": tree.directory(0o1777),
}


def test_the_same_tree_in_another_order_gives_the_same_bytes(tmp_path: Path) -> None:
    first = write_archive(SMALL, "amd64", {"a": "1", "b": "2"}, tmp_path / "first.tar")
    turned = dict(reversed(SMALL.items()))
    second = write_archive(turned, "amd64", {"b": "2", "a": "1"}, tmp_path / "second.tar")
    assert first == second
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()


@pytest.mark.parametrize("change", ["content", "mode", "label"])
def test_any_difference_gives_another_image(change: str, tmp_path: Path) -> None:
    before = write_archive(SMALL, "amd64", {}, tmp_path / "before.tar")
    changed, labels = dict(SMALL), {}
    if change == "content":
        changed["etc/passwd"] = tree.file(b"other")
    elif change == "mode":
        changed["tmp"] = tree.directory()
    else:
        labels = {"x": "y"}
    after = write_archive(changed, "amd64", labels, tmp_path / "after.tar")
    assert after.config_digest != before.config_digest


def test_an_archive_is_what_docker_load_expects(tmp_path: Path) -> None:
    written = write_archive(SMALL, "arm64", {}, tmp_path / "image.tar")
    with tarfile.open(tmp_path / "image.tar") as archive:
        read = {member.name: archive.extractfile(member) for member in archive}
        contents = {name: stream.read() for name, stream in read.items() if stream}
    (entry,) = json.loads(contents["manifest.json"])
    config = contents[entry["Config"]]
    (layer,) = (contents[name] for name in entry["Layers"])
    assert written.config_digest == f"sha256:{hashlib.sha256(config).hexdigest()}"
    assert json.loads(config)["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert json.loads(config)["architecture"] == "arm64"


def test_every_member_belongs_to_root_and_has_the_fixed_time() -> None:
    out = io.BytesIO()
    tree.write_tar(SMALL, out)
    out.seek(0)
    with tarfile.open(fileobj=out) as archive:
        members = archive.getmembers()
    assert [member.name for member in members] == [
        "etc",
        "etc/passwd",
        "lib",
        "tmp",
        "usr",
        "usr/bin",
        "usr/bin/program",
    ]
    assert {(member.uid, member.gid, member.mtime) for member in members} == {(0, 0, tree.FIXED_TIME)}


def test_a_tree_survives_a_tar_archive(tmp_path: Path) -> None:
    with (tmp_path / "tree.tar").open("wb") as out:
        tree.write_tar(SMALL, out)
    read = tree.read_tar(tmp_path / "tree.tar")
    assert {name: entry.content for name, entry in read.items() if entry.kind == "file"} == {
        name: entry.content for name, entry in SMALL.items() if entry.kind == "file"
    }
    assert (read["lib"], read["tmp"]) == (SMALL["lib"], SMALL["tmp"])


@pytest.mark.parametrize("name", ["../etc/passwd", "/etc/passwd", "a/../../b", "a\0b", "a\\..\\b"])
def test_names_that_lead_out_are_refused(name: str) -> None:
    with pytest.raises(ImageError, match="leads out of the archive"):
        tree.clean_path(name, "x.tar")


def test_reading_never_keeps_a_setuid_bit_or_a_device(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "hostile.tar", "w") as archive:
        member = tarfile.TarInfo("su")
        member.mode = 0o4755
        archive.addfile(member)
        device = tarfile.TarInfo("sda")
        device.type = tarfile.BLKTYPE
        archive.addfile(device)
    read = tree.read_tar(tmp_path / "hostile.tar")
    assert list(read) == ["su"]
    assert read["su"].mode == 0o555


def test_writing_a_directory_does_not_follow_its_links(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    hostile = {"way": tree.link(str(outside)), "way/file": tree.file(b"x")}
    with pytest.raises(OSError, match="way"):
        tree.write_directory(hostile, root)
    assert list(outside.iterdir()) == []


def test_needed_reads_what_this_interpreter_links() -> None:
    names = elf.needed(Path(sys.executable).resolve().read_bytes())
    assert any(name.startswith("libc.") for name in names)


@pytest.mark.parametrize("cut", [8, 60, 200, 4000])
def test_a_cut_elf_file_is_refused(cut: int) -> None:
    content = Path(sys.executable).resolve().read_bytes()[:cut]
    with pytest.raises(ImageError, match="malformed ELF"):
        elf.needed(content)


def test_a_static_file_needs_nothing() -> None:
    header = (
        b"\x7fELF\x02\x01" + bytes(26) + (64).to_bytes(8, "little") + bytes(14) + (56).to_bytes(2, "little") + bytes(8)
    )
    assert elf.needed(header) == ()
