__author__ = "somebody"
__email__ = "a@example.org"
__status__ = "Prototype"


class Widget:
    made = 0

    def __init__(self, label):
        self.label = label
        self.__class__.made += 1

    def clone(self):
        return self.__class__(self.label + "'")

    def __repr__(self):
        return f"<{self.__class__.__module__}.{self.__class__.__qualname__} {self.label}>"


def main():
    a = Widget("a")
    b = a.clone()
    return {"made": Widget.made, "label": b.label, "repr": "Widget" in repr(b), "old": "{0.__class__.__name__}({0.label})".format(a)}
