class Positive:
    def __set_name__(self, owner, name):
        self.public = name
        self.private = "_" + name

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        return getattr(instance, "value_of_" + self.public, 0)

    def __set__(self, instance, value):
        if value <= 0:
            raise ValueError(f"{self.public} must be positive, got {value}")
        setattr(instance, "value_of_" + self.public, value)


class Rectangle:
    width = Positive()
    height = Positive()

    def __init__(self, width, height):
        self.width = width
        self.height = height

    @property
    def area(self):
        return self.width * self.height


def main():
    r = Rectangle(2, 3)
    try:
        r.width = -1
    except ValueError as e:
        return {"area": r.area, "error": str(e)}
