"""Builds the sandbox image: Debian tree, allow list, wheels, our programs, byte code, archive, load, verify.

Every step is a function of files, so two builds from the same packages give one image id. What is slow (packages,
wheels, the standard library's byte code) is kept in a cache directory under the digest of what decided it.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import ImageError
from orchestrator.image import bytecode, contents, wheels
from orchestrator.image.archive import Written, write_archive
from orchestrator.image.model import SIZE_LIMIT, TAG, BuiltImage, ImageStore, make_labels, verify
from orchestrator.image.recipe import Recipe, locate
from orchestrator.image.rootfs import Progress, rootfs_archive
from orchestrator.image.state import recall, remember
from orchestrator.image.tree import Entry, Tree, file, read_tar, with_parents, write_tar
from orchestrator.private import draft

_DEBS = ".debs.json"  # in a cached base only: the Debian packages it was made of


@dataclass(frozen=True, slots=True)
class Assembled:
    """An image before the engine has seen it."""

    tree: Tree
    architecture: str
    python_version: str
    packages: Mapping[str, str]
    debs: Mapping[str, str]

    def labels(self) -> dict[str, str]:
        return make_labels(self.python_version, self.packages, self.debs)


def silent(_message: str) -> None:
    pass


def ensure_image(
    store: ImageStore,
    state_dir: Path,
    cache_dir: Path,
    *,
    progress: Progress = silent,
    force: bool = False,
    out: Path | None = None,
    recipe: Recipe | None = None,
) -> BuiltImage:
    """The image of the current recipe: the one remembered in ``state_dir`` if nothing changed and the engine still has
    it, else a new one. ``force`` builds in any case, with packages fetched afresh; ``out`` builds in any case too, and
    keeps the docker-archive there."""
    recipe = recipe or locate()
    known = None if force or out else recall(state_dir)
    if known and known.inputs_digest == recipe.inputs_digest():
        document = store.inspect_image(known.image_id)
        if document is not None:
            verify(document, known)
            progress(f"the sandbox image is up to date: {known.image_id}")
            return known
    image = build_image(store, cache_dir, out=out, progress=progress, fresh=force, recipe=recipe)
    remember(state_dir, image)
    return image


def build_image(
    store: ImageStore,
    cache_dir: Path,
    *,
    out: Path | None = None,
    progress: Progress = silent,
    fresh: bool = False,
    recipe: Recipe | None = None,
) -> BuiltImage:
    """Build the image and load it into ``store``; ``out`` keeps the docker-archive as well.

    Raises ``ImageError`` when something cannot be had (packages, wheels), is not as it should be (a missing
    library, a size over ``SIZE_LIMIT``), or when the engine holds something else than what was given to it.
    """
    recipe = recipe or locate()
    cache_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    inputs_digest = recipe.inputs_digest()  # before anything is read: a change meanwhile shows next time
    assembled = assemble(recipe, cache_dir, progress=progress, fresh=fresh)
    with tempfile.TemporaryDirectory(dir=cache_dir, prefix="archive-") as name:
        archive = out or Path(name) / "image.tar"
        written = write_archive(assembled.tree, assembled.architecture, assembled.labels(), archive)
        progress(f"loading the image into the engine ({written.layer_bytes / 2**20:.0f} MB)")
        image_id = store.load_image(archive)
    image = _described(store, image_id, assembled, written, inputs_digest)
    store.tag_image(image_id, TAG)
    return image


def _described(
    store: ImageStore, image_id: str, assembled: Assembled, written: Written, inputs_digest: str
) -> BuiltImage:
    document = store.inspect_image(image_id)
    size = document.get("Size") if document else None
    if document is None or not isinstance(size, int):
        raise ImageError(f"the engine loaded the sandbox image as {image_id!r} but does not describe it")
    image = BuiltImage(
        image_id=image_id,
        layer_digest=written.layer_digest,
        architecture=assembled.architecture,
        size_bytes=size,
        python_version=assembled.python_version,
        packages=assembled.packages,
        debs=assembled.debs,
        inputs_digest=inputs_digest,
    )
    verify(document, image)
    return image


def assemble(recipe: Recipe, cache_dir: Path, *, progress: Progress = silent, fresh: bool = False) -> Assembled:
    """Everything but the engine's part. ``ImageError`` for a tree that must not become an image."""
    programs = recipe.programs()
    base = _base(recipe, cache_dir, progress, fresh=fresh)
    ours = {f"{contents.OURS}/{path.name}": file(path.read_bytes()) for path in programs}
    tree = with_parents({**base.tree, **ours})
    progress("compiling the supervisor")
    compiled = bytecode.compile_tree(tree, (contents.OURS,), cache_dir)
    absent = [path.name for path in programs if not _has_byte_code(compiled, path)]
    if absent:
        raise ImageError(f"sandbox-image: not valid Python {wheels.PYTHON_VERSION}: {', '.join(absent)}")
    tree.update(with_parents(compiled))
    size = sum(len(entry.content) for entry in tree.values())
    if size > SIZE_LIMIT:
        raise ImageError(f"the image would have {size / 2**20:.1f} MB, the limit is {SIZE_LIMIT // 2**20} MB")
    return Assembled(tree, base.architecture, base.python_version, base.packages, base.debs)


def _has_byte_code(compiled: Mapping[str, Entry], path: Path) -> bool:
    return any(name.startswith(f"{contents.OURS}/__pycache__/{path.stem}.") for name in compiled)


def _base(recipe: Recipe, cache_dir: Path, progress: Progress, *, fresh: bool) -> Assembled:
    """The image without our own programs, from the cache if nothing that decides it has changed."""
    path = cache_dir / f"base-{recipe.base_digest()[:16]}.tar"
    if path.is_file() and not fresh:
        return _described_base(read_tar(path))
    archive = rootfs_archive(recipe, cache_dir, progress, fresh=fresh)
    tree = _make_base(read_tar(archive), recipe, cache_dir, progress)
    with draft(path) as made:
        with made.open("wb") as out:
            write_tar(tree, out)
        made.replace(path)
    return _described_base(tree)


def _make_base(rootfs: Tree, recipe: Recipe, cache_dir: Path, progress: Progress) -> Tree:
    tree = contents.select(rootfs)
    debs = contents.debian_packages(rootfs, tree)
    tree |= contents.skeleton()
    tree |= contents.copyright_files(rootfs, debs)
    progress("fetching and unpacking the wheels of requirements.txt")
    tree |= wheels.fetch(recipe.requirements, contents.architecture(tree).machine)
    if missing := contents.missing_libraries(tree):
        problems = "; ".join(f"/{name} needs {', '.join(libraries)}" for name, libraries in missing.items())
        raise ImageError(f"the image lacks shared libraries: {problems}", hint="add their package to rootfs.sh")
    progress("compiling the standard library and the wheels")
    tree |= bytecode.compile_tree(tree, (contents.STDLIB, contents.SITE), cache_dir)
    return with_parents({**tree, _DEBS: file(json.dumps(debs).encode())})


def _described_base(cached: Tree) -> Assembled:
    """Splits the record of Debian packages off a base tree, and reads the wheels' own metadata."""
    tree = {name: entry for name, entry in cached.items() if name != _DEBS}
    debs = json.loads(cached[_DEBS].content)
    version = re.match(r"\d+\.\d+\.\d+", debs["python3.13-minimal"])
    if not version:
        raise ImageError(f"unexpected version of Debian's Python: {debs['python3.13-minimal']!r}")
    return Assembled(tree, contents.architecture(tree).debian, version[0], wheels.distributions(tree), debs)
