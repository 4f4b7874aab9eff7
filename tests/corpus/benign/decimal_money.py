from decimal import ROUND_HALF_EVEN, ROUND_UP, Decimal, InvalidOperation, getcontext, localcontext
from fractions import Fraction

getcontext().prec = 28


class Money:
    def __init__(self, amount, currency="EUR"):
        self.amount = Decimal(str(amount)).quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)
        self.currency = currency

    def __add__(self, other):
        if self.currency != other.currency:
            raise ValueError("currencies differ")
        return Money(self.amount + other.amount, self.currency)

    def allocate(self, shares):
        total = sum(shares)
        parts = [Money(self.amount * s / total, self.currency) for s in shares]
        parts[0].amount += self.amount - sum(p.amount for p in parts)
        return parts

    def __format__(self, spec):
        return f"{self.amount:{spec or ',.2f'}} {self.currency}"


def compound(principal, rate, years):
    with localcontext() as ctx:
        ctx.prec = 50
        return (Decimal(principal) * (1 + Decimal(rate)) ** years).quantize(Decimal("0.01"), ROUND_UP)


def main(text="10.05"):
    try:
        Decimal("abc")
    except InvalidOperation:
        pass
    return [f"{Money(text) + Money(1):.1f}", [str(m.amount) for m in Money(10).allocate([1, 1, 1])], str(compound(1000, "0.05", 10)), str(Fraction(1, 3) + Fraction(1, 6))]
