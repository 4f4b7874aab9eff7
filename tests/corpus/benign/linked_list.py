class Node:
    def __init__(self, value, next=None):
        self.value = value
        self.next = next


class LinkedList:
    def __init__(self):
        self._head = None
        self._size = 0

    def __len__(self):
        return self._size

    def __iter__(self):
        node = self._head
        while node is not None:
            yield node.value
            node = node.next

    def push(self, value):
        self._head = Node(value, self._head)
        self._size += 1

    def reverse(self):
        previous, node = None, self._head
        while node:
            node.next, previous, node = previous, node, node.next
        self._head = previous


def main(values):
    items = LinkedList()
    for value in values:
        items.push(value)
    items.reverse()
    return list(items)
