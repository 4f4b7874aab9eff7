from math import ceil
from typing import Generic, Iterator, Sequence, TypeVar

T = TypeVar("T")


class Paginator(Generic[T]):
    def __init__(self, items: Sequence[T], per_page: int = 10) -> None:
        if per_page < 1:
            raise ValueError("per_page must be >= 1")
        self._items, self.per_page = items, per_page

    @property
    def pages(self) -> int:
        return ceil(len(self._items) / self.per_page) or 1

    def page(self, number: int) -> Sequence[T]:
        if not 1 <= number <= self.pages:
            raise IndexError(f"page {number} of {self.pages}")
        start = (number - 1) * self.per_page
        return self._items[start : start + self.per_page]

    def __iter__(self) -> Iterator[Sequence[T]]:
        return (self.page(n) for n in range(1, self.pages + 1))


def main(n: int = 25):
    p = Paginator(range(n), per_page=10)
    return [len(page) for page in p], list(p.page(p.pages))
