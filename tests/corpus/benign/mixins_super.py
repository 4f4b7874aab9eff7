class Base:
    def __init__(self, **kwargs):
        if kwargs:
            raise TypeError(f"unexpected {sorted(kwargs)}")

    def describe(self):
        return type(self).__name__


class Named(Base):
    def __init__(self, name="?", **kwargs):
        super().__init__(**kwargs)
        self.name = name

    def describe(self):
        return f"{super().describe()} name={self.name}"


class Aged(Base):
    def __init__(self, age=0, **kwargs):
        super().__init__(**kwargs)
        self.age = age

    def describe(self):
        return f"{super().describe()} age={self.age}"


class Person(Named, Aged):
    pass


def main():
    ada = Person(name="Ada", age=36)
    return ada.describe(), isinstance(ada, Aged), issubclass(Person, Base)
