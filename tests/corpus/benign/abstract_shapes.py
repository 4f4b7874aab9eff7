import math
from abc import ABC, abstractmethod


class Shape(ABC):
    @property
    @abstractmethod
    def area(self) -> float: ...

    @abstractmethod
    def perimeter(self): ...

    def __lt__(self, other):
        return self.area < other.area

    def __str__(self):
        return f"{self.__class__.__name__} with area {self.area:.2f}"


class Circle(Shape):
    def __init__(self, radius):
        self.radius = radius

    @property
    def area(self):
        return math.pi * self.radius**2

    def perimeter(self):
        return 2 * math.pi * self.radius


class Square(Shape):
    def __init__(self, side):
        self.side = side

    @property
    def area(self):
        return self.side**2

    def perimeter(self):
        return 4 * self.side


if __name__ == "__main__":
    shapes = [Circle(1.5), Square(2), Circle(0.5)]
    for shape in sorted(shapes):
        print(shape, f"perimeter={shape.perimeter():.1f}")
    try:
        Shape()
    except TypeError as e:
        print("Error:", e)
