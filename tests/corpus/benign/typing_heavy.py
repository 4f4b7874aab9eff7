from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, NamedTuple, Protocol, TypedDict, TypeVar, cast, overload

T = TypeVar("T", bound="Comparable")
Mode = Literal["eval", "exec", "import os"]


class Comparable(Protocol):
    def __lt__(self, other: Any) -> bool: ...


class Options(TypedDict, total=False):
    mode: Mode
    text: Annotated[str, "any old text: os.system"]


class Pair(NamedTuple):
    left: int
    right: "Pair | None" = None


class Box(Generic[T]):
    def __init__(self, items: list[T]) -> None:
        self.items: list[T] = items

    @overload
    def get(self, index: int) -> T: ...
    @overload
    def get(self, index: str) -> None: ...
    def get(self, index):
        return self.items[index] if isinstance(index, int) else None


def main(values: "list[int]", options: Options | None = None) -> "dict[str, Any]":
    return {"first": cast(int, Box(values).get(0)), "pair": Pair(1)._asdict(), "mode": (options or {}).get("mode")}
