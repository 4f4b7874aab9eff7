"""Byte code for the image, made by the image's own interpreter.

That interpreter is started through the image's own dynamic linker, from a directory it was unpacked into: no root
rights, no chroot, no container, and no Python 3.13 on this machine. Where that cannot work (another operating system
or processor), a container of the unfinished image does it.
"""

from __future__ import annotations

import io
import platform
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from orchestrator.errors import ImageError
from orchestrator.image.contents import PYTHON, architecture
from orchestrator.image.tree import Entry, Tree, clean_path, file, write_directory, write_tar

_SECONDS = 300.0
_FLAGS = ("-S", "-s", "-P", "-B", "-W", "ignore")
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "LC_ALL": "C"}  # a marshalled set's order must not depend on the day


def compile_tree(tree: Mapping[str, Entry], directories: tuple[str, ...], scratch: Path) -> Tree:
    """``__pycache__`` entries for every .py file of ``tree`` below ``directories``.

    ``scratch``: a directory on a file system from which programs may be started.
    """
    here = platform.system() == "Linux" and platform.machine() == architecture(tree).machine
    output = _compile_here(tree, directories, scratch) if here else compile_in_container(tree, directories)
    return unpack(output)


def _compile_here(tree: Mapping[str, Entry], directories: tuple[str, ...], scratch: Path) -> bytes:
    with tempfile.TemporaryDirectory(dir=scratch, prefix="root-") as name:
        root = Path(name)
        write_directory(tree, root)
        loader = next((root / "usr/lib").glob("*-linux-gnu/ld-linux*"))
        command = [str(loader), "--library-path", str(loader.parent), str(root / PYTHON), *_FLAGS, "-"]
        return _run([*command, str(root), *directories], {**_ENVIRONMENT, "PYTHONHOME": str(root / "usr")})


def compile_in_container(tree: Mapping[str, Entry], directories: tuple[str, ...]) -> bytes:
    """The same by a container without network; compile_tree.py's output. Needs the ``docker`` command."""
    docker = shutil.which("docker")
    if docker is None:
        raise ImageError("this machine cannot start the image's interpreter, and no `docker` command is here")
    archive = io.BytesIO()
    write_tar(tree, archive)
    image = _run([docker, "import", "-"], None, archive.getvalue()).decode().strip()
    try:
        variables = [f"--env={name}={value}" for name, value in _ENVIRONMENT.items()]
        run = [docker, "run", "--rm", "--interactive", "--network=none", "--label=io.skill-orchestrator.build=compile"]
        return _run([*run, *variables, image, f"/{PYTHON}", *_FLAGS, "-", "/", *directories], None)
    finally:
        _run([docker, "rmi", image], None, b"")


def _run(command: list[str], environment: dict[str, str] | None, stdin: bytes | None = None) -> bytes:
    """Standard output of ``command``, which gets compile_tree.py on its standard input unless told otherwise."""
    program = resources.files(__package__).joinpath("compile_tree.py").read_bytes()
    done = subprocess.run(  # noqa: S603 - the interpreter was just unpacked from signed packages
        command, input=program if stdin is None else stdin, env=environment,
        capture_output=True, check=False, timeout=_SECONDS,
    )  # fmt: skip
    if done.returncode != 0:
        raise ImageError(f"byte-compiling the image failed: {done.stderr.decode(errors='replace').strip()[-1000:]}")
    return done.stdout


def unpack(archive: bytes) -> Tree:
    """The files of compile_tree.py's output."""
    tree: Tree = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        for member in opened:
            content = opened.extractfile(member)
            if content is not None:
                tree[clean_path(member.name, "byte code")] = file(content.read())
    return tree
