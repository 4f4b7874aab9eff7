"""Which files the image holds: an allow list, so that a package's new file is left out until somebody wants it.

Not here: no shell, no package manager, no other program than the interpreter, no setuid file; what cannot work in a
sandbox without terminal or network (curses, readline, turtle) and what only developers need (tests, venv, pydoc).
Copyright files of every package that gives a file stay in, as the licences ask.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from orchestrator.errors import ImageError
from orchestrator.image.elf import is_elf, needed
from orchestrator.image.tree import Entry, Tree, directory, file, link, with_parents

PYTHON = "usr/bin/python3.13"
STDLIB = "usr/lib/python3.13"
OURS = "opt/orchestrator"  # supervisor.py and what it imports
SITE = "opt/orchestrator/site"  # unpacked wheels; no interpreter adds it to sys.path by itself, runner.py does
USER_ID = 65532  # "nobody in particular", the number other distroless images use too

_KEEP = (PYTHON, f"{STDLIB}/*", "usr/lib64/ld-linux*", "usr/lib/ld-linux*", "usr/lib/*-linux-gnu/*.so*",
         "usr/share/zoneinfo/*", "etc/mime.types", "etc/protocols", "etc/services")  # fmt: skip

_DROP = (
    *(f"{STDLIB}/{name}/*" for name in (
        "test", "idlelib", "ensurepip", "venv", "tkinter", "turtledemo", "pydoc_data", "_pyrepl", "curses",
        "__phello__", "__pycache__", "*/__pycache__")),
    *(f"{STDLIB}/{name}" for name in (
        "EXTERNALLY-MANAGED", "sitecustomize.py", "antigravity.py", "this.py", "turtle.py", "__hello__.py",
        "dbm/ndbm.py", "_android_support.py", "_apple_support.py", "_ios_support.py", "_aix_support.py")),
    *(f"{STDLIB}/lib-dynload/{name}*.so" for name in (
        "_test", "_ctypes_test", "_xxtestfuzz", "xx", "_curses", "readline", "_dbm")),
    "usr/lib/*-linux-gnu/*/*",  # gconv, OpenSSL's engines and legacy modules
    "usr/share/zoneinfo/right/*", "usr/share/zoneinfo/posix/*", "usr/share/zoneinfo/localtime",
)  # fmt: skip

# Libraries that a manylinux wheel may link although nothing else here does: glibc's former parts.
_GLIBC_PARTS = ("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1",
                "libresolv.so.2", "libgcc_s.so.1")  # fmt: skip
_LOADER_NAMES = ("ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1")


@dataclass(frozen=True, slots=True)
class Architecture:
    debian: str  # also Docker's name
    machine: str  # uname's, and the one in wheel names
    triplet: str


_ARCHITECTURES = (
    Architecture("amd64", "x86_64", "x86_64-linux-gnu"),
    Architecture("arm64", "aarch64", "aarch64-linux-gnu"),
)

_PASSWD = f"root:x:0:0:root:/:/nonexistent\nsandbox:x:{USER_ID}:{USER_ID}:sandbox:/tmp:/nonexistent\n"
_GROUP = f"root:x:0:\nsandbox:x:{USER_ID}:\n"
_NSSWITCH = "passwd: files\ngroup: files\nhosts: files\n"


def architecture(tree: Mapping[str, Entry]) -> Architecture:
    """The processor architecture of a Debian tree, told by its C library."""
    for known in _ARCHITECTURES:
        if f"usr/lib/{known.triplet}/libc.so.6" in tree:
            return known
    raise ImageError("the Debian tree is neither for amd64 nor for arm64")


def select(rootfs: Mapping[str, Entry]) -> Tree:
    """The files of an unpacked Debian tree that the image takes, directories included."""
    kept = {name: entry for name, entry in rootfs.items() if entry.kind != "directory" and _wanted(name)}
    tree = _without_unused_libraries(kept)
    if PYTHON not in tree:
        raise ImageError(f"the Debian tree holds no /{PYTHON}")
    return with_parents(tree)


def _wanted(name: str) -> bool:
    def matches(patterns: Iterable[str]) -> bool:
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)

    return matches(_KEEP) and not matches(_DROP)


def skeleton() -> Tree:
    """What the packages do not bring: accounts, mount points, and the top-level links of Debian's merged /usr."""
    return {
        "lib": link("usr/lib"), "lib64": link("usr/lib64"),
        "etc/passwd": file(_PASSWD.encode()), "etc/group": file(_GROUP.encode()),
        "etc/nsswitch.conf": file(_NSSWITCH.encode()),
        "dev": directory(), "proc": directory(), "sys": directory(), "vault": directory(), "tmp": directory(0o1777),
        "usr/lib64": directory(), OURS: directory(), SITE: directory(),
    }  # fmt: skip


