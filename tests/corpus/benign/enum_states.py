from enum import Enum, IntFlag, auto


class State(Enum):
    TODO = "todo"
    DONE = "done"

    @classmethod
    def parse(cls, text):
        return cls.__members__.get(text.upper(), cls.TODO)


class Access(IntFlag):
    READ = auto()
    WRITE = auto()


def main(text):
    return {"state": State.parse(text).value, "access": int(Access.READ | Access.WRITE)}
