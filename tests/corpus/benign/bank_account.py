from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Account:
    owner: str
    balance: float = 0.0
    history: list = field(default_factory=list, repr=False)

    def deposit(self, amount: float) -> None:
        if amount <= 0:
            raise ValueError("Deposit must be positive")
        self.balance += amount
        self.history.append((datetime(2024, 1, 1), amount))

    def __add__(self, other: "Account") -> "Account":
        if other.__class__ is not self.__class__:
            return NotImplemented
        return Account(f"{self.owner}&{other.owner}", self.balance + other.balance)


def main():
    a, b = Account("Ann", 1), Account("Bob")
    b.deposit(5)
    return (a + b).balance
