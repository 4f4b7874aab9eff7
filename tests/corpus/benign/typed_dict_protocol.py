from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableSequence
from typing import Any, ClassVar, Final, NamedTuple, NewType, Protocol, TypeAlias, TypedDict, Union, runtime_checkable

UserId = NewType("UserId", int)
Json: TypeAlias = Union[None, bool, int, float, str, list["Json"], dict[str, "Json"]]
LIMIT: Final = 3


class Movie(TypedDict, total=False):
    title: str
    year: int


class Point(NamedTuple):
    x: float
    y: float = 0.0

    def norm(self) -> float:
        return (self.x**2 + self.y**2) ** 0.5


@runtime_checkable
class Sized(Protocol):
    def size(self) -> int: ...


class Box:
    made: ClassVar[int] = 0

    def __init__(self, items: MutableSequence[Any]) -> None:
        type(self).made += 1
        self.items = items

    def size(self) -> int:
        return len(self.items)


def total(things: Iterable[Sized]) -> int:
    return sum(t.size() for t in things)


def main(raw: Mapping[str, Any] | None = None) -> Json:
    movie: Movie = {"title": "M", "year": 1931}
    p = Point(3, 4)
    return {"norm": p.norm(), "x": p._replace(x=1).x, "total": total([Box([1]), Box([2, 3])]), "movie": dict(movie), "is": isinstance(Box([]), Sized), "id": UserId(LIMIT)}
