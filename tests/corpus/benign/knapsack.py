from collections import namedtuple

Item = namedtuple("Item", ["name", "weight", "value"])


def knapsack(items, capacity):
    table = [[0] * (capacity + 1) for _ in range(len(items) + 1)]
    for i, item in enumerate(items, 1):
        for w in range(capacity + 1):
            table[i][w] = table[i - 1][w]
            if item.weight <= w:
                candidate = table[i - 1][w - item.weight] + item.value
                table[i][w] = max(table[i][w], candidate)

    chosen = []
    w = capacity
    for i in range(len(items), 0, -1):
        if table[i][w] != table[i - 1][w]:
            chosen.append(items[i - 1])
            w -= items[i - 1].weight
    return table[-1][-1], chosen[::-1]


def main():
    items = [Item("map", 9, 150), Item("compass", 13, 35), Item("water", 153, 200)]
    best, chosen = knapsack(items, 160)
    return {"best": best, "chosen": [c._asdict() for c in chosen]}
