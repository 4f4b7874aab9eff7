# not strict: tempfile is for the standard level
import json
import os
import tempfile
from pathlib import Path


def atomic_write(path: Path, text: str) -> None:
    handle = tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8")
    try:
        with handle:
            handle.write(text)
        os.replace(handle.name, path)
    except BaseException:
        os.unlink(handle.name)
        raise


def main():
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "state.json"
        atomic_write(target, json.dumps({"n": 1}))
        return json.loads(target.read_text()), sorted(os.listdir(folder))
