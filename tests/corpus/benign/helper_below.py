import json


def main(text: str) -> str:
    return json.dumps(compile(text, strict=True))


def compile(text: str, strict: bool = False) -> list:
    return [line for line in text.splitlines() if line or not strict]
