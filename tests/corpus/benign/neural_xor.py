import math
import random

random.seed(0)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


class Network:
    def __init__(self, n_in, n_hidden):
        self.w1 = [[random.uniform(-1, 1) for _ in range(n_in + 1)] for _ in range(n_hidden)]
        self.w2 = [random.uniform(-1, 1) for _ in range(n_hidden + 1)]

    def forward(self, x):
        self.x = [*x, 1.0]
        self.h = [sigmoid(sum(w * v for w, v in zip(ws, self.x))) for ws in self.w1] + [1.0]
        self.o = sigmoid(sum(w * v for w, v in zip(self.w2, self.h)))
        return self.o

    def train(self, x, y, lr=0.5):
        o = self.forward(x)
        delta = (o - y) * o * (1 - o)
        for j, ws in enumerate(self.w1):
            grad = delta * self.w2[j] * self.h[j] * (1 - self.h[j])
            for i in range(len(ws)):
                ws[i] -= lr * grad * self.x[i]
        self.w2 = [w - lr * delta * h for w, h in zip(self.w2, self.h)]
        return (o - y) ** 2


DATA = [((0, 0), 0), ((0, 1), 1), ((1, 0), 1), ((1, 1), 0)]


def main(epochs: int = 500):
    net = Network(2, 3)
    loss = 0.0
    for _ in range(epochs):
        loss = sum(net.train(x, y) for x, y in DATA)
    return {"loss": round(loss, 3), "out": [round(net.forward(x)) for x, _ in DATA]}
