class Typed:
    _types = {"name": str, "age": int}

    def __setattr__(self, key, value):
        expected = self._types.get(key)
        if expected is None:
            raise AttributeError(f"no attribute {key!r}")
        if not isinstance(value, expected):
            raise TypeError(f"{key} must be {expected.__name__}")
        super().__setattr__(key, value)


def main():
    t = Typed()
    t.name = "Ada"
    try:
        t.age = "old"
    except TypeError as e:
        return {"name": t.name, "error": str(e)}
