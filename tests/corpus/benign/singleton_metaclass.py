class SingletonMeta(type):
    _instances = {}

    def __call__(cls, *args, **kwargs):
        if cls not in cls._instances:
            cls._instances[cls] = super().__call__(*args, **kwargs)
        return cls._instances[cls]


class Logger(metaclass=SingletonMeta):
    def __init__(self):
        self.lines = []

    def log(self, level, message, *args):
        self.lines.append(f"[{level:^7}] {message % args if args else message}")


class Singleton:
    _instance = None

    def __new__(cls, *args, **kwargs):
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance


def main():
    Logger().log("info", "started %s", "now")
    Logger().log("warn", "100% done")
    return [Logger() is Logger(), Singleton() is Singleton(), Logger().lines]
