import json
import re

STEP = re.compile(r"\.(\w+)|\[(\d+)\]|\[\*\]|\['([^']+)'\]")


def query(data, path):
    current = [data]
    for match in STEP.finditer(path):
        key, index, quoted = match.groups()
        name = key or quoted
        following = []
        for item in current:
            if name is not None and isinstance(item, dict) and name in item:
                following.append(item[name])
            elif index is not None and isinstance(item, list) and int(index) < len(item):
                following.append(item[int(index)])
            elif match.group() == "[*]":
                following.extend(item.values() if isinstance(item, dict) else item)
        current = following
    return current


def main():
    data = json.loads('{"store": {"book": [{"title": "A", "price": 8}, {"title": "B", "price": 12}]}}')
    return query(data, "$.store.book[*].title"), query(data, "$['store'].book[1].price")
