import itertools
from collections import Counter


def step(cells):
    neighbours = Counter(
        (x + dx, y + dy)
        for x, y in cells
        for dx, dy in itertools.product((-1, 0, 1), repeat=2)
        if (dx, dy) != (0, 0)
    )
    return {c for c, n in neighbours.items() if n == 3 or (n == 2 and c in cells)}


def render(cells, width=8, height=5):
    return "\n".join("".join("#" if (x, y) in cells else "." for x in range(width)) for y in range(height))


glider = {(1, 0), (2, 1), (0, 2), (1, 2), (2, 2)}
for generation in range(4):
    print(f"Generation {generation}:")
    print(render(glider), end="\n\n")
    glider = step(glider)
result = sorted(glider)
