from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestrator.errors import ManifestError
from orchestrator.manifest import SkillManifest, load_manifest, manifest_document, manifest_schema
from orchestrator.manifest.model import CacheRule
from orchestrator.sandbox.spec import Limits
from orchestrator.schemas.formats import is_vault_path
from orchestrator.schemas.patterns import compile_pattern

CODE = "def main(folder='.'):\r\n    return folder\n"
MINIMAL: dict[str, Any] = {"manifest_version": 1, "name": "demo", "version": "1.0.0", "code": CODE}
ON_FILE = {key: MINIMAL[key] for key in ("manifest_version", "name", "version")}


def refusal(source: Any, **keywords: Any) -> ManifestError:
    with pytest.raises(ManifestError) as caught:
        load_manifest(source, **keywords)
    return caught.value


def pointers(**changes: Any) -> list[str]:
    return [problem.pointer for problem in refusal({**MINIMAL, **changes}).problems]


def only(**changes: Any) -> str:
    [problem] = refusal({**MINIMAL, **changes}).problems
    return str(problem)


def write(directory: Path, document: dict[str, Any]) -> Path:
    path = directory / "skill.json"
    path.write_text(json.dumps(document))
    return path


def test_a_minimal_manifest_takes_the_documented_defaults() -> None:
    skill = load_manifest(MINIMAL)
    assert skill == SkillManifest(
        name="demo",
        version="1.0.0",
        code=CODE,
        code_digest=hashlib.sha256(CODE.encode()).hexdigest(),
        digest=skill.digest,
    )
    assert skill.security_level == "standard"
    assert skill.entrypoint == "main"


def test_file_bytes_and_dict_are_one_skill(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "skill one.py").write_bytes(CODE.encode())
    from_code_file = load_manifest(write(tmp_path, {**ON_FILE, "code_file": "code/skill one.py"}))
    assert from_code_file.filename == "skill one.py"
    inline = write(tmp_path, MINIMAL)
    loaded = [load_manifest(source) for source in (inline, str(inline), inline.read_bytes(), MINIMAL)]
    assert len({skill.digest for skill in [*loaded, from_code_file]}) == 1
    assert from_code_file.code == CODE  # line ends included


def test_defaults_in_the_schema_are_those_of_the_code() -> None:
    schema = manifest_schema()["properties"]
    limits = {name: each["default"] for name, each in schema["limits"]["properties"].items()}
    assert limits == dataclasses.asdict(Limits())
    document = manifest_document(load_manifest(MINIMAL))
    for name in schema.keys() - {"limits", "vault"}:
        if "default" in schema[name]:
            assert schema[name]["default"] == document[name], name
    assert document["vault"] == {"read": [], "write": []}


def test_every_key_of_the_schema_reaches_the_manifest() -> None:
    assert (
        manifest_schema()["properties"].keys() - {"code_file"}
        == manifest_document(
            load_manifest(
                {
                    **MINIMAL,
                    "inputs_schema": {},
                    "output_schema": {},
                    "on_error": "review",
                    "pure": True,
                    "cache": {"ttl_seconds": 60},
                }
            )
        ).keys()
    )


def test_the_published_schema_is_valid_described_and_portable() -> None:
    schema = manifest_schema()
    Draft202012Validator.check_schema(schema)
    assert schema["$id"].startswith("urn:")
    manifest_schema()["properties"].clear()
    assert manifest_schema() == schema
    for name, each in [*schema["properties"].items(), *schema["properties"]["limits"]["properties"].items()]:
        assert each["description"].endswith("."), name


@given(st.text(alphabet="a./\\\0\n\x7fé ", max_size=8) | st.text(max_size=5))
def test_the_schemas_pattern_alone_keeps_paths_below_the_vault(path: str) -> None:
    pattern = compile_pattern(manifest_schema()["$defs"]["directories"]["items"]["pattern"])
    if is_vault_path(path):
        assert pattern.found_in(path)
    elif pattern.found_in(path):  # what only ``format`` refuses: C1, bidirectional controls, separators
        assert not {"..", "", "."} & set(path.split("/"))
        assert not {"\\", "\0", "\n", "\x7f"} & set(path)


