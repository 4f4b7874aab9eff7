import heapq
from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(order=True)
class Entry:
    weight: int
    order: int
    tree: Any = field(compare=False)


def build(text):
    heap = [Entry(n, i, ch) for i, (ch, n) in enumerate(sorted(Counter(text).items()))]
    heapq.heapify(heap)
    order = len(heap)
    while len(heap) > 1:
        a, b = heapq.heappop(heap), heapq.heappop(heap)
        heapq.heappush(heap, Entry(a.weight + b.weight, order, (a.tree, b.tree)))
        order += 1
    return heap[0].tree


def codes(tree, prefix=""):
    if isinstance(tree, str):
        return {tree: prefix or "0"}
    left, right = tree
    return {**codes(left, prefix + "0"), **codes(right, prefix + "1")}


def main(text="abracadabra"):
    table = codes(build(text))
    bits = "".join(table[c] for c in text)
    back, current, reverse = [], "", {v: k for k, v in table.items()}
    for bit in bits:
        current += bit
        if current in reverse:
            back.append(reverse[current])
            current = ""
    return {"bits": len(bits), "ratio": round(len(bits) / (8 * len(text)), 2), "ok": "".join(back) == text}
