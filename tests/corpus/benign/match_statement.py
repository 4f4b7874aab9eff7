from dataclasses import dataclass


@dataclass
class Point:
    x: int
    y: int


def main(value):
    match value:
        case Point(x=0, y=0):
            return "origin"
        case {"kind": "circle", "radius": r, **rest}:
            return f"circle {r} {len(rest)}"
        case [first, *others]:
            return f"list of {1 + len(others)} from {first}"
        case str() as text if text.isdigit():
            return int(text)
        case _:
            return None
