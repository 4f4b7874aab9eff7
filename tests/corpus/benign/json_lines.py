import json
from pathlib import Path


class Encoder(json.JSONEncoder):
    def default(self, o):
        if isinstance(o, (set, frozenset)):
            return sorted(o)
        return super().default(o)


def main(name="log.jsonl"):
    path = Path("/vault") / name
    rows = []
    if path.exists():
        for line in path.read_text().splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError as error:
                rows.append({"error": error.msg, "line": error.lineno})
    return json.dumps({"rows": rows, "kinds": {type(r).__name__ for r in rows}}, cls=Encoder)
