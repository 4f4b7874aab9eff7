"""Run by the IMAGE's interpreter, alone: ``python3.13 - ROOT DIRECTORY... <compile_tree.py``.

Compiles every .py file below ROOT/DIRECTORY and writes the results to stdout as a tar archive; the files
themselves stay as they are. The byte code is of the unchecked-hash kind (PEP 552): it depends on neither times nor
places, and the interpreter loads it without a look at the source.
"""

import importlib.util
import io
import marshal
import sys
import tarfile
from pathlib import Path

_UNCHECKED_HASH = (0b01).to_bytes(4, "little")


def sources(root: Path, directories: list[str]) -> list[Path]:
    found = [path for directory in directories for path in (root / directory).rglob("*.py")]
    return sorted(path for path in found if not path.is_symlink())


def byte_code(path: Path, name: Path) -> bytes | None:
    """The .pyc file's bytes, or None for a file that is no Python source (templates in wheels look like it)."""
    source = path.read_bytes()
    try:
        code = compile(source, f"/{name}", "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError) as error:
        sys.stderr.write(f"not compiled: /{name}: {error}\n")
        return None
    return importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + importlib.util.source_hash(source) + marshal.dumps(code)


def main(root: Path, directories: list[str]) -> None:
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
        for path in sources(root, directories):
            content = byte_code(path, path.relative_to(root))
            if content is not None:
                cached = Path(importlib.util.cache_from_source(path))
                member = tarfile.TarInfo(str(cached.relative_to(root)))
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
