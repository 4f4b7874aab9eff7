class Shape:
    def area(self):
        return 1


def main(shape=None):
    shape = shape or Shape()
    name = getattr(shape, "name", "unknown")
    return {"name": name, "area": getattr(shape, "area")(), "has": hasattr(shape, "area"), "call": callable(shape)}
