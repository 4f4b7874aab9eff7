from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    NUMBER = auto()
    NAME = auto()
    OP = auto()
    END = auto()


@dataclass(frozen=True)
class Token:
    kind: Kind
    text: str


def tokens(source):
    i = 0
    while i < len(source):
        match source[i]:
            case " " | "\t":
                i += 1
            case c if c.isdigit():
                j = i
                while j < len(source) and source[j].isdigit():
                    j += 1
                yield Token(Kind.NUMBER, source[i:j])
                i = j
            case c if c.isalpha() or c == "_":
                j = i
                while j < len(source) and (source[j].isalnum() or source[j] == "_"):
                    j += 1
                yield Token(Kind.NAME, source[i:j])
                i = j
            case "+" | "-" | "*" | "/" | "=" as op:
                yield Token(Kind.OP, op)
                i += 1
            case other:
                raise ValueError(f"unexpected {other!r} at {i}")
    yield Token(Kind.END, "")


def main(source="x1 = 2 + y"):
    return [(t.kind.name, t.text) for t in tokens(source)]
