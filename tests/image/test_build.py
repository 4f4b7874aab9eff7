"""The build: reproducible, skipped when nothing changed, and closed against surprises."""

from __future__ import annotations

import copy
import json
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest

from orchestrator.errors import ImageError
from orchestrator.image import bytecode, wheels
from orchestrator.image.archive import ENTRYPOINT, ENVIRONMENT, USER, write_archive
from orchestrator.image.build import Assembled, assemble, ensure_image
from orchestrator.image.contents import OURS
from orchestrator.image.model import BuiltImage, verify
from orchestrator.image.recipe import Recipe
from orchestrator.image.state import recall, remember
from orchestrator.sandbox.docker_engine import DockerEngine

Document = dict[str, Any]


def copied(recipe: Recipe, to: Path) -> Recipe:
    to.mkdir()
    for path in (recipe.rootfs_script, recipe.requirements, *recipe.programs()):
        shutil.copy(path, to)
    return Recipe(to)


def test_two_builds_from_nothing_give_one_image_id(
    recipe: Recipe, store: DockerEngine, client: docker.DockerClient, tmp_path: Path
) -> None:
    before = {found.id for found in client.images.list(all=True)}
    written, loaded = [], []
    for name in ("first", "second"):
        built = assemble(copied(recipe, tmp_path / name), tmp_path / f"cache-{name}")
        archive = tmp_path / f"{name}.tar"
        written.append(write_archive(built.tree, built.architecture, built.labels(), archive))
        loaded.append(store.load_image(archive))
    cached = assemble(Recipe(tmp_path / "first"), tmp_path / "cache-first")
    assert cached.tree == built.tree
    assert written[0] == written[1]
    assert loaded[0] == loaded[1]
    if loaded[0] not in before:
        client.images.remove(loaded[0])


def test_a_container_compiles_to_the_same_byte_code(assembled: Assembled, tmp_path: Path) -> None:
    if shutil.which("docker") is None:
        pytest.skip("the way over a container needs the docker command")
    there = bytecode.unpack(bytecode.compile_in_container(assembled.tree, (OURS,)))
    assert there
    assert there == bytecode.compile_tree(assembled.tree, (OURS,), tmp_path)


def test_nothing_is_built_while_nothing_changed(
    store: DockerEngine, image: BuiltImage, cache_dir: Path, tmp_path: Path
) -> None:
    remember(tmp_path, image)
    messages: list[str] = []
    assert ensure_image(store, tmp_path, cache_dir, progress=messages.append) == image
    assert messages == [f"the sandbox image is up to date: {image.image_id}"]


@pytest.mark.parametrize("name", ["supervisor.py", "requirements.txt", "rootfs.sh"])
def test_each_input_counts(name: str, recipe: Recipe, tmp_path: Path) -> None:
    changed = copied(recipe, tmp_path / "recipe")
    assert changed.inputs_digest() == recipe.inputs_digest()
    with (changed.directory / name).open("a") as stream:
        stream.write("# changed\n")
    assert changed.inputs_digest() != recipe.inputs_digest()
    assert (changed.base_digest() == recipe.base_digest()) == (name == "supervisor.py")


def test_a_recipe_without_supervisor_or_with_a_syntax_error_is_refused(
    recipe: Recipe, cache_dir: Path, tmp_path: Path
) -> None:
    changed = copied(recipe, tmp_path / "recipe")
    (changed.directory / "extra.py").write_text("def broken(:\n")
    with pytest.raises(ImageError, match=r"not valid Python 3\.13: extra\.py"):
        assemble(changed, cache_dir)
    (changed.directory / "supervisor.py").unlink()
    with pytest.raises(ImageError, match=r"no supervisor\.py"):
        assemble(changed, cache_dir)


# --- requirements --------------------------------------------------------------------------------------------------


def test_the_shipped_requirements_are_pinned_and_hashed(recipe: Recipe) -> None:
    text = recipe.requirements.read_text()
    assert wheels.parse_requirements(text) == (wheels.Requirement("PyYAML", "6.0.3"),)
    assert "://" not in text


@pytest.mark.parametrize(
    "line",
    [
        "PyYAML",
        "PyYAML==6.0.3",
        "PyYAML>=6 --hash=sha256:" + "a" * 64,
        "PyYAML==6.0.3 --hash=md5:" + "a" * 32,
        "PyYAML==6.0.3 --hash=sha256:" + "a" * 63,
        "--index-url=x",
        "-r other.txt",
        "-e .",
        "./local.whl",
        "name @ file:///x.whl --hash=sha256:" + "a" * 64,
    ],
)
def test_anything_else_in_requirements_is_refused(line: str) -> None:
    with pytest.raises(ImageError, match="is not `NAME==VERSION --hash"):
        wheels.parse_requirements(line + "\n")


