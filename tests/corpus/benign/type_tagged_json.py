import json
from datetime import date, datetime
from decimal import Decimal


class Encoder(json.JSONEncoder):
    def default(self, o):
        if isinstance(o, (date, datetime)):
            return {"__type__": "date", "value": o.isoformat()}
        if isinstance(o, Decimal):
            return {"__type__": "decimal", "value": str(o)}
        if isinstance(o, set):
            return {"__type__": "set", "value": sorted(o)}
        return super().default(o)


def hook(raw):
    kind = raw.get("__type__")
    if kind is None:
        return raw
    makers = {"date": date.fromisoformat, "decimal": Decimal, "set": set}
    return makers[kind](raw["value"])


def main():
    data = {"when": date(2024, 5, 1), "price": Decimal("1.10"), "tags": {"b", "a"}}
    return json.loads(json.dumps(data, cls=Encoder), object_hook=hook) == data
