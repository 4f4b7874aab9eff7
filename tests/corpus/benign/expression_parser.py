import operator
import re

OPS = {
    "+": (1, operator.add),
    "-": (1, operator.sub),
    "*": (2, operator.mul),
    "/": (2, operator.truediv),
    "^": (3, operator.pow),
}
TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?)|(.))")


def tokenize(text):
    for number, symbol in TOKEN.findall(text):
        if number:
            yield float(number)
        elif symbol.strip():
            yield symbol


def to_rpn(tokens):
    output, stack = [], []
    for token in tokens:
        if isinstance(token, float):
            output.append(token)
        elif token in OPS:
            while stack and stack[-1] in OPS and OPS[stack[-1]][0] >= OPS[token][0]:
                output.append(stack.pop())
            stack.append(token)
        elif token == "(":
            stack.append(token)
        elif token == ")":
            while stack[-1] != "(":
                output.append(stack.pop())
            stack.pop()
        else:
            raise SyntaxError(f"unexpected {token!r}")
    return output + stack[::-1]


def evaluate(rpn):
    stack = []
    for item in rpn:
        if isinstance(item, float):
            stack.append(item)
        else:
            b, a = stack.pop(), stack.pop()
            stack.append(OPS[item][1](a, b))
    return stack[0]


def main(expression="3 + 4 * (2 - 1)"):
    return evaluate(to_rpn(tokenize(expression)))
