import heapq
from collections import defaultdict, deque


def main(edges, start, goal):
    graph = defaultdict(list)
    for a, b, cost in edges:
        graph[a].append((b, cost))
    queue, done = [(0, start, [start])], set()
    while queue:
        cost, node, path = heapq.heappop(queue)
        if node == goal:
            return {"cost": cost, "path": path}
        if node in done:
            continue
        done.add(node)
        for following, step in graph[node]:
            heapq.heappush(queue, (cost + step, following, [*path, following]))
    return {"reachable": list(deque(done))}
