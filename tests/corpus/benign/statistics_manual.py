import math
import statistics
from typing import Sequence


def describe(values: Sequence[float]) -> dict:
    n = len(values)
    mean = sum(values) / n
    variance = sum((x - mean) ** 2 for x in values) / (n - 1)
    ordered = sorted(values)
    median = ordered[n // 2] if n % 2 else (ordered[n // 2 - 1] + ordered[n // 2]) / 2
    return {"n": n, "mean": mean, "stdev": math.sqrt(variance), "median": median, "range": ordered[-1] - ordered[0]}


def correlation(xs, ys):
    mx, my = statistics.fmean(xs), statistics.fmean(ys)
    top = sum((x - mx) * (y - my) for x, y in zip(xs, ys))
    bottom = math.sqrt(sum((x - mx) ** 2 for x in xs) * sum((y - my) ** 2 for y in ys))
    return top / bottom if bottom else float("nan")


def main(values: list):
    assert math.isclose(describe(values)["stdev"], statistics.stdev(values), rel_tol=1e-9)
    return {k: round(v, 4) for k, v in describe(values).items()} | {"mode": statistics.multimode(values)}
