from dataclasses import dataclass, field


@dataclass(frozen=True)
class Order:
    prices: tuple[float, ...]
    total: float = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "total", sum(self.prices))

    def with_price(self, price):
        return self.__class__((*self.prices, price))


class Locked:
    def __init__(self):
        super().__setattr__("_locked", False)

    def __eq__(self, other):
        if not isinstance(other, self.__class__):
            return NotImplemented
        return other.__class__ is self.__class__


def main():
    return Order((1.0, 2.5)).with_price(4).total, Locked() == Locked()
