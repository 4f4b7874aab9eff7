import random


class LinearRegression:
    def __init__(self, learning_rate=0.01, epochs=2000):
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.weight = 0.0
        self.bias = 0.0
        self.losses = []

    def fit(self, xs, ys):
        n = len(xs)
        for epoch in range(self.epochs):
            predictions = [self.predict(x) for x in xs]
            errors = [p - y for p, y in zip(predictions, ys)]
            self.weight -= self.learning_rate * 2 / n * sum(e * x for e, x in zip(errors, xs))
            self.bias -= self.learning_rate * 2 / n * sum(errors)
            if epoch % 500 == 0:
                self.losses.append(sum(e**2 for e in errors) / n)
        return self

    def predict(self, x):
        return self.weight * x + self.bias


if __name__ == "__main__":
    rng = random.Random(0)
    xs = [i / 10 for i in range(50)]
    ys = [3 * x + 2 + rng.gauss(0, 0.1) for x in xs]
    model = LinearRegression().fit(xs, ys)
    print(f"y = {model.weight:.2f}x + {model.bias:.2f}", model.losses)
