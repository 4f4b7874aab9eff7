"""What the built image holds, and what it must not hold."""

from __future__ import annotations

import fnmatch
import json

import docker
import pytest

from orchestrator.image.archive import ENTRYPOINT
from orchestrator.image.build import Assembled
from orchestrator.image.contents import OURS, PYTHON, SITE, STDLIB, missing_libraries
from orchestrator.image.model import SIZE_LIMIT, BuiltImage
from orchestrator.image.recipe import Recipe

FORBIDDEN_NAMES = (
    "sh", "bash", "dash", "busybox", "env", "cat", "ls", "cp", "mv", "dd", "perl*", "apt*", "dpkg*", "debconf*", "pip*",
    "gcc*", "ld", "su", "sudo", "mount", "ldconfig", "curl", "wget", "openssl",
)  # fmt: skip

PROBE = """
import importlib, json, os, stat, sys
sys.path.append('/opt/orchestrator/site')
special, programs = [], []
for parent, _, names in os.walk('/'):
    if parent.startswith(('/proc', '/sys', '/dev')):
        continue
    for name in names:
        path = os.path.join(parent, name)
        mode = os.lstat(path).st_mode
        if mode & (stat.S_ISUID | stat.S_ISGID):
            special.append(path)
        if stat.S_ISREG(mode) and mode & 0o111 and os.stat(path).st_size:
            programs.append(path)
broken = {}
for name in %r:
    try:
        importlib.import_module(name)
    except Exception as error:
        broken[name] = repr(error)
import json as module
writable = [path for path in ('/', '/etc', '/usr', '/opt/orchestrator', '/vault') if os.access(path, os.W_OK)]
print(json.dumps({'special': special, 'programs': programs, 'broken': broken, 'ids': [os.getuid(), os.getgid()],
                  'cached': module.__cached__, 'version': sys.version.split()[0], 'writable': writable,
                  'encoding': [sys.stdout.encoding, sys.getfilesystemencoding()]}))
"""
MODULES = (
    "asyncio", "bz2", "concurrent.futures", "ctypes", "csv", "decimal", "email", "fcntl", "hashlib", "html", "inspect",
    "json", "lzma", "math", "multiprocessing", "pathlib", "random", "re", "resource", "select", "sqlite3", "ssl",
    "statistics", "subprocess", "threading", "tomllib", "unicodedata", "unittest", "urllib.parse", "uuid",
    "xml.etree.ElementTree", "yaml", "yaml._yaml", "zipfile", "zlib", "zoneinfo",
)  # fmt: skip


def test_the_interpreter_is_the_only_program(assembled: Assembled) -> None:
    assert [name for name in assembled.tree if name.startswith("usr/bin/")] == [PYTHON]
    assert not [name for name in assembled.tree if name.startswith(("usr/sbin/", "sbin", "bin"))]


def test_no_shell_and_no_package_manager_under_any_path(assembled: Assembled) -> None:
    files = [name for name, entry in assembled.tree.items() if entry.kind != "directory" and entry.mode & 0o111]
    outside_python = [name for name in files if not name.startswith((STDLIB, "usr/share/zoneinfo"))]
    found = [n for n in outside_python if any(fnmatch.fnmatch(n.rpartition("/")[2], f) for f in FORBIDDEN_NAMES)]
    assert found == []


def test_nothing_is_setuid_or_writable(assembled: Assembled) -> None:
    modes = {name: entry.mode for name, entry in assembled.tree.items() if entry.kind != "link"}
    assert {name for name, mode in modes.items() if mode & 0o6000} == set()
    assert {name for name, mode in modes.items() if mode & 0o022} == {"tmp"}


def test_no_shared_library_is_missing(assembled: Assembled) -> None:
    assert missing_libraries(assembled.tree) == {}
    without = {name: entry for name, entry in assembled.tree.items() if "libcrypto" not in name}
    assert any(name.endswith("libssl.so.3") for name in missing_libraries(without))


def test_every_source_has_byte_code(assembled: Assembled) -> None:
    sources = [n for n, e in assembled.tree.items() if n.endswith(".py") and e.kind == "file"]
    assert len(sources) > 400
    compiled = {name for name in assembled.tree if name.endswith(".cpython-313.pyc")}
    absent = [
        name
        for name in sources
        if "{0}/__pycache__/{2}.cpython-313.pyc".format(*name.removesuffix(".py").rpartition("/")) not in compiled
    ]
    assert absent == []


def test_the_entry_point_is_byte_code_that_is_there(assembled: Assembled) -> None:
    assert assembled.tree[ENTRYPOINT[-1].lstrip("/")].content


