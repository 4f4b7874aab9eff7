class LazyConfig:
    """Values are computed on first use by __getattr__."""

    _makers = {"answer": lambda: 42, "items": list}

    def __getattr__(self, name):
        try:
            value = self._makers[name]()
        except KeyError:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}") from None
        setattr(self, name, value)
        return value


class AttrDict(dict):
    def __getattr__(self, key):
        try:
            return self[key]
        except KeyError as e:
            raise AttributeError(key) from e

    def __setattr__(self, key, value):
        self[key] = value

    def __delattr__(self, key):
        del self[key]


def main():
    config, data = LazyConfig(), AttrDict(a=1)
    data.b = 2
    del data.a
    return [config.answer, config.items, dict(data)]
