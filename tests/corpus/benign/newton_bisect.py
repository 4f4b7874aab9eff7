import math
from typing import Callable


def newton(f: Callable[[float], float], x: float, tol: float = 1e-12, limit: int = 50) -> float:
    h = 1e-6
    for _ in range(limit):
        slope = (f(x + h) - f(x - h)) / (2 * h)
        if slope == 0:
            break
        step = f(x) / slope
        x -= step
        if abs(step) < tol:
            return x
    raise ArithmeticError("did not converge")


def bisect(f, low, high, tol=1e-10):
    if f(low) * f(high) > 0:
        raise ValueError("no sign change")
    while high - low > tol:
        middle = (low + high) / 2
        if f(low) * f(middle) <= 0:
            high = middle
        else:
            low = middle
    return (low + high) / 2


def simpson(f, a, b, n=100):
    h = (b - a) / n
    return h / 3 * sum((1 if i in (0, n) else 4 if i % 2 else 2) * f(a + i * h) for i in range(n + 1))


def main():
    return [round(newton(lambda x: x * x - 2, 1.0), 6), round(bisect(math.cos, 0, 3), 6), round(simpson(math.sin, 0, math.pi), 6)]
