from collections import defaultdict, deque
from graphlib import CycleError, TopologicalSorter


def kahn(edges):
    graph, indegree = defaultdict(list), defaultdict(int)
    for before, after in edges:
        graph[before].append(after)
        indegree[after] += 1
        indegree.setdefault(before, 0)
    ready = deque(sorted(n for n, d in indegree.items() if d == 0))
    order = []
    while ready:
        node = ready.popleft()
        order.append(node)
        for nxt in graph[node]:
            indegree[nxt] -= 1
            if not indegree[nxt]:
                ready.append(nxt)
    if len(order) != len(indegree):
        raise ValueError("cycle detected")
    return order


def main():
    order = kahn([("shop", "cook"), ("cook", "eat"), ("wash", "eat")])
    try:
        list(TopologicalSorter({"a": {"b"}, "b": {"a"}}).static_order())
    except CycleError as exc:
        return {"order": order, "cycle": exc.args[1]}