def test_byte_code_is_never_checked_against_times(assembled: Assembled) -> None:
    flags = {entry.content[4:8] for name, entry in assembled.tree.items() if name.endswith(".pyc")}
    assert flags == {b"\x01\x00\x00\x00"}  # PEP 552: hash-based, check_source not set


def test_byte_code_names_the_files_of_the_image(assembled: Assembled) -> None:
    content = assembled.tree[f"{STDLIB}/json/__pycache__/__init__.cpython-313.pyc"].content
    assert f"/{STDLIB}/json/__init__.py".encode() in content


def test_our_programs_are_in_it_unchanged(assembled: Assembled, recipe: Recipe) -> None:
    for path in recipe.programs():
        entry = assembled.tree[f"{OURS}/{path.name}"]
        assert (entry.content, entry.mode) == (path.read_bytes(), 0o444)


def test_every_debian_package_left_its_copyright_file(assembled: Assembled) -> None:
    assert {"python3.13-minimal", "libc6", "tzdata"} <= set(assembled.debs)
    assert not {"debconf", "dpkg", "perl-base"} & set(assembled.debs)
    for package in assembled.debs:
        assert assembled.tree[f"usr/share/doc/{package}/copyright"].content


def test_the_label_lists_what_the_site_directory_holds(assembled: Assembled, image: BuiltImage) -> None:
    found = {n.split("/")[3] for n in assembled.tree if n.startswith(f"{SITE}/") and n.endswith(".dist-info/METADATA")}
    label = json.loads(image.labels()["io.skill-orchestrator.packages"])
    assert {f"{name.lower()}-{version}.dist-info" for name, version in label.items()} == found
    assert label == {"PyYAML": "6.0.3"}
    assert image.labels()["io.skill-orchestrator.python"].startswith("3.13.")
    assert json.loads(image.labels()["io.skill-orchestrator.debs"]) == dict(assembled.debs)


def test_the_engine_counts_no_more_than_the_limit(client: docker.DockerClient, image: BuiltImage) -> None:
    assert 20 * 2**20 < client.images.get(image.image_id).attrs["Size"] <= SIZE_LIMIT


@pytest.fixture(scope="module")
def probe(client: docker.DockerClient, image: BuiltImage) -> dict[str, object]:
    output = client.containers.run(
        image.image_id, ["-I", "-S", "-B", "-c", PROBE % (MODULES,)], entrypoint="/usr/bin/python3.13", remove=True,
        network_disabled=True, network_mode="none", cap_drop=["ALL"], read_only=True, labels={"tests": "image"},
    )  # fmt: skip
    found: dict[str, object] = json.loads(output)
    return found


def test_inside_a_container_it_is_what_the_tree_promised(probe: dict[str, object], image: BuiltImage) -> None:
    assert probe["ids"] == [65532, 65532]
    assert probe["special"] == []
    assert probe["broken"] == {}
    assert probe["version"] == image.python_version
    assert probe["writable"] == []
    assert probe["encoding"] == ["utf-8", "utf-8"]
    assert probe["cached"] == f"/{STDLIB}/json/__pycache__/__init__.cpython-313.pyc"


def test_what_can_be_executed_is_the_interpreter_and_libraries(probe: dict[str, object]) -> None:
    programs = probe["programs"]
    assert isinstance(programs, list)
    assert f"/{PYTHON}" in programs
    others = [name for name in programs if name != f"/{PYTHON}" and ".so" not in name.rpartition("/")[2]]
    assert [name for name in others if not name.endswith(".py")] == []


BOOT = """
import sys
before = set(sys.modules)
sys.path.insert(0, '/opt/orchestrator')
import supervisor
found = set(sys.modules) - before
import json
lean = sys.modules['lean']
value = {'a': [1, -2.5, None, True, 'x\\u00e9\\ud800'], 'b': {}}
same = lean.dumps(value) == json.dumps(value) and lean.loads(json.dumps(value).encode()) == value
print(json.dumps({'loaded': sorted(found), 'same': same}))
"""


def test_the_boot_loads_c_modules_and_our_own_only(client: docker.DockerClient, image: BuiltImage) -> None:
    """Each further import is paid for on every run: see sandbox-image/lean.py."""
    output = client.containers.run(
        image.image_id, ["-I", "-S", "-B", "-c", BOOT], entrypoint="/usr/bin/python3.13", remove=True,
        network_disabled=True, network_mode="none", labels={"tests": "image"},
    )  # fmt: skip
    found = json.loads(output)
    ours = {"supervisor", "accounting", "confine", "executor", "guards", "lean"}
    c_modules = {"_ctypes", "_json", "_stat", "_struct", "errno", "fcntl", "gc", "mmap", "resource", "select"}
    assert set(found["loaded"]) <= ours | c_modules | {"__future__", "linecache", "struct"}
    assert ours <= set(found["loaded"])
    assert found["same"]  # with this interpreter's _json
