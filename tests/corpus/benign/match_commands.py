from dataclasses import dataclass


@dataclass
class Move:
    dx: int = 0
    dy: int = 0


@dataclass
class Say:
    text: str


def parse(line):
    match line.split():
        case ["go", ("north" | "south") as way]:
            return Move(dy=1 if way == "north" else -1)
        case ["go", ("east" | "west") as way, *rest]:
            steps = int(rest[0]) if rest else 1
            return Move(dx=steps if way == "east" else -steps)
        case ["say", *words] if words:
            return Say(" ".join(words))
        case []:
            return None
        case [unknown, *_]:
            raise ValueError(f"unknown command {unknown}")


def apply(state, command):
    match command:
        case Move(dx=dx, dy=dy):
            return {**state, "x": state["x"] + dx, "y": state["y"] + dy}
        case Say(text=text):
            return {**state, "said": [*state["said"], text]}
        case None:
            return state


def main(lines: list):
    state = {"x": 0, "y": 0, "said": []}
    for line in lines:
        state = apply(state, parse(line))
    match state:
        case {"x": 0, "y": 0}:
            return "home"
        case {"x": int(x), "y": int(y), **rest}:
            return f"at {x},{y} {rest}"
