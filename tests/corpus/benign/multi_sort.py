from dataclasses import dataclass
from operator import attrgetter


@dataclass
class Employee:
    name: str
    team: str
    pay: int


STAFF = [Employee("Ann", "b", 3), Employee("Bob", "a", 5), Employee("Cid", "a", 1)]




def main():
    by_name = [e.name for e in sorted(STAFF, key=attrgetter("team", "pay"))]
    for column in ("name", "pay"):
        print(column, [getattr(e, column) for e in STAFF])
    return by_name
