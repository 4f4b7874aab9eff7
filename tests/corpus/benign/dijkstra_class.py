import heapq
from typing import Dict, List, Optional, Tuple


class Graph:
    """A weighted directed graph."""

    def __init__(self) -> None:
        self._adjacent: Dict[str, Dict[str, float]] = {}

    def add_edge(self, source: str, target: str, weight: float = 1.0, bidirectional: bool = False) -> None:
        self._adjacent.setdefault(source, {})[target] = weight
        self._adjacent.setdefault(target, {})
        if bidirectional:
            self._adjacent[target][source] = weight

    def __contains__(self, node: str) -> bool:
        return node in self._adjacent

    def shortest_path(self, start: str, end: str) -> Tuple[float, Optional[List[str]]]:
        if start not in self or end not in self:
            raise KeyError(f"unknown node: {start!r} or {end!r}")
        distances = {node: float("inf") for node in self._adjacent}
        distances[start] = 0.0
        previous: Dict[str, Optional[str]] = {start: None}
        queue = [(0.0, start)]
        while queue:
            distance, node = heapq.heappop(queue)
            if distance > distances[node]:
                continue
            for neighbour, weight in self._adjacent[node].items():
                candidate = distance + weight
                if candidate < distances[neighbour]:
                    distances[neighbour] = candidate
                    previous[neighbour] = node
                    heapq.heappush(queue, (candidate, neighbour))
        if distances[end] == float("inf"):
            return distances[end], None
        path, node = [], end
        while node is not None:
            path.append(node)
            node = previous[node]
        return distances[end], path[::-1]


def main():
    graph = Graph()
    for a, b, w in [("A", "B", 4), ("A", "C", 2), ("C", "B", 1), ("B", "D", 5)]:
        graph.add_edge(a, b, w)
    return graph.shortest_path("A", "D")
