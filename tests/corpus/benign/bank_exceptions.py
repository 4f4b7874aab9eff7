class BankError(Exception):
    """Base class."""


class InsufficientFunds(BankError):
    def __init__(self, balance, amount):
        super().__init__(f"need {amount - balance:.2f} more")
        self.balance, self.amount = balance, amount

    def __str__(self):
        return f"Insufficient funds: balance {self.balance}, requested {self.amount}"


class Account:
    interest_rate = 0.02
    _next_number = 1000

    def __init__(self, owner, balance=0):
        self.owner = owner
        self._balance = balance
        self.number = Account._next_number
        Account._next_number += 1
        self._log = []

    balance = property(lambda self: self._balance)

    def withdraw(self, amount):
        if amount > self._balance:
            raise InsufficientFunds(self._balance, amount)
        self._balance -= amount
        self._log.append(("withdraw", amount))

    def transfer(self, other, amount):
        try:
            self.withdraw(amount)
        except InsufficientFunds as error:
            raise BankError("transfer failed") from error
        else:
            other._balance += amount
        finally:
            self._log.append(("transfer", amount))


def main():
    a, b = Account("Ann", 100), Account("Bob")
    a.transfer(b, 30)
    try:
        b.transfer(a, 500)
    except BankError as e:
        cause = e.__cause__
        return {"a": a.balance, "b": b.balance, "cause": str(cause), "type": type(cause).__name__, "number": b.number}
