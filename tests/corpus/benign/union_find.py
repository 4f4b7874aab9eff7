class DisjointSet:
    def __init__(self, items):
        self.parent = {item: item for item in items}
        self.rank = dict.fromkeys(self.parent, 0)

    def find(self, item):
        while self.parent[item] != item:
            self.parent[item] = self.parent[self.parent[item]]
            item = self.parent[item]
        return item

    def union(self, a, b):
        a, b = self.find(a), self.find(b)
        if a == b:
            return False
        if self.rank[a] < self.rank[b]:
            a, b = b, a
        self.parent[b] = a
        self.rank[a] += self.rank[a] == self.rank[b]
        return True


def kruskal(edges):
    nodes = {n for a, b, _ in edges for n in (a, b)}
    sets = DisjointSet(nodes)
    tree = [(a, b, w) for a, b, w in sorted(edges, key=lambda e: e[2]) if sets.union(a, b)]
    return tree, sum(w for *_, w in tree)


result = kruskal([("a", "b", 4), ("b", "c", 8), ("c", "d", 7), ("a", "d", 1), ("b", "d", 2)])
