class ReprMixin:
    def __repr__(self):
        attrs = ", ".join(f"{k}={v!r}" for k, v in self.__dict__.items() if not k.startswith("_"))
        return f"{type(self).__name__}({attrs})"

    def __eq__(self, other):
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self):
        return hash(tuple(sorted(self.__dict__.items())))


class Point(ReprMixin):
    def __init__(self, x, y):
        self.x = x
        self.y = y
        self._cached = None


def main():
    return [repr(Point(1, 2)), Point(1, 2) == Point(1, 2), len({Point(0, 0), Point(0, 0)})]
