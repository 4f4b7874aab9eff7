import math
import random
import statistics


def main(values, seed=1):
    generator = random.Random(seed)
    sample = generator.sample(values, k=min(3, len(values)))
    return {
        "mean": statistics.mean(values),
        "median": statistics.median(values),
        "stdev": statistics.stdev(values) if len(values) > 1 else math.nan,
        "sample": sample,
    }
