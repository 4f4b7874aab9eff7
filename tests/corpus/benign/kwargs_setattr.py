class Config:
    defaults = {"debug": False, "retries": 3, "name": "app"}

    def __init__(self, **kwargs):
        for key, value in self.defaults.items():
            setattr(self, key, kwargs.pop(key, value))
        if kwargs:
            raise TypeError(f"unexpected options: {', '.join(kwargs)}")

    def update(self, other):
        for key, value in other.items():
            if hasattr(self, key):
                setattr(self, key, value)
        return self


def main(options: dict):
    config = Config(debug=True).update(options)
    return {"debug": config.debug, "retries": config.retries, "name": config.name}
