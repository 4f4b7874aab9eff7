from abc import ABC, abstractmethod
from decimal import ROUND_HALF_UP, Decimal


class Priced(ABC):
    @property
    @abstractmethod
    def price(self) -> Decimal: ...


class Item(Priced):
    __slots__ = ("_amount", "name")

    def __init__(self, name, amount):
        self.name = name
        self._amount = Decimal(str(amount))

    @property
    def price(self):
        return self._amount.quantize(Decimal("0.01"), ROUND_HALF_UP)

    @staticmethod
    def total(items):
        return sum((i.price for i in items), Decimal())


def main(items):
    found = [Item(**i) for i in items]
    return {"total": str(Item.total(found)), "names": sorted(i.name for i in found)}
