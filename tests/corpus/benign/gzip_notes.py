import gzip
import json
from pathlib import Path


def save(path, data):
    with gzip.open(path, "wt", encoding="utf-8") as f:
        json.dump(data, f)


def load(path):
    with gzip.open(path, "rt", encoding="utf-8") as f:
        return json.load(f)


def main():
    path = Path("/tmp/data.json.gz")
    save(path, {"values": list(range(100))})
    return {"size": path.stat().st_size > 0, "sum": sum(load(path)["values"])}
