import copy
import json


def deep_merge(base, override):
    """Recursively merge ``override`` into a copy of ``base``."""
    result = copy.deepcopy(base)
    for key, value in override.items():
        if key in result and isinstance(result[key], dict) and isinstance(value, dict):
            result[key] = deep_merge(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def flatten(data, parent="", sep="."):
    items = {}
    if isinstance(data, dict):
        for k, v in data.items():
            items.update(flatten(v, f"{parent}{sep}{k}" if parent else k, sep))
    elif isinstance(data, list):
        for i, v in enumerate(data):
            items.update(flatten(v, f"{parent}[{i}]", sep))
    else:
        items[parent] = data
    return items


def main(a: str = "{}", b: str = "{}"):
    try:
        merged = deep_merge(json.loads(a), json.loads(b))
    except json.JSONDecodeError as e:
        return {"error": f"Invalid JSON at line {e.lineno}: {e.msg}"}
    return json.dumps(flatten(merged), indent=4, sort_keys=True, ensure_ascii=False)
