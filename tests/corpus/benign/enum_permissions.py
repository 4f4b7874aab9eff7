from enum import Enum, Flag, IntEnum, StrEnum, auto, unique


class Permission(Flag):
    READ = auto()
    WRITE = auto()
    EXECUTE = auto()
    ALL = READ | WRITE | EXECUTE


@unique
class Priority(IntEnum):
    LOW = 1
    HIGH = 3

    @property
    def label(self):
        return self.name.capitalize()

    @classmethod
    def _missing_(cls, value):
        return cls.LOW


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


class Planet(Enum):
    EARTH = (5.976e24, 6.37814e6)
    MARS = (6.421e23, 3.3972e6)

    def __init__(self, mass, radius):
        self.mass = mass
        self.radius = radius

    @property
    def gravity(self):
        return 6.6743e-11 * self.mass / self.radius**2


def main():
    user = Permission.READ | Permission.WRITE
    return {
        "can": Permission.EXECUTE in user,
        "all": (user | Permission.EXECUTE) is Permission.ALL,
        "p": Priority(99).label,
        "c": [c.value for c in Color],
        "lookup": Color["RED"].upper(),
        "g": round(Planet.MARS.gravity, 2),
        "names": list(Planet.__members__),
        "value": Priority.HIGH._value_,
    }
