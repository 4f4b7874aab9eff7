from itertools import zip_longest


class Polynomial:
    def __init__(self, *coefficients):
        self.c = list(coefficients)
        while len(self.c) > 1 and self.c[-1] == 0:
            self.c.pop()

    def __call__(self, x):
        value = 0
        for c in reversed(self.c):
            value = value * x + c
        return value

    def __add__(self, other):
        return Polynomial(*(a + b for a, b in zip_longest(self.c, other.c, fillvalue=0)))

    def __mul__(self, other):
        out = [0] * (len(self.c) + len(other.c) - 1)
        for i, a in enumerate(self.c):
            for j, b in enumerate(other.c):
                out[i + j] += a * b
        return Polynomial(*out)

    def __neg__(self):
        return Polynomial(*(-c for c in self.c))

    def __sub__(self, other):
        return self + -other

    def derivative(self):
        return Polynomial(*(i * c for i, c in enumerate(self.c) if i)) if len(self.c) > 1 else Polynomial(0)

    def __str__(self):
        terms = [f"{c}x^{i}" if i > 1 else f"{c}x" if i else str(c) for i, c in enumerate(self.c) if c]
        return " + ".join(reversed(terms)).replace("+ -", "- ") or "0"


p = Polynomial(1, -3, 2)
result = [str(p), p(2), str(p.derivative()), str(p * Polynomial(0, 1)), str(p - p)]
