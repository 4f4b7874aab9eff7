class Node:
    def __init__(self, kind, *children, value=None):
        self.kind, self.children, self.value = kind, children, value


class Evaluator:
    """A tiny visitor: methods are found by the node's kind."""

    def visit(self, node):
        method = getattr(self, f"visit_{node.kind}", self.generic_visit)
        return method(node)

    def generic_visit(self, node):
        raise NotImplementedError(f"no visit_{node.kind} method")

    def visit_num(self, node):
        return node.value

    def visit_add(self, node):
        return sum(self.visit(child) for child in node.children)

    def visit_mul(self, node):
        product = 1
        for child in node.children:
            product *= self.visit(child)
        return product


def main():
    tree = Node("add", Node("num", value=2), Node("mul", Node("num", value=3), Node("num", value=4)))
    return Evaluator().visit(tree)