def test_an_effective_manifest_loads_to_the_same_digest() -> None:
    skill = load_manifest(
        {
            **MINIMAL,
            "entrypoint": None,
            "inputs": {"a b": [1, {"c": None}]},
            "inputs_schema": {"type": "object"},
            "limits": {"cpu_seconds": 5},
            "vault": {"read": ["Inbox"], "write": ["."]},
            "review": {"on_deletes": True, "over_files": 3, "outside": ["Inbox"]},
            "on_error": "review",
            "metadata": {"tags": ["x"]},
            "dependencies": ["PyYAML>=6"],
        }
    )
    document = manifest_document(skill)
    assert load_manifest(json.dumps(document).encode()) == skill
    assert load_manifest(document).digest == skill.digest
    assert document["metadata"] == {"tags": ["x"]}
    assert type(skill.limits.cpu_seconds) is float


@pytest.mark.parametrize(
    "change",
    [
        {"code": CODE + " "},
        {"inputs": {"a": 1}},
        {"limits": {"pids": 33}},
        {"vault": {"write": ["a"]}},
        {"name": "demo2"},
        {"entrypoint": None},
        {"metadata": {"a": 1}},
        {"output_schema": {}},
        {"pure": True},
        {"pure": True, "cache": {"ttl_seconds": 60}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_change_changes_the_digest(change: dict[str, Any]) -> None:
    assert load_manifest({**MINIMAL, **change}).digest != load_manifest(MINIMAL).digest


@pytest.mark.parametrize(
    ("change", "pointer", "words"),
    [
        ({"cache": {"ttl_seconds": 60}}, "/cache", '"pure": true'),
        ({"cache": {"ttl_seconds": 60}, "pure": False}, "/cache", '"pure": true'),
        ({"pure": True, "vault": {"read": ["Inbox"], "write": ["Out"]}}, "/pure", "no vault.write"),
        ({"pure": True, "cache": {"ttl_seconds": 0}}, "/cache/ttl_seconds", "1"),
        ({"pure": True, "cache": {"ttl_seconds": 604801}}, "/cache/ttl_seconds", "604800"),
        ({"pure": True, "cache": {"ttl_seconds": True}}, "/cache/ttl_seconds", "number"),
        ({"pure": True, "cache": {}}, "/cache/ttl_seconds", ""),
        ({"pure": True, "cache": {"ttl_seconds": 60, "size": 1}}, "/cache/size", ""),
        ({"pure": "yes"}, "/pure", "true"),
    ],
)
def test_what_is_not_pure_has_no_cache(change: dict[str, Any], pointer: str, words: str) -> None:
    with pytest.raises(ManifestError) as raised:
        load_manifest({**MINIMAL, **change})
    assert pointer in {each.pointer for each in raised.value.problems}
    assert words in " ".join(f"{each.message} {each.expected}" for each in raised.value.problems)


def test_a_pure_skill_may_read_and_have_a_cache() -> None:
    skill = load_manifest({**MINIMAL, "pure": True, "cache": {"ttl_seconds": 60}, "vault": {"read": ["Inbox"]}})
    assert (skill.pure, skill.cache) == (True, CacheRule(60.0))
    assert load_manifest(manifest_document(skill)).digest == skill.digest
    assert (load_manifest(MINIMAL).pure, load_manifest(MINIMAL).cache) == (False, None)


def test_spelling_out_a_default_does_not() -> None:
    assert load_manifest({**MINIMAL, "limits": {"cpu_seconds": 30}, "entrypoint": "main"}) == load_manifest(MINIMAL)


def test_later_changes_of_the_dict_have_no_effect() -> None:
    source = copy.deepcopy(
        {**MINIMAL, "inputs": {"a": [1]}, "metadata": {"m": {}}, "inputs_schema": {"properties": {}}}
    )
    skill = load_manifest(source)
    before = manifest_document(skill)
    source["inputs"]["a"].append(2)
    source["metadata"]["m"]["x"] = 1
    source["inputs_schema"]["properties"]["a"] = {"type": "null"}
    source["code"] = "evil"
    assert manifest_document(skill) == before
    with pytest.raises(TypeError):
        skill.inputs["a"] = 2  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        skill.code = "evil"  # type: ignore[misc]


def test_all_problems_at_once_sorted_and_deterministic() -> None:
    bad = {
        "manifest_version": 2,
        "name": "../x",
        "code": "a\0b",
        "limits": {"memory_mb": "100", "pidz": 1},
        "vault": {"read": ["/etc"]},
        "inputs_schema": {"type": "objct"},
        "output_schema": {"properties": {"a": {"$ref": "http://x.invalid/"}}},
        "inputs": {"a-b": 1},
        "dependencies": ["a @ https://x.invalid/a.whl"],
        "nmae": 1,
    }
    error = refusal(bad)
    found = [problem.pointer for problem in error.problems]
    assert found == [
        "/code",
        "/dependencies/0",
        "/inputs/a-b",
        "/inputs_schema/type",
        "/limits/memory_mb",
        "/limits/pidz",
        "/manifest_version",
        "/name",
        "/nmae",
        "/output_schema/properties/a/$ref",
        "/vault/read/0",
        "/version",
    ]
    assert str(error) == str(refusal(dict(reversed(bad.items()))))
    assert "12 problems" in str(error)
    assert all(problem.expected for problem in error.problems)


def test_problems_are_capped() -> None:
    error = refusal({**MINIMAL, "dependencies": [f"!{i}" for i in range(50)], **{f"k{i}": 1 for i in range(50)}})
    assert len(error.problems) == 50
    assert "the first 50 are shown" in str(error)


def test_words_for_people() -> None:
    assert only(limits={"memory_mb": 8}) == "/limits/memory_mb: is 8; expected an integer from 16 to 65536 MB"
    assert only(limits={"pids": 8.0}).startswith("/limits/pids: is 8.0; expected an integer")
    assert only(limits={"pids": True}).startswith("/limits/pids: is true; expected an integer")
    assert only(limits={"memory": 1}).startswith('/limits/memory: unknown key "memory"; did you mean "memory_mb"?')
    assert only(security_levle="strict").startswith(
        '/security_levle: unknown key "security_levle"; did you mean "security_level"?'
    )
    assert only(security_level="strickt").endswith(
        'did you mean "strict"?; expected one of "strict", "standard", "relaxed"'
    )
    assert "a semantic version like 1.4.2" in only(version="1.0")
    assert only(code_file="x.py").startswith('(document): gives "code", "code_file"')
    assert str(refusal(ON_FILE).problems[0]).startswith('(document): gives none of "code", "code_file"')
    assert only(**{"\x1b[2J": 1}).startswith('/\\x1b[2J: unknown key "\\x1b[2J"')


@pytest.mark.parametrize(
    "name",
    ["", "a/b", "a\\b", "..", ".a", "a.", "-a", "é", "аdmin", "a b", "a\n", "x" * 65, "con", "NUL", "com1.x", "Aux"],
)
def test_names_refused(name: str) -> None:
    assert set(pointers(name=name)) == {"/name"}


@pytest.mark.parametrize("name", ["a", "Summarise_Inbox.v2", "console", "a-b"])
def test_names_accepted(name: str) -> None:
    assert load_manifest({**MINIMAL, "name": name}).name == name


@pytest.mark.parametrize(
    "version", ["1", "1.2", "01.2.3", "1.2.3-", "1.2.3+", "v1.2.3", "1.2.3\n", "9999999999.0.0", "1.2.3-" + "a." * 100]
)
def test_versions_refused(version: str) -> None:
    assert set(pointers(version=version)) == {"/version"}


@pytest.mark.parametrize("version", ["0.0.0", "1.2.3-rc.1", "1.2.3+build.5", "10.20.30-a-b.1+x"])
def test_versions_accepted(version: str) -> None:
    assert load_manifest({**MINIMAL, "version": version}).version == version


@pytest.mark.parametrize(
    "limits",
    [
        {"memory_mb": -1},
        {"memory_mb": 0},
        {"memory_mb": 10**18},
        {"wall_seconds": True},
        {"wall_seconds": "1e9"},
        {"cpu_seconds": 0},
        {"image": "x"},
        {"memory_mb": None},
    ],
)
def test_senseless_limits_are_refused(limits: dict[str, Any]) -> None:
    assert len(pointers(limits=limits)) == 1


@pytest.mark.parametrize(
    "path", ["/etc", "a/../b", "..", "a//b", "a/", "", "a\\b", "a\0", "a\n", "./a", "\u202ea", "x" * 300]
)
def test_vault_directories_refused(path: str) -> None:
    for key in ("read", "write"):
        assert pointers(vault={key: ["ok", path]}) == [f"/vault/{key}/1"]


def test_vault_directories_accepted() -> None:
    assert load_manifest({**MINIMAL, "vault": {"read": [".", ".obsidian", "Ünï/a b"]}}).vault.read == (
        ".",
        ".obsidian",
        "Ünï/a b",
    )


@pytest.mark.parametrize(
    "dependency",
    [
        "git+https://x.invalid/a",
        "a @ file:///x",
        "./local",
        "a; os_name == 'posix'",
        "--index-url https://x.invalid",
        "-r x",
        "a b",
        "",
        "a\n",
        "é",
        "a" * 300,
    ],
)
def test_dependencies_refused(dependency: str) -> None:
    assert set(pointers(dependencies=[dependency])) == {"/dependencies/0"}


@pytest.mark.parametrize(
    "entrypoint", ["", "1a", "a.b", "a b", "class", "None", "__import__", "é", "a\n", 1, [], "x" * 65]
)
def test_entrypoints_refused(entrypoint: Any) -> None:
    assert set(pointers(entrypoint=entrypoint)) == {"/entrypoint"}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("", "holds no code"),
        (" \n", "holds no code"),
        ("\ufeffx = 1", "byte order mark"),
        ("x = 1\ny\0", "NUL character (line 2)"),
        ("# -*- coding: utf-7 -*-\nx = 1", "declares the encoding utf-7"),
        ("#!/x\n# vim: set fileencoding=latin-1 :\n", "declares the encoding latin-1"),
        ("#\r# coding: cp037", "declares the encoding cp037"),
        ("é" * 131_073, "takes 262146 bytes"),
    ],
)
def test_code_texts_refused(code: str, words: str, tmp_path: Path) -> None:
    assert words in only(code=code)
    (tmp_path / "a.py").write_bytes(code.encode())
    if len(code) < 1000:
        assert words in str(refusal(write(tmp_path, {**ON_FILE, "code_file": "a.py"})))


@pytest.mark.parametrize("code", ["# coding: UTF_8\nx = 1", "x = 1\n\n# coding: latin-1", "x = 'coding: latin-1'"])
def test_code_texts_accepted(code: str) -> None:
    assert load_manifest({**MINIMAL, "code": code}).code == code


def test_defaults_are_checked_one_by_one_and_need_not_be_complete() -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "folder": {"type": "string"}},
        "required": ["n", "folder"],
        "additionalProperties": False,
    }
    assert load_manifest({**MINIMAL, "inputs_schema": schema, "inputs": {"n": 1}}).inputs == {"n": 1}
    assert pointers(inputs_schema=schema, inputs={"n": "1", "fodler": "x"}) == ["/inputs/fodler", "/inputs/n"]


