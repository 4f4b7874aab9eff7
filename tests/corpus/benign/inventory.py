from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Dict, Iterator, Optional
import uuid


class Category(str, Enum):
    ELECTRONICS = "electronics"
    BOOKS = "books"
    FOOD = "food"


class OutOfStockError(Exception):
    """Raised when an item cannot be removed from the inventory."""

    def __init__(self, name: str, requested: int, available: int):
        self.name = name
        self.requested = requested
        self.available = available
        super().__init__(f"Cannot remove {requested} of {name}: only {available} available")


@dataclass
class Product:
    name: str
    price: Decimal
    category: Category
    quantity: int = 0
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def __post_init__(self) -> None:
        if self.price < 0:
            raise ValueError("Price must not be negative")

    @property
    def total_value(self) -> Decimal:
        return self.price * self.quantity


class Inventory:
    def __init__(self) -> None:
        self._products: Dict[str, Product] = {}

    def add(self, product: Product) -> None:
        if product.id in self._products:
            self._products[product.id].quantity += product.quantity
        else:
            self._products[product.id] = product

    def remove(self, product_id: str, amount: int = 1) -> Product:
        product = self._products[product_id]
        if product.quantity < amount:
            raise OutOfStockError(product.name, amount, product.quantity)
        product.quantity -= amount
        return product

    def find(self, name: str) -> Optional[Product]:
        return next((p for p in self if p.name.lower() == name.lower()), None)

    def __iter__(self) -> Iterator[Product]:
        return iter(self._products.values())

    def __len__(self) -> int:
        return len(self._products)

    def report(self) -> str:
        lines = [f"{'Name':<20}{'Qty':>5}{'Value':>12}", "-" * 37]
        for p in sorted(self, key=lambda p: p.name):
            lines.append(f"{p.name:<20}{p.quantity:>5}{p.total_value:>12.2f}")
        return "\n".join(lines)


def main():
    inventory = Inventory()
    inventory.add(Product("Laptop", Decimal("999.99"), Category.ELECTRONICS, 5))
    inventory.add(Product("Novel", Decimal("12.50"), Category.BOOKS, 20))
    laptop = inventory.find("laptop")
    try:
        inventory.remove(laptop.id, 10)
    except OutOfStockError as e:
        print(f"Warning: {e} ({e.requested}/{e.available})")
    return inventory.report()
