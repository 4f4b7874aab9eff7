import math
import random
from collections import defaultdict


def kmeans(points, k, iterations=20, seed=1):
    rng = random.Random(seed)
    centers = rng.sample(points, k)
    for _ in range(iterations):
        clusters = defaultdict(list)
        for p in points:
            nearest = min(range(k), key=lambda i: math.dist(p, centers[i]))
            clusters[nearest].append(p)
        updated = [
            tuple(sum(axis) / len(axis) for axis in zip(*clusters[i])) if clusters[i] else centers[i]
            for i in range(k)
        ]
        if updated == centers:
            break
        centers = updated
    return centers, dict(clusters)


def main():
    points = [(random.gauss(c, 0.5), random.gauss(c, 0.5)) for c in (0, 10) for _ in range(20)]
    centers, clusters = kmeans(points, 2)
    return sorted(round(c[0]) for c in centers), [len(c) for c in clusters.values()]
