# not strict: os.makedirs and shutil are for the standard level
import os
import shutil
from pathlib import Path

EXTENSIONS = {
    "images": [".png", ".jpg", ".jpeg", ".gif"],
    "documents": [".md", ".txt", ".pdf"],
    "data": [".csv", ".json"],
}


def category_of(suffix):
    return next((name for name, suffixes in EXTENSIONS.items() if suffix.lower() in suffixes), "other")


def organise(folder):
    moved = {}
    for entry in os.listdir(folder):
        source = os.path.join(folder, entry)
        if not os.path.isfile(source):
            continue
        target_dir = os.path.join(folder, category_of(Path(entry).suffix))
        os.makedirs(target_dir, exist_ok=True)
        target = os.path.join(target_dir, entry)
        counter = 1
        while os.path.exists(target):
            stem, suffix = os.path.splitext(entry)
            target = os.path.join(target_dir, f"{stem} ({counter}){suffix}")
            counter += 1
        shutil.move(source, target)
        moved[entry] = target
    return moved


def main(folder="/vault/Inbox"):
    try:
        return organise(folder)
    except FileNotFoundError as err:
        return {"error": str(err), "path": err.filename}
    except PermissionError:
        return {"error": "permission denied"}
