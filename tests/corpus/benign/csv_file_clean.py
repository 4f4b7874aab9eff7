import csv
import os
from datetime import datetime


def parse_date(value):
    for fmt in ("%Y-%m-%d", "%d/%m/%Y", "%m-%d-%Y", "%B %d, %Y"):
        try:
            return datetime.strptime(value.strip(), fmt).date().isoformat()
        except ValueError:
            continue
    return None


def clean(path, out_path):
    seen = set()
    kept = dropped = 0
    with open(path, newline="", encoding="utf-8") as src, open(out_path, "w", newline="", encoding="utf-8") as dst:
        reader = csv.reader(src)
        writer = csv.writer(dst)
        header = next(reader, None)
        if header is None:
            raise ValueError("empty file: " + os.path.basename(path))
        writer.writerow([h.strip().lower().replace(" ", "_") for h in header])
        for row in reader:
            key = tuple(cell.strip() for cell in row)
            if key in seen or not any(key):
                dropped += 1
                continue
            seen.add(key)
            writer.writerow([parse_date(c) or c for c in key])
            kept += 1
    return {"kept": kept, "dropped": dropped}


def main(name="data.csv"):
    folder = "/vault/data"
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return {"error": f"File not found: {path}"}
    root, ext = os.path.splitext(path)
    return clean(path, root + "_clean" + ext)
