import json
from typing import Any


class ValidationError(ValueError):
    def __init__(self, path, message):
        self.path = path
        super().__init__(f"{path or '$'}: {message}")


TYPES = {"string": str, "number": (int, float), "integer": int, "boolean": bool, "array": list, "object": dict, "null": type(None)}


def check(value: Any, schema: dict, path: str = "") -> None:
    expected = schema.get("type")
    if expected:
        python_type = TYPES[expected]
        if not isinstance(value, python_type) or (expected in ("number", "integer") and isinstance(value, bool)):
            raise ValidationError(path, f"expected {expected}, got {type(value).__name__}")
    if "enum" in schema and value not in schema["enum"]:
        raise ValidationError(path, f"{value!r} is not one of {schema['enum']}")
    if isinstance(value, dict):
        for name in schema.get("required", []):
            if name not in value:
                raise ValidationError(path, f"missing property {name!r}")
        for name, sub in schema.get("properties", {}).items():
            if name in value:
                check(value[name], sub, f"{path}.{name}")
    elif isinstance(value, list):
        for i, item in enumerate(value):
            check(item, schema.get("items", {}), f"{path}[{i}]")


def main(document: str, schema: dict):
    try:
        check(json.loads(document), schema)
    except (ValidationError, json.JSONDecodeError) as e:
        return {"valid": False, "error": str(e)}
    return {"valid": True, "error": None}