def test_metadata_is_capped() -> None:
    assert pointers(metadata={"a": "x" * 70_000}) == ["/metadata"]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "empty"),
        (b"[]", "expected an object"),
        (b'{"name":"a","name":"b"}', "stands twice"),
        (b'{"limits":{"memory_mb":NaN}}', "NaN"),
        (b"[" * 100_000, "values"),
        (b"[" * 65 + b"]" * 65, "nested deeper than 64"),
        (b'{"a":' * 1000, "nested deeper than 64"),
        (b" " * (2 * 2**20 + 1), "over the limit"),
        (b'{"name":"\xff"}', "not UTF-8"),
    ],
)
def test_hostile_documents(raw: bytes, words: str) -> None:
    assert words in str(refusal(raw))


def test_dicts_go_the_same_strict_way() -> None:
    itself: dict[str, Any] = dict(MINIMAL)
    itself["metadata"] = {"x": itself}
    assert "holds itself" in str(refusal(itself))
    assert pointers(metadata={"a": {1, 2}, "b": float("inf"), "c": {3: 4}}) == [
        "/metadata/a",
        "/metadata/b",
        "/metadata/c",
    ]
    assert "lone surrogate" in only(code="x = '\ud800'")


def test_unreadable_manifests(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path, words in [
        (fifo, "not a regular file"),
        (tmp_path, "not a regular file"),
        (tmp_path / "none", "No such file"),
    ]:
        assert words in str(refusal(path))
    assert "cannot be read" in str(refusal("a\0b"))
    big = tmp_path / "big.json"
    with big.open("wb") as file:
        file.truncate(2**40)  # sparse: must not be read whole
    assert "too large" in str(refusal(big))


@pytest.mark.parametrize("path", ["../a.py", "/etc/passwd", "a/../../b", "", ".", "a\\b", "a\0b", "sub/", "x\n.py"])
def test_code_files_that_leave_the_directory_are_refused(tmp_path: Path, path: str) -> None:
    error = refusal(write(tmp_path, {**ON_FILE, "code_file": path}))
    assert {problem.pointer for problem in error.problems} == {"/code_file"}


def test_code_files_behind_links_and_odd_files_are_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.py").write_text(CODE)
    home = tmp_path / "home"
    home.mkdir()
    (home / "link.py").symlink_to(outside / "a.py")
    (home / "inside.py").symlink_to("real.py")
    (home / "real.py").write_text(CODE)
    (home / "dir").symlink_to(outside)
    (home / "loop").symlink_to("loop")
    (home / "folder").mkdir()
    os.mkfifo(home / "fifo.py")
    (home / "big.py").write_text("#" * 300_000)
    (home / "latin.py").write_bytes(b"# \xe9\n")
    expected = {
        "link.py": "is a symbolic link",
        "inside.py": "is a symbolic link",
        "dir/a.py": "symbolic link",
        "loop": "is a symbolic link",
        "loop/a.py": "symbolic link",
        "real.py/a": "symbolic link or a file",
        "folder": "not a regular file",
        "fifo.py": "not a regular file",
        "none.py": "No such file",
        "big.py": "too large",
        "latin.py": "not UTF-8 (byte 2)",
    }
    for path, words in expected.items():
        [problem] = refusal(write(home, {**ON_FILE, "code_file": path})).problems
        assert problem.pointer == "/code_file"
        assert words in problem.message, path
    assert load_manifest(write(home, {**ON_FILE, "code_file": "real.py"})).code == CODE


def test_reading_leaves_no_descriptor_open(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "fifo").mkdir()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in ("d/fifo", "d/none", "none/a"):
        refusal(write(tmp_path, {**ON_FILE, "code_file": path}))
    refusal(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_code_file_without_a_file_needs_base_dir(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(CODE)
    document = {**ON_FILE, "code_file": "a.py"}
    assert "base_dir" in str(refusal(document))
    assert "base_dir" in str(refusal(json.dumps(document).encode()))
    assert load_manifest(document, base_dir=tmp_path).filename == "a.py"


def test_an_edited_code_file_is_another_skill(tmp_path: Path) -> None:
    path = write(tmp_path, {**ON_FILE, "code_file": "a.py"})
    (tmp_path / "a.py").write_text("x = 1\n")
    first = load_manifest(path)
    (tmp_path / "a.py").write_text("x = 2\n")
    second = load_manifest(path)
    assert (first.code, second.code) == ("x = 1\n", "x = 2\n")
    assert first.digest != second.digest
