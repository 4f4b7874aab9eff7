import random


def estimate_pi(samples, rng):
    inside = sum(1 for _ in range(samples) if rng.random() ** 2 + rng.random() ** 2 <= 1)
    return 4 * inside / samples


def random_walk(steps, rng):
    x = y = 0
    for _ in range(steps):
        dx, dy = rng.choice([(0, 1), (0, -1), (1, 0), (-1, 0)])
        x, y = x + dx, y + dy
    return x, y


def weighted(rng):
    return rng.choices(["a", "b", "c"], weights=[5, 3, 2], k=10)


def main(samples: int = 10_000, seed: int = 3):
    rng = random.Random(seed)
    deck = [f"{rank}{suit}" for suit in "♠♥♦♣" for rank in "A23456789TJQK"]
    rng.shuffle(deck)
    return {"pi": round(estimate_pi(samples, rng), 1), "walk": random_walk(100, rng), "hand": deck[:5], "w": sorted(weighted(rng))}
