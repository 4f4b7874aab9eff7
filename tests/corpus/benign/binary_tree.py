from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generator, Optional


@dataclass
class TreeNode:
    value: int
    left: Optional[TreeNode] = None
    right: Optional[TreeNode] = None


class BST:
    def __init__(self) -> None:
        self.root: TreeNode | None = None

    def insert(self, value: int) -> None:
        if self.root is None:
            self.root = TreeNode(value)
            return
        node = self.root
        while True:
            side = "left" if value < node.value else "right"
            child = getattr(node, side)
            if child is None:
                setattr(node, side, TreeNode(value))
                return
            node = child

    def inorder(self, node: TreeNode | None) -> Generator[int, None, None]:
        if node:
            yield from self.inorder(node.left)
            yield node.value
            yield from self.inorder(node.right)

    def height(self) -> int:
        levels, queue = 0, deque([self.root] if self.root else [])
        while queue:
            levels += 1
            for _ in range(len(queue)):
                node = queue.popleft()
                queue.extend(child for child in (node.left, node.right) if child)
        return levels


def main(values: list[int]) -> dict:
    tree = BST()
    for v in values:
        tree.insert(v)
    return {"sorted": list(tree.inorder(tree.root)), "height": tree.height()}