def test_a_wheel_with_another_hash_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    text = re.sub(r"sha256:[0-9a-f]{8}", "sha256:00000000", recipe.requirements.read_text())
    (tmp_path / "requirements.txt").write_text(text)
    with pytest.raises(ImageError, match="could not fetch the wheels"):
        wheels.fetch(tmp_path / "requirements.txt", "x86_64")


# --- verify --------------------------------------------------------------------------------------------------------


def _set(*path: str, value: object) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


TAMPERED = {
    "id": _set("Id", value="sha256:" + "0" * 64),
    "layer": _set("RootFS", "Layers", value=["sha256:" + "0" * 64]),
    "no rootfs": _set("RootFS", value=None),
    "architecture": _set("Architecture", value="s390x"),
    "os": _set("Os", value="windows"),
    "config": _set("Config", value=None),
    "user": _set("Config", "User", value="0"),
    "no user": _set("Config", "User", value=""),
    "environment": _set("Config", "Env", value=[*ENVIRONMENT, "LD_PRELOAD=/tmp/x.so"]),
    "entrypoint": _set("Config", "Entrypoint", value=[*ENTRYPOINT, "--debug"]),
    "command": _set("Config", "Cmd", value=["x"]),
    "directory": _set("Config", "WorkingDir", value="/tmp"),
    "volume": _set("Config", "Volumes", value={"/vault": {}}),
    "health check": _set("Config", "Healthcheck", value={"Test": ["CMD", "/usr/bin/python3.13"]}),
    "trigger": _set("Config", "OnBuild", value=["RUN x"]),
    "port": _set("Config", "ExposedPorts", value={"80/tcp": {}}),
    "stop signal": _set("Config", "StopSignal", value="SIGCONT"),
    "label": _set("Config", "Labels", "io.skill-orchestrator.packages", value="{}"),
    "unknown key": _set("Config", "Something", value=1),
}


def test_the_engines_own_description_passes(store: DockerEngine, image: BuiltImage) -> None:
    document = store.inspect_image(image.image_id)
    assert document is not None
    verify(document, image)
    assert document["Config"]["User"] == USER


@pytest.mark.parametrize("name", TAMPERED)
def test_any_surprise_is_refused(name: str, store: DockerEngine, image: BuiltImage) -> None:
    document: Document = copy.deepcopy(dict(store.inspect_image(image.image_id) or {}))
    TAMPERED[name](document)
    with pytest.raises(ImageError):
        verify(document, image)


# --- remember and recall -------------------------------------------------------------------------------------------


def test_what_is_remembered_comes_back_and_is_private(image: BuiltImage, tmp_path: Path) -> None:
    assert recall(tmp_path) is None
    remember(tmp_path, image)
    assert recall(tmp_path) == image
    assert stat.S_IMODE((tmp_path / "image.json").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["image.json"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"version": 1', '"version": 2'),
        ('"image_id": "sha256:', '"image_id": "latest:'),
        ('"size_bytes": ', '"size_bytes": -'),
        ('"architecture": "', '"architecture": "x'),
        ('"PyYAML": "6.0.3"', '"PyYAML": 6'),
        ('"packages"', '"pakages"'),
        ("{", '{"version": 1,'),
        ("{", "["),
        ("{", " " * 70_000 + "{"),
    ],
)
def test_a_damaged_record_is_refused(old: str, new: str, image: BuiltImage, tmp_path: Path) -> None:
    remember(tmp_path, image)
    path = tmp_path / "image.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ImageError, match=r"is damaged \(|it is larger than 65536 bytes"):
        recall(tmp_path)


def test_a_record_that_is_a_link_is_refused(image: BuiltImage, tmp_path: Path) -> None:
    remember(tmp_path / "elsewhere", image)
    (tmp_path / "image.json").symlink_to(tmp_path / "elsewhere/image.json")
    with pytest.raises(ImageError, match="cannot read"):
        recall(tmp_path)


def test_the_dockerfile_says_the_same_as_the_build(recipe: Recipe) -> None:
    text = (recipe.directory / "Dockerfile").read_text()
    lines = dict(line.split(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    assert lines["FROM"] == "scratch"
    assert tuple(json.loads(lines["ENTRYPOINT"])) == ENTRYPOINT
    assert (lines["USER"], tuple(lines["ENV"].split())) == (USER, ENVIRONMENT)
    assert set(lines) == {"FROM", "ADD", "ENV", "USER", "WORKDIR", "ENTRYPOINT"}
