class EmptyError(IndexError):
    pass


class Stack(list):
    def peek(self):
        if not self:
            raise EmptyError("peek from an empty stack")
        return self[-1]


class Queue:
    def __init__(self):
        self._in, self._out = [], []

    def push(self, item):
        self._in.append(item)

    def pop(self):
        if not self._out:
            while self._in:
                self._out.append(self._in.pop())
        if not self._out:
            raise EmptyError("pop from an empty queue")
        return self._out.pop()

    def __len__(self):
        return len(self._in) + len(self._out)

    def __bool__(self):
        return len(self) > 0


def balanced(text):
    pairs = {")": "(", "]": "[", "}": "{"}
    stack = Stack()
    for ch in text:
        if ch in pairs.values():
            stack.append(ch)
        elif ch in pairs and (not stack or stack.pop() != pairs[ch]):
            return False
    return not stack


def main(text="{[()]}"):
    queue = Queue()
    for n in range(3):
        queue.push(n)
    out = []
    while queue:
        out.append(queue.pop())
    return out, balanced(text)
