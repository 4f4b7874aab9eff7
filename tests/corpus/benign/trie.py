class TrieNode:
    __slots__ = ["children", "is_end", "count"]

    def __init__(self):
        self.children = {}
        self.is_end = False
        self.count = 0


class Trie:
    def __init__(self, words=()):
        self.root = TrieNode()
        for word in words:
            self.insert(word)

    def insert(self, word):
        node = self.root
        for ch in word:
            node = node.children.setdefault(ch, TrieNode())
            node.count += 1
        node.is_end = True

    def _find(self, prefix):
        node = self.root
        for ch in prefix:
            if ch not in node.children:
                return None
            node = node.children[ch]
        return node

    def search(self, word):
        node = self._find(word)
        return node is not None and node.is_end

    def autocomplete(self, prefix, limit=5):
        node = self._find(prefix)
        if node is None:
            return []
        results, stack = [], [(prefix, node)]
        while stack and len(results) < limit:
            word, current = stack.pop()
            if current.is_end:
                results.append(word)
            stack.extend((word + ch, child) for ch, child in sorted(current.children.items(), reverse=True))
        return results


def main(prefix="ca"):
    trie = Trie(["car", "card", "care", "cat", "dog"])
    return trie.autocomplete(prefix), trie.search("car"), trie.search("ca")
