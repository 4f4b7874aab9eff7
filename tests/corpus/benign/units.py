from __future__ import annotations

from typing import Literal

Length = Literal["m", "km", "mi", "ft"]
FACTORS: dict[str, float] = {"m": 1.0, "km": 1000.0, "mi": 1609.344, "ft": 0.3048}


class Quantity:
    def __init__(self, value: float, unit: Length):
        if unit not in FACTORS:
            raise ValueError(f"unknown unit: {unit}")
        self.value = value
        self.unit = unit

    def to(self, unit: Length) -> Quantity:
        return Quantity(self.value * FACTORS[self.unit] / FACTORS[unit], unit)

    def __add__(self, other: Quantity) -> Quantity:
        return Quantity(self.value + other.to(self.unit).value, self.unit)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Quantity):
            return NotImplemented
        return abs(self.to("m").value - other.to("m").value) < 1e-9

    def __format__(self, spec: str) -> str:
        return f"{self.value:{spec}} {self.unit}"


def main():
    total = Quantity(1, "km") + Quantity(1, "mi")
    return f"{total:.3f}", Quantity(1000, "m") == Quantity(1, "km")
