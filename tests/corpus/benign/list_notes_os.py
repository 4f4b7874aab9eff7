# not strict: functions of os that work on files are for the standard level
import os


def human(size):
    for unit in ["B", "KB", "MB", "GB"]:
        if size < 1024:
            return f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"


def main(root="/vault"):
    total = 0
    listing = []
    for dirpath, dirnames, filenames in os.walk(root):
        dirnames[:] = [d for d in dirnames if not d.startswith(".")]
        for filename in sorted(filenames):
            full = os.path.join(dirpath, filename)
            size = os.path.getsize(full)
            total += size
            listing.append(f"{os.path.relpath(full, root)}: {human(size)}")
    print(os.linesep.join(listing))
    return {"files": len(listing), "total": human(total)}