def _is_library(name: str) -> bool:
    return fnmatch.fnmatchcase(name, "usr/lib/*-linux-gnu/*.so*") and name.count("/") == 3


def _without_unused_libraries(tree: Tree) -> Tree:
    libraries = {PurePosixPath(name).name: name for name in tree if _is_library(name)}
    wanted: set[str] = set()
    waiting = [name for name in tree if not _is_library(name)]
    waiting += [libraries[part] for part in (*_GLIBC_PARTS, *_LOADER_NAMES) if part in libraries]
    while waiting:
        name = waiting.pop()
        if name in wanted:
            continue
        wanted.add(name)
        entry = tree[name]
        if _is_library(name) and entry.kind == "link":
            waiting += [libraries[target] for target in [PurePosixPath(entry.target).name] if target in libraries]
        elif is_elf(entry.content):
            waiting += [libraries[library] for library in needed(entry.content) if library in libraries]
    return {name: entry for name, entry in tree.items() if name in wanted}


def missing_libraries(tree: Mapping[str, Entry]) -> dict[str, tuple[str, ...]]:
    """ELF files whose libraries are not in the tree, with those libraries' names. Empty when all is well.

    A library beside the file counts as there: wheels carry theirs in ``NAME.libs`` and find them by RUNPATH.
    """
    present = {PurePosixPath(name).name for name, entry in tree.items() if entry.kind != "directory"}
    absent = {
        name: tuple(library for library in needed(entry.content) if library not in present)
        for name, entry in tree.items()
        if is_elf(entry.content)
    }
    return {name: libraries for name, libraries in absent.items() if libraries}


def debian_packages(rootfs: Mapping[str, Entry], tree: Mapping[str, Entry]) -> dict[str, str]:
    """Name -> version of the Debian packages that gave ``tree`` a file, from rootfs.sh's ``.debs`` record."""
    owners: dict[str, str] = {}
    for line in rootfs[".debs"].content.decode().splitlines():
        deb, _, path = line.partition("\t")
        owners[path.removeprefix("./")] = deb
    used = sorted({owners[name] for name, entry in tree.items() if entry.kind != "directory" and name in owners})
    return dict(_name_and_version(deb) for deb in used)


def _name_and_version(deb: str) -> tuple[str, str]:
    found = re.fullmatch(r"([a-z0-9][a-z0-9+.-]+)_([A-Za-z0-9%.+~-]+)_[a-z0-9]+\.deb", deb)
    if not found:
        raise ImageError(f"rootfs.sh recorded {deb!r}, which is no Debian package's file name")
    return found[1], found[2].replace("%3a", ":")


def copyright_files(rootfs: Mapping[str, Entry], packages: Iterable[str]) -> Tree:
    """``usr/share/doc/PACKAGE/copyright`` of each package; some packages' whole directory is a link to another's."""
    files: Tree = {}
    for package in packages:
        documents = f"usr/share/doc/{package}"
        entry = rootfs.get(documents)
        source = f"usr/share/doc/{entry.target}" if entry and entry.kind == "link" else documents
        found = rootfs.get(f"{source}/copyright")
        if found is None or found.kind != "file":
            raise ImageError(f"the Debian package {package} brought no copyright file")
        files[f"{documents}/copyright"] = found
    return files
