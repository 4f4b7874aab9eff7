import sys

sys.setrecursionlimit(5000)


def hanoi(n, source="A", target="C", spare="B"):
    if n == 0:
        return []
    return hanoi(n - 1, source, spare, target) + [(source, target)] + hanoi(n - 1, spare, target, source)


def power_set(items):
    return [[]] if not items else [s + e for s in power_set(items[1:]) for e in ([], [items[0]])]


def flood_fill(grid, r, c, color):
    old = grid[r][c]
    if old == color:
        return grid
    stack = [(r, c)]
    while stack:
        y, x = stack.pop()
        if 0 <= y < len(grid) and 0 <= x < len(grid[0]) and grid[y][x] == old:
            grid[y][x] = color
            stack += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
    return grid


def main(n: int = 4):
    return {"moves": len(hanoi(n)), "sets": len(power_set([1, 2, 3])), "fill": flood_fill([[0, 0], [1, 0]], 0, 0, 7)}
