# not strict: shutil and glob are modules of the standard level
import glob
import shutil
import sys
from pathlib import Path


def main(source="Inbox", target="Archive"):
    out = Path("/vault", target)
    out.mkdir(parents=True, exist_ok=True)
    moved = []
    for name in glob.glob(f"/vault/{source}/*.md"):
        path = Path(name)
        shutil.copy2(path, out / path.name)
        path.unlink()
        moved.append(path.name)
    if not moved:
        print("nothing to do", file=sys.stderr)
    return moved
